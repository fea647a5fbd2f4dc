import { access, constants, readFile, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { optionsOfHelp, optionsOfPythonSource, versionIn } from '../../core/tools/toolOptions';
import { runTool } from './runTool';

/** What comes with llama.cpp, in the order in which the path from a checkpoint to a GGUF uses it. */
export const LLAMA_CPP_TOOLS = [
  'convert_hf_to_gguf.py',
  'convert_lora_to_gguf.py',
  'llama-quantize',
  'llama-imatrix',
  'llama-perplexity',
  'llama-gguf-split',
] as const;

export interface FoundProgram {
  readonly name: string;
  /** Absolute; undefined where it was not found. */
  readonly path?: string | undefined;
  readonly version?: string | undefined;
  /** What its `--help` offers; empty where it was not found or does not answer. */
  readonly options: readonly string[];
}

/** A program that prints its help and nothing else takes no longer. */
const TIMEOUT = 10_000;
const MAX_HELP = 256 * 1024;
/** llama.cpp's converter has half a megabyte in its large versions. */
const MAX_SCRIPT = 4 * 1024 * 1024;

export interface SearchPlaces {
  /** What the user named for it: searched first, and with all that lies where a build puts it. */
  readonly named?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks for programs by name: in the folder that the user named, in PATH (absolute folders only) and where installers put them.
 * A binary is asked for its version and its help; of a Python script the text is read, nothing is run.
 * @throws StudioError run/cancelled
 */
export async function findPrograms(names: readonly string[], places: SearchPlaces): Promise<FoundProgram[]> {
  const folders = searched(places);
  return await Promise.all(names.map(async (name) => await findProgram(name, folders, places)));
}

async function findProgram(name: string, folders: readonly string[], places: SearchPlaces): Promise<FoundProgram> {
  const isScript = name.endsWith('.py');
  const file = process.platform === 'win32' && !isScript ? `${name}.exe` : name;
  for (const folder of folders) {
    const path = join(folder, file);
    if (!(await isUsable(path, isScript ? constants.R_OK : constants.X_OK))) {
      continue;
    }
    if (isScript) {
      return { name, path, options: optionsOfPythonSource((await readFile(path, 'utf8')).slice(0, MAX_SCRIPT)) };
    }
    const ask = async (argument: string): Promise<string> =>
      (
        await runTool(path, [argument], {
          cwd: folder,
          env: places.env,
          signal: places.signal,
          timeout: TIMEOUT,
          keep: 'head',
          most: MAX_HELP,
        })
      ).output;
    const [help, version] = await Promise.all([ask('--help'), ask('--version')]);
    return { name, path, version: versionIn(version), options: optionsOfHelp(help) };
  }
  return { name, options: [] };
}

function searched({ named, env }: SearchPlaces): string[] {
  const home = env['HOME'] ?? env['USERPROFILE'];
  const root = named === undefined || named === '' ? undefined : resolve(named);
  const own = root === undefined ? [] : [root, join(root, 'bin'), join(root, 'build', 'bin')];
  const usual = [
    '/opt/homebrew/bin',
    '/usr/local/bin',
    '/home/linuxbrew/.linuxbrew/bin',
    ...(home !== undefined && isAbsolute(home)
      ? ['llama.cpp', 'llama.cpp/bin', 'llama.cpp/build/bin', '.docker/bin', '.local/bin'].map((name) =>
          join(home, name),
        )
      : []),
  ];
  const path = (env['PATH'] ?? env['Path'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  return [...own, ...path, ...usual];
}

async function isUsable(path: string, mode: number): Promise<boolean> {
  return await access(path, mode).then(
    async () => (await stat(path)).isFile(),
    () => false,
  );
}
