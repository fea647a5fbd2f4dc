import { stat } from 'node:fs/promises';
import { StudioError } from '../../core/errors';

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
    return {
      path,
      size: Number(found.size),
      modified: String(found.mtimeNs),
      inode: String(found.ino),
      device: String(found.dev),
    };
  } catch (thrown) {
    throw new StudioError('input/missing', `${path} is gone. Put it back and run the command again.`, {
      path,
      cause: thrown,
    });
  }
}

export function sameIdentity(a: InputIdentity, b: InputIdentity): boolean {
  return a.size === b.size && a.modified === b.modified && a.inode === b.inode && a.device === b.device;
}

/** An identity as text, for a plan to remember. */
export function identityText({ size, modified, inode, device }: InputIdentity): string {
  return [size, modified, inode, device].join(' ');
}

/** What came of it, and what to do next. */
export function changedError(path: string): StudioError {
  return new StudioError(
    'input/changed',
    `${path} changed while it was read, so the result could mix two versions of it and was thrown away. Run the command again when nothing writes to it.`,
    { path },
  );
}
