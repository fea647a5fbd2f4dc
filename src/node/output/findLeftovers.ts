import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfAborted } from '../../core/errors';
import { Journal } from './journal';
import { acquireLock, isHeld } from './outputLock';
import { removePartial } from './partialOutput';

/** What an unfinished run left. */
export interface Leftover {
  /** The result that it was to become. */
  readonly output: string;
  /** Its unfinished file or folder; it may be gone while its journal is still there. */
  readonly partial: string;
  /** What it occupies on the disk. */
  readonly bytes: number;
  /** Last change, ISO 8601. */
  readonly modified: string;
  /** Units of work that it need not do again. */
  readonly finishedUnits: number;
  /** A process works on it right now: it is neither removed nor gone on with. */
  readonly inUse: boolean;
}

const JOURNAL = '.partial.journal';

/** Folders that hold very many files, and no output of ours. */
const SKIPPED = new Set(['node_modules', '.git', '.hg', '.svn', '__pycache__', '.venv', 'venv', 'site-packages']);

const DEEPEST = 64;

/**
 * Finds what unfinished runs left in folders and below them: only what has a journal of ours beside it. Links are not
 * followed; folders that cannot be read are left out.
 * @throws StudioError run/cancelled
 */
export async function findLeftovers(folders: readonly string[], signal?: AbortSignal): Promise<Leftover[]> {
  const found = new Map<string, Leftover>();
  const visit = async (folder: string, depth: number): Promise<void> => {
    throwIfAborted(signal);
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && depth < DEEPEST && !SKIPPED.has(entry.name)) {
        await visit(path, depth + 1);
      } else if (entry.isFile() && entry.name.endsWith(JOURNAL) && entry.name.length > JOURNAL.length) {
        const leftover = await readLeftover(path.slice(0, -JOURNAL.length));
        if (leftover !== undefined) {
          found.set(leftover.output, leftover);
        }
      }
    }
  };
  for (const folder of folders) {
    await visit(folder, 0);
  }
  return [...found.values()].sort((a, b) => (a.output < b.output ? -1 : 1));
}

/** Looks at one output; undefined where no unfinished run of ours left anything. */
export async function readLeftover(output: string): Promise<Leftover | undefined> {
  const journal = await Journal.read(`${output}${JOURNAL}`);
  if (journal === undefined || journal === 'foreign') {
    return undefined;
  }
  const partial = `${output}.partial`;
  const stats = await lstat(`${output}${JOURNAL}`);
  return {
    output,
    partial,
    bytes: await occupied(partial),
    modified: stats.mtime.toISOString(),
    finishedUnits: journal === 'unfinished' ? 0 : journal.units.size,
    inUse: isHeld(output),
  };
}

/**
 * Removes what an unfinished run left for `output`. False where there is nothing of ours.
 * @throws StudioError output/busy while a process works on it
 */
export async function removeLeftover(output: string): Promise<boolean> {
  if ((await readLeftover(output)) === undefined) {
    return false;
  }
  const lock = await acquireLock(output);
  try {
    return await removePartial(output);
  } finally {
    await lock.release();
  }
}

/** Bytes on the disk of a file, or of the files in a folder; 0 where there is none. Partial outputs are sparse. */
async function occupied(path: string): Promise<number> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined || stats.isSymbolicLink()) {
    return 0;
  }
  if (!stats.isDirectory()) {
    return process.platform === 'win32' ? stats.size : stats.blocks * 512;
  }
  const names = await readdir(path).catch(() => []);
  const sizes = await Promise.all(names.map((name) => occupied(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}
