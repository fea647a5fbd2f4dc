import { lstat, readdir, stat } from 'node:fs/promises';
import { fromByteString, isValidUtf8, toByteString, type ByteString } from '../../core/golang/byteString';
import { matchPath, walkOfPattern } from '../../core/golang/pathPattern';

const SYSTEM = { isWindows: process.platform === 'win32' };

/** A pattern matches a name of bytes that are no text: no path here can say it. */
export class UnreadableNameError extends Error {
  constructor(path: ByteString) {
    super(`${fromByteString(path)} has a name that is not UTF-8, and is not read from here. Rename it.`);
  }
}

/**
 * Go's `filepath.Glob` to the letter: the paths that match, those of a folder in byte order; none for what cannot be read. A path
 * without anything special in it is there or not.
 * @param pattern absolute and clean, as `filepath.Abs` gives it
 * @throws BadPatternError for a malformed one, UnreadableNameError where a name that matches is no text
 */
export async function goGlob(pattern: string): Promise<string[]> {
  const { start, names } = walkOfPattern(toByteString(pattern), SYSTEM);
  let found: readonly ByteString[] = names.length > 0 || (await isThere(start)) ? [start] : [];
  for (const name of names) {
    const next: ByteString[] = [];
    for (const directory of found) {
      for (const path of await matchesIn(directory, name)) {
        next.push(path);
      }
    }
    found = next;
  }
  const unreadable = found.find((path) => !isValidUtf8(path));
  if (unreadable !== undefined) {
    throw new UnreadableNameError(unreadable);
  }
  return found.map(fromByteString);
}

async function matchesIn(directory: ByteString, file: ByteString): Promise<ByteString[]> {
  const path = bytesOf(directory);
  const isFolder = await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  const names = isFolder ? await readdir(path, { encoding: 'buffer' }).catch(() => []) : [];
  const separator =
    /[\\/]$/.test(directory) && (SYSTEM.isWindows || directory === '/') ? '' : SYSTEM.isWindows ? '\\' : '/';
  return names
    .sort((a, b) => a.compare(b))
    .map((name) => name.toString('latin1'))
    .filter((name) => matchPath(file, name, SYSTEM))
    .map((name) => `${directory}${separator}${name}`);
}

function isThere(path: ByteString): Promise<boolean> {
  return lstat(bytesOf(path)).then(
    () => true,
    () => false,
  );
}

/** A path for the file system, byte by byte on Unix: names there need not be UTF-8. */
function bytesOf(path: ByteString): Buffer | string {
  return SYSTEM.isWindows ? fromByteString(path) : Buffer.from(path, 'latin1');
}
