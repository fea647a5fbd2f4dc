import { createHash } from 'node:crypto';
import type { ClientRequest } from 'node:http';
import { StudioError } from '../../core/errors';
import { parseBlobDigest } from '../../core/ollama/blobDigest';
import type { OllamaAddress } from '../../core/ollama/ollamaAddress';
import { openFileSource, type FileSource } from '../files/fileSource';
import { exchange } from './ollamaTransport';

export interface UploadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes sent so far, and in all. */
  readonly onProgress?: ((bytesDone: number, bytesTotal: number) => void) | undefined;
}

interface Patience {
  /** Milliseconds of silence after which the server is given up. */
  readonly idle: number;
}

const CHUNK = 1024 * 1024;

/** Asks whether a server has a blob. */
export async function hasBlob(
  address: OllamaAddress,
  digest: string,
  { signal, idle }: Patience & { readonly signal?: AbortSignal | undefined },
): Promise<boolean> {
  try {
    const { response } = await exchange(address, {
      method: 'HEAD',
      path: blobPath(digest),
      what: 'blob',
      signal,
      idle,
    });
    response.destroy();
    return true;
  } catch (thrown) {
    if (thrown instanceof StudioError && thrown.detail?.['status'] === 404) {
      return false;
    }
    throw thrown;
  }
}

/**
 * Sends a file to a server unless it is there: asked by HEAD first, hashed again while it is read. The last byte is
 * held back until the hash is known to be the announced one, so that no server ever has a blob that is not whole.
 * A broken upload leaves nothing usable on the server; the next one begins anew, files that are there are skipped.
 */
export async function uploadBlob(
  address: OllamaAddress,
  path: string,
  digest: string,
  options: UploadOptions & Patience,
): Promise<boolean> {
  if (await hasBlob(address, digest, options)) {
    return false;
  }
  const source = await openFileSource(path, { signal: options.signal });
  try {
    const { response } = await exchange(address, {
      method: 'POST',
      path: blobPath(digest),
      what: 'upload',
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(source.size) },
      signal: options.signal,
      idle: options.idle,
      send: (request) => send(request, source, digest, options),
    });
    // The answer has no body; the server may have had the blob by now and not have read all of it.
    response.destroy();
    return true;
  } finally {
    await source.close();
  }
}

function blobPath(digest: string): string {
  const parsed = parseBlobDigest(digest);
  if (parsed === undefined) {
    throw new StudioError(
      'ollama/digest',
      'A digest is sha256: and 64 hexadecimal digits; nothing was asked of the server.',
      { detail: { digest: digest.slice(0, 200) } },
    );
  }
  return `/api/blobs/${parsed}`;
}

async function send(
  request: ClientRequest,
  source: FileSource,
  digest: string,
  { onProgress }: UploadOptions,
): Promise<void> {
  const hash = createHash('sha256');
  let sent = 0;
  while (sent < source.size) {
    // A new buffer for every piece: what was handed to the socket is still read by it.
    const chunk = new Uint8Array(Math.min(CHUNK, source.size - sent));
    const length = await source.read(sent, chunk);
    if (length <= 0) {
      throw changed(source);
    }
    const piece = chunk.subarray(0, length);
    hash.update(piece);
    sent += length;
    if (sent < source.size) {
      await write(request, piece);
      onProgress?.(sent, source.size);
      continue;
    }
    await source.assertUnchanged();
    if (`sha256:${hash.digest('hex')}` !== parseBlobDigest(digest)) {
      throw changed(source);
    }
    await write(request, piece);
    onProgress?.(sent, source.size);
  }
  request.end();
}

function changed(source: FileSource): StudioError {
  return new StudioError(
    'input/changed',
    `${source.path} changed while it was sent, so the server was not given the rest of it. Run this again when nothing writes to it.`,
    { path: source.path },
  );
}

/** Waits until the socket has room again, or is gone: its end is told by the request itself. */
function write(request: ClientRequest, piece: Uint8Array): Promise<void> {
  if (request.destroyed) {
    return Promise.reject(new Error('socket hang up'));
  }
  if (request.write(piece)) {
    return Promise.resolve();
  }
  return new Promise((resolve, reject) => {
    const done = (): void => {
      request.off('drain', done);
      request.off('close', gone);
      resolve();
    };
    const gone = (): void => {
      request.off('drain', done);
      reject(new Error('socket hang up'));
    };
    request.once('drain', done);
    request.once('close', gone);
  });
}
