import { open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readBytes } from '../../core/bytes';
import { StudioError } from '../../core/errors';
import { openFileSource } from './fileSource';
import { writeError } from './systemError';

/** A Modelfile of this size is none; nothing larger is held in memory. */
const MAX_BYTES = 64 * 1024 * 1024;

/** All bytes of a regular file of at most 64 MiB. */
export async function readSmallFile(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  const source = await openFileSource(path, { signal });
  try {
    if (source.size > MAX_BYTES) {
      throw new StudioError(
        'modelfile/too-large',
        `${path} has ${source.size} bytes, and a Modelfile has at most ${MAX_BYTES}. Is it the model itself? Name that in FROM.`,
        { path },
      );
    }
    return await readBytes(source, 0, source.size);
  } finally {
    await source.close();
  }
}

/** Writes a file, new or in the place of one: written beside it, flushed, and renamed; the mode of an old one is kept. */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  // A link keeps pointing where it points.
  const target = await realpath(path).catch(() => path);
  const partial = join(dirname(target), `.${basename(target)}.${process.pid}.partial`);
  try {
    const mode = await stat(target).then(
      (found) => found.mode,
      () => undefined,
    );
    const file = await open(partial, 'wx', mode);
    try {
      await file.writeFile(bytes);
      await (mode === undefined ? undefined : file.chmod(mode));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, target);
  } catch (thrown) {
    await unlink(partial).catch(() => undefined);
    throw writeError(thrown, path);
  }
}
