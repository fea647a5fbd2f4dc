import { append } from '../../core/append';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, open, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { LocalFileResolver, LocalFiles } from '../../core/modelfile/createRequest';
import { detectContentType } from '../ollama/contentType';
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

export interface ModelfileFilesOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * The files behind the paths of a Modelfile in `directory`, found and digested as Ollama's command line does it
 * (`expandPath`, `filesForModel`, `fileDigestMap` of its parser), its errors included. Every file is read to its end.
 */
export function localFileResolver(directory: string, options: ModelfileFilesOptions = {}): LocalFileResolver {
  return async (path) => {
    try {
      return await collect(await expandModelfilePath(path, directory), options.signal);
    } catch (thrown) {
      if (thrown instanceof GoError) {
        return { status: thrown.absent ? 'absent' : 'failed', error: thrown.message };
      }
      throw thrown;
    }
  };
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

async function collect(path: string, signal: AbortSignal | undefined): Promise<LocalFiles> {
  const stats = await go('stat', path, () => stat(path));
  const files = stats.isDirectory() ? await insideOf(path, await filesForModel(path)) : [path];
  const digests = new Map<string, string>();
  for (const file of files) {
    digests.set(file, await digestOf(file, signal));
  }
  return { status: 'files', path, canonicalPath: await realpath(path), digests };
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
const WEIGHTS: readonly { readonly pattern: RegExp; readonly type?: string }[] = [
  { pattern: /^consolidated.*\.safetensors$/s },
  { pattern: /^pytorch_model.*\.bin$/s, type: 'application/zip' },
  { pattern: /^consolidated.*\.pth$/s, type: 'application/zip' },
  { pattern: /\.gguf$/, type: 'application/octet-stream' },
  { pattern: /\.bin$/, type: 'application/octet-stream' },
];
const SAFETENSORS = /^model.*\.safetensors$/s;

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
  append(files, await glob([folder], /\.json$/, 'text/plain'));
  const below = await children(folder);
  append(files, await glob(below, /\.json$/, 'text/plain'));
  append(files, await glob([folder], /^chat_template\.jinja$/, 'text/plain'));
  const tokenizer = await globOrNothing([folder], /^tokenizer\.model$/, 'application/octet-stream');
  append(files, tokenizer.length > 0 ? tokenizer : await globOrNothing(below, /^tokenizer\.model$/, 'text/plain'));
  return files;
}

async function weightsOf(folder: string): Promise<string[]> {
  // Go takes the folder's own name for part of the pattern: a bracket in it never matches itself.
  if (folder.includes('[')) {
    return [];
  }
  const model = await globOrNothing([folder], SAFETENSORS);
  if (model.length > 0) {
    return [...model, ...(await glob(await children(folder), SAFETENSORS))];
  }
  for (const { pattern, type } of WEIGHTS) {
    const found = await globOrNothing([folder], pattern, type);
    if (found.length > 0) {
      return found;
    }
  }
  return [];
}

async function children(folder: string): Promise<string[]> {
  return (await sortedNames(folder)).map((name) => join(folder, name));
}

/** Names in byte order; nothing for what is no readable folder. */
async function sortedNames(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder, { encoding: 'buffer' });
    return names.sort((a, b) => a.compare(b)).map((name) => name.toString());
  } catch {
    return [];
  }
}

async function globOrNothing(folders: readonly string[], pattern: RegExp, type?: string): Promise<string[]> {
  try {
    return await glob(folders, pattern, type);
  } catch (thrown) {
    if (thrown instanceof GoError) {
      return [];
    }
    throw thrown;
  }
}

async function glob(folders: readonly string[], pattern: RegExp, type?: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders) {
    const names = (await sortedNames(folder)).filter((name) => pattern.test(name));
    append(
      found,
      names.map((name) => join(folder, name)),
    );
  }
  for (const file of found) {
    const actual = await contentTypeOf(file);
    if (type !== undefined && actual !== type) {
      throw new GoError(`invalid content type: expected ${actual} for ${file}`);
    }
  }
  return found;
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
