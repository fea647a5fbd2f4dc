import { StudioError } from '../errors';
import { DETECTION_BYTES } from './detectFormat';
import { parseLfsPointer } from './lfsPointer';
import { detectPickle } from './pickle/detectPickle';
import type { ByteSource } from '../bytes';

/**
 * Why a file is not what its reader expects, where the first bytes tell: empty, a Git LFS pointer, a pickle.
 * Undefined when they do not, so that the reader says it in the words of its own format.
 */
export async function foreignFileError(source: ByteSource, path = ''): Promise<StudioError | undefined> {
  if (source.size === 0) {
    return new StudioError(
      'input/empty',
      'The file is empty: a download or a copy was probably interrupted. Fetch it again.',
    );
  }
  const first = new Uint8Array(Math.min(DETECTION_BYTES, source.size));
  const got = await source.read(0, first);
  const bytes = first.subarray(0, got);
  const pointer = parseLfsPointer(bytes, source.size);
  if (pointer !== undefined) {
    return lfsPointerError(pointer.size);
  }
  return detectPickle(bytes, path) === undefined ? undefined : pickleError();
}

/** `input/lfs-pointer`; `size` is that of the real file. */
export function lfsPointerError(size: number, path?: string): StudioError {
  return new StudioError(
    'input/lfs-pointer',
    `This is a Git LFS pointer: the real file of ${size} bytes was never downloaded. Run "git lfs pull" in its repository.`,
    {
      path,
      detail: { size },
    },
  );
}

/** `input/pickle`. */
export function pickleError(path?: string): StudioError {
  return new StudioError(
    'input/pickle',
    'This is a Python pickle, which can run code when it is loaded, and so is never loaded. Get the weights as safetensors: most repositories have them, and training tools save them with safe_serialization=True.',
    { path },
  );
}
