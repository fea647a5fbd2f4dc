import { lstat, readdir, stat } from 'node:fs/promises';
import { fromByteString, toByteString, type ByteString } from '../../core/golang/byteString';
import { BadPatternError, hasMeta, matchPath } from '../../core/golang/pathPattern';

const SYSTEM = { isWindows: process.platform === 'win32' };
/** Beyond these many separators Go takes a pattern for malformed. */
const MAX_DEPTH = 10_000;

/** A pattern with the folder part that is a pattern itself split off. */
interface Level {
  readonly directory: ByteString;
  readonly file: ByteString;
}

/**
 * Go's `filepath.Glob` to the letter: the paths that match, those of a folder in byte order; none for what cannot be read. A path
 * without anything special in it is there or not.
 * @param pattern absolute and clean, as `filepath.Abs` gives it
 * @throws BadPatternError for a malformed one
 */
export async function goGlob(pattern: string): Promise<string[]> {
  const levels: Level[] = [];
  let found: readonly ByteString[];
  for (let current = toByteString(pattern); ;) {
    if (levels.length === MAX_DEPTH) {
      throw new BadPatternError();
    }
    matchPath(current, '', SYSTEM);
    if (!hasMeta(current, SYSTEM)) {
      found = (await isThere(current)) ? [current] : [];
      break;
    }
    const level = split(current);
    if (!hasMeta(level.directory, SYSTEM)) {
      found = await matchesIn(level.directory, level.file);
      break;
    }
    if (level.directory === current) {
      throw new BadPatternError();
    }
    levels.push(level);
    current = level.directory;
  }
  for (const { file } of levels.reverse()) {
    const next: ByteString[] = [];
    for (const directory of found) {
      for (const path of await matchesIn(directory, file)) {
        next.push(path);
      }
    }
    found = next;
  }
  return found.map(fromByteString);
}

function split(pattern: ByteString): Level {
  const cut = Math.max(pattern.lastIndexOf('/'), SYSTEM.isWindows ? pattern.lastIndexOf('\\') : -1);
  const head = pattern.slice(0, cut + 1);
  const isRoot = head.length === 1 || (SYSTEM.isWindows && /^[A-Za-z]:[\\/]$/.test(head));
  return {
    directory: head === '' ? '.' : isRoot ? head : head.slice(0, -1),
    file: pattern.slice(cut + 1),
  };
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
