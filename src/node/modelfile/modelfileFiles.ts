import { append } from '../../core/append';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, open, readFile, realpath, stat } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { BadPatternError } from '../../core/golang/pathPattern';
import type { LocalFileResolver, LocalFiles } from '../../core/modelfile/createRequest';
import { ollamaProfile, type OllamaProfile } from '../../core/ollama/ollamaProfile';
import { detectContentType } from '../ollama/contentType';
import { goGlob, UnreadableNameError } from '../files/goGlob';
import { systemCode } from '../files/systemError';

/** An error in the words of Go, for `LocalFiles.error`. */
class GoError extends Error {
  constructor(
    message: string,
    readonly absent = false,
  ) {
    super(message);
  }
}

/** What Ollama would read and we cannot: never taken for a file that is not there. */
class OwnError extends GoError {}

export interface ModelfileFilesOptions {
  readonly signal?: AbortSignal | undefined;
  /** The Ollama whose parser is followed; the newest known one where it is absent. */
  readonly profile?: OllamaProfile | undefined;
}

/**
 * The files behind the paths of a Modelfile in `directory`, found and digested as Ollama's command line does it
 * (`expandPaths`, `filesForModel`, `fileDigestMap` of its parser), its errors included. Every file is read to its end.
 */
export function localFileResolver(directory: string, options: ModelfileFilesOptions = {}): LocalFileResolver {
  const { signal, profile = ollamaProfile(undefined) } = options;
  return async (path, mayBePattern) => {
    try {
      const paths =
        mayBePattern && profile.does('fromGlobs')
          ? await expandModelfilePaths(path, directory)
          : [await expandModelfilePath(path, directory)];
      return await collect(paths, signal);
    } catch (thrown) {
      if (thrown instanceof GoError) {
        return { status: thrown.absent ? 'absent' : 'failed', error: thrown.message };
      }
      throw thrown;
    }
  };
}

/**
 * The absolute paths that FROM or DRAFT names where Ollama takes them for patterns: what Go's `filepath.Glob` finds, in its order,
 * or the path as it stands where nothing matches.
 * @throws Error `syntax error in pattern`, in Go's words
 */
export async function expandModelfilePaths(path: string, directory: string): Promise<readonly string[]> {
  const absolute = await expandModelfilePath(path, directory);
  const matches = await globbed(absolute);
  return matches.length === 0 ? [absolute] : matches;
}

async function globbed(pattern: string): Promise<readonly string[]> {
  try {
    return await goGlob(pattern);
  } catch (thrown) {
    if (thrown instanceof UnreadableNameError) {
      throw new OwnError(thrown.message);
    }
    throw thrown instanceof BadPatternError ? new GoError(thrown.message) : thrown;
  }
}

/** True for a path that reaches for the network or a device on Windows: it is never opened. */
export function isRemotePath(path: string): boolean {
  return /^[\\/]{2}/.test(path);
}

/**
 * The absolute path that a FROM, DRAFT or ADAPTER of a Modelfile in `directory` names: `~` and `~user` are homes,
 * a leading slash or backslash makes it relative to the working directory rather than to the Modelfile.
 */
export async function expandModelfilePath(path: string, directory: string): Promise<string> {
  if (process.platform === 'win32' && isRemotePath(path)) {
    throw new GoError(
      `${path} is a network or device path, which is not opened from here. Copy the files to a local folder.`,
    );
  }
  if (isAbsolute(path) || path.startsWith('\\') || path.startsWith('/')) {
    return resolve(path);
  }
  if (!path.startsWith('~')) {
    return resolve(join(directory, path));
  }
  if (path === '~' || path.startsWith('~/')) {
    return resolve(join(ownHome(), path.slice(1)));
  }
  const slash = path.indexOf('/');
  const name = slash < 0 ? path.slice(1) : path.slice(1, slash);
  return resolve(join(await homeOf(name), slash < 0 ? '' : path.slice(slash)));
}

function ownHome(): string {
  try {
    return userInfo().homedir;
  } catch {
    return homedir();
  }
}

async function homeOf(name: string): Promise<string> {
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const entry = users
    .split('\n')
    .map((line) => line.split(':'))
    .find((fields) => fields[0] === name);
  const home = entry?.[5];
  if (home === undefined) {
    throw new GoError(`failed to find user '${name}': user: unknown user ${name}`);
  }
  return home;
}

const ERRNO_TEXTS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
  EINVAL: 'invalid argument',
  EIO: 'input/output error',
  ENXIO: 'no such device or address',
};

/** Runs a file operation; what fails becomes Go's `op path: reason`. */
async function go<T>(op: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    const code = systemCode(thrown);
    if (code === undefined || code === 'ABORT_ERR') {
      throw thrown;
    }
    throw new GoError(`${op} ${path}: ${ERRNO_TEXTS[code] ?? code.toLowerCase()}`, code === 'ENOENT');
  }
}

