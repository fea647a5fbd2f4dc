import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StudioError } from '../../core/errors';
import { formatBytes } from '../../core/formatBytes';

/** Room to leave beside the output, as part of it: file systems need some for themselves. */
const MARGIN = 0.05;

/** Bytes that this user can still write to the file system of `path`'s folder; undefined where it does not say. */
export async function freeBytes(path: string): Promise<number | undefined> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    try {
      const system = await statfs(folder);
      return system.bavail * system.bsize;
    } catch {
      if (dirname(folder) === folder) {
        return undefined;
      }
    }
  }
}

/**
 * Refuses a run that cannot fit.
 * @param needed bytes of output still to be written
 * @throws StudioError disk/full
 */
export async function requireSpace(output: string, needed: number): Promise<void> {
  const free = await freeBytes(output);
  const wanted = Math.ceil(needed * (1 + MARGIN));
  if (free !== undefined && free < wanted) {
    throw new StudioError(
      'disk/full',
      `${output} needs ${formatBytes(wanted)} of free space, and the disk has ${formatBytes(free)}. Free some space, choose another disk, or a smaller type (--type Q4_K_M).`,
      {
        path: output,
        detail: { needed: wanted, free },
      },
    );
  }
}

/** Bytes that a sparse file occupies already, which a resumed run need not find again. */
export async function occupiedBytes(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? 0 : found.blocks * 512;
}
