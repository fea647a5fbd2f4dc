import { detectFormat, DETECTION_BYTES } from '../../core/formats/detectFormat';
import { openFileSource } from './fileSource';

/** The format of a file by its first bytes; undefined where it cannot be read. */
export async function formatOf(path: string): Promise<ReturnType<typeof detectFormat> | undefined> {
  try {
    const source = await openFileSource(path);
    try {
      const first = new Uint8Array(Math.min(DETECTION_BYTES, source.size));
      const length = await source.read(0, first);
      return detectFormat(first.subarray(0, length), source.size, path);
    } finally {
      await source.close();
    }
  } catch {
    return undefined;
  }
}