async function collect(paths: readonly string[], signal: AbortSignal | undefined): Promise<LocalFiles> {
  const digests = new Map<string, string>();
  for (const path of paths) {
    const stats = await go('stat', path, () => stat(path));
    const files = stats.isDirectory() ? await insideOf(path, await filesForModel(path)) : [path];
    for (const file of files) {
      digests.set(file, await digestOf(file, signal));
    }
  }
  return {
    status: 'files',
    paths: await Promise.all(paths.map(async (path) => ({ path, canonicalPath: await realpath(path) }))),
    digests,
  };
}

/** Follows links; a file outside the folder is refused. */
async function insideOf(folder: string, files: readonly string[]): Promise<string[]> {
  const real: string[] = [];
  for (const file of files) {
    const target = await go('lstat', file, () => realpath(file));
    const name = relative(folder, target);
    if (name === '..' || name.startsWith(`..${sep}`) || isAbsolute(name)) {
      const hint = name.includes('.cache') ? '\n\nUse --local-dir <dir> when downloading model to disable caching' : '';
      throw new GoError(`insecure path: ${name}${hint}`);
    }
    real.push(target);
  }
  return real;
}

async function digestOf(file: string, signal: AbortSignal | undefined): Promise<string> {
  const stats = await go('stat', file, () => stat(file));
  if (!stats.isFile()) {
    throw new GoError(
      stats.isDirectory()
        ? `read ${file}: is a directory`
        : `${file} is no regular file and is not read. Name a file or a folder.`,
    );
  }
  const hash = createHash('sha256');
  await go('open', file, async () => {
    for await (const chunk of createReadStream(file, { signal, highWaterMark: 1 << 20 })) {
      hash.update(chunk as Uint8Array);
    }
  });
  return `sha256:${hash.digest('hex')}`;
}

/** The weights of a folder: the first of these patterns that any file matches; a wrong content type is no match. */
const WEIGHTS: readonly { readonly pattern: string; readonly type?: string }[] = [
  { pattern: 'consolidated*.safetensors' },
  { pattern: 'pytorch_model*.bin', type: 'application/zip' },
  { pattern: 'consolidated*.pth', type: 'application/zip' },
  { pattern: '*.gguf', type: 'application/octet-stream' },
  { pattern: '*.bin', type: 'application/octet-stream' },
];

/** What Ollama takes from a folder that FROM names, by path; or why it refuses the folder, in its words. No file is read beyond its first bytes. */
export async function filesOfModelFolder(
  folder: string,
): Promise<{ readonly ok: true; readonly files: readonly string[] } | { readonly ok: false; readonly error: string }> {
  try {
    return { ok: true, files: await insideOf(folder, await filesForModel(folder)) };
  } catch (thrown) {
    if (thrown instanceof GoError) {
      return { ok: false, error: thrown.message };
    }
    throw thrown;
  }
}

async function filesForModel(folder: string): Promise<string[]> {
  const files = await weightsOf(folder);
  if (files.length === 0) {
    throw new GoError('no Modelfile or safetensors files found');
  }
  append(files, await glob(folder, '*.json', 'text/plain'));
  append(files, await glob(folder, '*/*.json', 'text/plain'));
  append(files, await glob(folder, 'chat_template.jinja', 'text/plain'));
  const tokenizer = await globOrNothing(folder, 'tokenizer.model', 'application/octet-stream');
  append(files, tokenizer.length > 0 ? tokenizer : await globOrNothing(folder, '*/tokenizer.model', 'text/plain'));
  return files;
}

async function weightsOf(folder: string): Promise<string[]> {
  const model = await globOrNothing(folder, 'model*.safetensors');
  if (model.length > 0) {
    return [...model, ...(await glob(folder, '*/model*.safetensors'))];
  }
  for (const { pattern, type } of WEIGHTS) {
    const found = await globOrNothing(folder, pattern, type);
    if (found.length > 0) {
      return found;
    }
  }
  return [];
}

async function globOrNothing(folder: string, pattern: string, type?: string): Promise<string[]> {
  try {
    return await glob(folder, pattern, type);
  } catch (thrown) {
    if (thrown instanceof GoError && !(thrown instanceof OwnError)) {
      return [];
    }
    throw thrown;
  }
}

/** What matches below the folder. Go takes the folder's own name for part of the pattern: brackets in it rarely match themselves. */
async function glob(folder: string, pattern: string, type?: string): Promise<string[]> {
  const found = await globbed(join(folder, pattern));
  for (const file of found) {
    const actual = await contentTypeOf(file);
    if (type !== undefined && actual !== type) {
      throw new GoError(`invalid content type: expected ${actual} for ${file}`);
    }
  }
  return [...found];
}

async function contentTypeOf(file: string): Promise<string> {
  const stats = await go('open', file, () => lstat(file).then(() => stat(file)));
  if (!stats.isFile()) {
    throw new GoError(
      stats.isDirectory() ? `read ${file}: is a directory` : `${file} is no regular file and is not read.`,
    );
  }
  const handle = await go('open', file, () => open(file, 'r'));
  try {
    const buffer = new Uint8Array(512);
    const { bytesRead } = await go('read', file, () => handle.read(buffer, 0, 512, 0));
    return detectContentType(buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}
