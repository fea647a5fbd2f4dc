import { createHash } from 'node:crypto';
import { openFileSource } from './fileSource';

const CHUNK = 4 * 1024 * 1024;

/**
 * The digest of a file as Ollama names blobs, `sha256:…`.
 * @param onBytes called with the bytes of every piece that was read
 * @throws StudioError input/…, run/cancelled
 */
export async function hashFile(
  path: string,
  {
    signal,
    onBytes,
  }: { readonly signal?: AbortSignal | undefined; readonly onBytes?: ((bytes: number) => void) | undefined } = {},
): Promise<string> {
  const source = await openFileSource(path, { signal });
  try {
    const hash = createHash('sha256');
    const buffer = new Uint8Array(Math.max(1, Math.min(CHUNK, source.size)));
    for (let at = 0; at < source.size;) {
      const length = await source.read(at, buffer);
      if (length <= 0) {
        break;
      }
      hash.update(buffer.subarray(0, length));
      at += length;
      onBytes?.(length);
    }
    await source.assertUnchanged();
    return `sha256:${hash.digest('hex')}`;
  } finally {
    await source.close();
  }
}
