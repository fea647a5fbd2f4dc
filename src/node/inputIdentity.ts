import { stat } from 'node:fs/promises';
import { StudioError } from '../core/errors';

/** What tells one version of an input file from another without reading it. */
export interface InputIdentity {
  readonly path: string;
  readonly size: number;
  /** Nanoseconds since 1970, as decimal text. */
  readonly modified: string;
  readonly inode: string;
  readonly device: string;
}

export async function identify(path: string): Promise<InputIdentity> {
  try {
    const found = await stat(path, { bigint: true });
    return { path, size: Number(found.size), modified: String(found.mtimeNs), inode: String(found.ino), device: String(found.dev) };
  } catch (thrown) {
    throw new StudioError('input/missing', `${path} is gone. Put it back and run the command again.`, { path, cause: thrown });
  }
}

export function sameIdentity(a: InputIdentity, b: InputIdentity): boolean {
  return a.size === b.size && a.modified === b.modified && a.inode === b.inode && a.device === b.device;
}
