import { readdir, readFile, realpath } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import { installedPackage, PYTHON_PACKAGES, torchBackend, type PythonPackage } from '../../core/tools/pythonPackages';

export interface PythonEnvironment {
  /** Its folder: what `sys.prefix` would say. */
  readonly prefix: string;
  /** `3.11`, where its folders tell. */
  readonly version?: string | undefined;
  /** Whom it was found by: `setting`, `active`, `workspace`, `conda`, `uv`, `pyenv`, `path`. */
  readonly origin: string;
  readonly packages: readonly { readonly name: PythonPackage; readonly version: string }[];
  /** What its torch was built for: `CUDA 12.8`, `ROCm 6.4`, `CPU`. */
  readonly torch?: string | undefined;
}

/** Environments of one machine; nobody reads on after so many. */
const MAX_ENVIRONMENTS = 64;
const MAX_VERSION_FILE = 64 * 1024;

/**
 * The Python environments of this machine, with what matters of what they hold, told from their files: no Python is run, so
 * one that lies in a folder from elsewhere can do nothing. Each is listed once, those that were named first.
 * @param named what the user named: an interpreter or the folder of an environment
 * @param workspaces folders that may have an environment of their own (`.venv`, `venv`, `env`)
 */
export async function findPythons(
  named: readonly string[],
  workspaces: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<PythonEnvironment[]> {
  const home = env['HOME'] ?? env['USERPROFILE'];
  const candidates: { prefix: string; origin: string }[] = [];
  const add = (origin: string, prefixes: readonly (string | undefined)[]): void => {
    for (const prefix of prefixes) {
      if (prefix !== undefined && isAbsolute(prefix)) {
        candidates.push({ prefix, origin });
      }
    }
  };
  add('setting', await Promise.all(named.map((path) => prefixOf(resolve(path)))));
  add('active', [env['VIRTUAL_ENV'], env['CONDA_PREFIX']]);
  add(
    'workspace',
    workspaces.flatMap((folder) => ['.venv', 'venv', 'env'].map((name) => join(resolve(folder), name))),
  );
  if (home !== undefined && isAbsolute(home)) {
    const conda = ['miniconda3', 'anaconda3', 'miniforge3', 'mambaforge'].map((name) => join(home, name));
    add('conda', await lines(join(home, '.conda', 'environments.txt')));
    add('conda', [...conda, ...(await foldersIn(conda.map((folder) => join(folder, 'envs'))))]);
    const data = env['XDG_DATA_HOME'] ?? join(home, '.local', 'share');
    add('uv', await foldersIn([join(data, 'uv', 'tools'), join(data, 'uv', 'python')]));
    add('pyenv', await foldersIn([join(env['PYENV_ROOT'] ?? join(home, '.pyenv'), 'versions')]));
  }
  const onPath = (env['PATH'] ?? env['Path'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  add(
    'path',
    await Promise.all(onPath.map(async (folder) => await pythonIn(await realpath(folder).catch(() => folder)))),
  );

  const found: PythonEnvironment[] = [];
  const seen = new Set<string>();
  for (const { prefix, origin } of candidates) {
    const real = await realpath(prefix).catch(() => undefined);
    if (real === undefined || seen.has(real) || seen.size >= MAX_ENVIRONMENTS) {
      continue;
    }
    seen.add(real);
    const environment = await readEnvironment(prefix, origin);
    if (environment !== undefined) {
      found.push(environment);
    }
  }
  return found;
}

/** The environment of an interpreter (`P/bin/python` and `P\Scripts\python.exe` are of P), or the folder itself. */
async function prefixOf(path: string): Promise<string> {
  const names = await readdir(path).catch(() => undefined);
  if (names !== undefined) {
    return path;
  }
  const folder = dirname(path);
  return /[\\/](?:bin|Scripts)$/.test(folder) ? dirname(folder) : folder;
}

/** The environment whose interpreter lies in a folder of PATH; the link of a virtual environment is not followed, its folder counts. */
async function pythonIn(folder: string): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => []);
  return names.some((name) => /^python(?:3(?:\.\d+)?)?(?:\.exe)?$/.test(name))
    ? await prefixOf(join(folder, 'python3'))
    : undefined;
}

async function readEnvironment(prefix: string, origin: string): Promise<PythonEnvironment | undefined> {
  const versioned = (await readdir(join(prefix, 'lib')).catch(() => []))
    .filter((name) => /^python3(?:\.\d+)?$/.test(name))
    .sort((a, b) => Number(b.slice(8) || 0) - Number(a.slice(8) || 0));
  const libraries = [
    ...versioned.flatMap((name) => [
      join(prefix, 'lib', name, 'site-packages'),
      join(prefix, 'lib', name, 'dist-packages'),
      join(prefix, 'local', 'lib', name, 'dist-packages'),
    ]),
    join(prefix, 'Lib', 'site-packages'),
  ];
  const packages = new Map<PythonPackage, string>();
  let torch: string | undefined;
  let isEnvironment = versioned.some((name) => name !== 'python3');
  for (const library of libraries) {
    const names = await readdir(library).catch(() => undefined);
    isEnvironment ||= names !== undefined;
    for (const name of names ?? []) {
      const found = installedPackage(name);
      const known = PYTHON_PACKAGES.find((wanted) => wanted === found?.name);
      if (found !== undefined && known !== undefined && !packages.has(known)) {
        packages.set(known, found.version);
        if (known === 'torch') {
          torch = torchBackend(await smallText(join(library, 'torch', 'version.py')));
        }
      }
    }
  }
  if (!isEnvironment) {
    return undefined;
  }
  return {
    prefix,
    version: versioned.find((name) => name !== 'python3')?.slice('python'.length),
    origin,
    packages: PYTHON_PACKAGES.flatMap((name) => {
      const version = packages.get(name);
      return version === undefined ? [] : [{ name, version }];
    }),
    torch,
  };
}

async function foldersIn(parents: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    parents.map(async (parent) => (await readdir(parent).catch(() => [])).sort().map((name) => join(parent, name))),
  );
  return found.flat();
}

async function lines(path: string): Promise<string[]> {
  return (await smallText(path))
    .split(/\r?\n/)
    .filter((line) => line !== '')
    .slice(0, MAX_ENVIRONMENTS);
}

async function smallText(path: string): Promise<string> {
  return await readFile(path, 'utf8').then(
    (text) => text.slice(0, MAX_VERSION_FILE),
    () => '',
  );
}
