import { StudioError, type ErrorContext } from '../../core/errors';

/** The code of a Node system error (`ENOENT`), undefined for anything else. */
export function systemCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** A failed write as an error that says what to do; passes our own errors through. */
export function writeError(thrown: unknown, path: string, detail?: ErrorContext['detail']): StudioError {
  if (thrown instanceof StudioError) {
    return thrown;
  }
  const context = { path, cause: thrown, detail };
  switch (systemCode(thrown)) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return new StudioError(
        'disk/full',
        `The disk became full while writing ${path}. The unfinished file was removed and nothing else was touched: free some space, or write to another disk.`,
        context,
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StudioError(
        'output/unwritable',
        `${path} cannot be written: the folder is read-only for this user. Choose another place with --out.`,
        context,
      );
    case 'ENOENT':
    case 'ENOTDIR':
      return new StudioError(
        'output/unwritable',
        `${path} cannot be written: its folder does not exist. Create it first, or choose another place.`,
        context,
      );
    case 'ENAMETOOLONG':
    case 'EINVAL':
      return new StudioError(
        'output/name',
        `${path} is not a name that this file system takes. Choose a shorter or simpler one.`,
        context,
      );
    default:
      return new StudioError(
        'disk/io',
        `Writing ${path} failed: ${thrown instanceof Error ? thrown.message : String(thrown)}. Check the disk and run the command again.`,
        context,
      );
  }
}
