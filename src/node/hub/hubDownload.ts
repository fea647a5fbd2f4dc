import { setTimeout as sleep } from 'node:timers/promises';
import type { Response } from 'undici';
import { StudioError, throwIfAborted } from '../../core/errors';
import type { HubFile } from '../../core/formats/huggingface/hubFiles';
import { type HubConnection, hubProtocol, unreachable } from './hubConnection';
import { IncompleteFile } from './incompleteFile';

export interface HubDownload {
  readonly connection: HubConnection;
  readonly url: string;
  readonly file: HubFile;
  /** Where the whole, checked file is put. */
  readonly target: string;
  readonly signal: AbortSignal;
  /** Bytes of this file that are there, whenever some were added (or thrown away). */
  readonly onBytes: (bytes: number) => void;
  /** Milliseconds: a connection that gives nothing for so long is given up and taken anew. {@link IDLE} if not given. */
  readonly idle?: number | undefined;
}

const IDLE = 30_000;
const TRIES = 5;
/** Bytes after which a connection that breaks has been worth it, and is not counted among the tries. */
const WORTH = 8 * 1024 * 1024;

/**
 * Fetches one file: a part that an earlier run left is continued, a broken connection is taken up again, and what arrives is held
 * against the hub's checksum before it gets its name.
 * @throws StudioError hub/…, output/…, disk/…, run/cancelled
 */
export async function downloadHubFile(download: HubDownload): Promise<void> {
  const { file, target, signal } = download;
  const partial = await IncompleteFile.open(`${target}.incomplete`);
  try {
    if (partial.size > file.bytes) {
      await partial.clear();
    }
    for (let attempt = 1; ; attempt++) {
      const before = partial.size;
      try {
        await fetchRest(download, partial);
        break;
      } catch (thrown) {
        throwIfAborted(signal);
        if (partial.size - before >= WORTH) {
          attempt = 1;
        }
        if (attempt === TRIES || !(thrown instanceof StudioError) || thrown.code !== 'hub/unreachable') {
          throw thrown;
        }
        await sleep(500 * 2 ** attempt, undefined, { signal }).catch(() => throwIfAborted(signal));
      }
    }
    await partial.check(file, signal);
    await partial.moveTo(target);
  } finally {
    await partial.close();
  }
}

async function fetchRest(download: HubDownload, partial: IncompleteFile): Promise<void> {
  const { file, signal, idle: limit = IDLE } = download;
  if (partial.size === file.bytes && partial.size > 0) {
    download.onBytes(partial.size);
    return;
  }
  const idle = new AbortController();
  const timer = setTimeout(() => idle.abort(new Error(`nothing came for ${limit / 1000} s`)), limit);
  try {
    const response = await request(download, partial.size, AbortSignal.any([signal, idle.signal]));
    if (partial.size > 0 && response.status !== 206) {
      // The server sends all of it: what was there is thrown away.
      await partial.clear();
    }
    download.onBytes(partial.size);
    for await (const chunk of bodyOf(response)) {
      timer.refresh();
      if (partial.size + chunk.length > file.bytes) {
        throw new StudioError(
          'hub/checksum',
          `${file.path} is longer on the hub than its listing says. It was changed while it was fetched: run the command again.`,
          { path: partial.path },
        );
      }
      await partial.append(chunk);
      download.onBytes(partial.size);
    }
  } catch (thrown) {
    throwIfAborted(signal);
    throw unreachable(download.url, thrown);
  } finally {
    clearTimeout(timer);
  }
  if (partial.size < file.bytes) {
    throw unreachable(download.url, new Error(`the connection ended after ${partial.size} of ${file.bytes} bytes`));
  }
}

async function request({ connection, url, file }: HubDownload, from: number, signal: AbortSignal): Promise<Response> {
  const response = await connection.get(url, {
    headers: { 'accept-encoding': 'identity', ...(from > 0 ? { range: `bytes=${from}-` } : {}) },
    signal,
  });
  const range = response.headers.get('content-range') ?? '';
  if (response.status === 206 && !range.startsWith(`bytes ${from}-`)) {
    await response.body?.cancel().catch(() => undefined);
    throw hubProtocol(connection.url, `it sends another part of ${file.path} than it was asked for`);
  }
  if (response.ok) {
    return response;
  }
  await response.body?.cancel().catch(() => undefined);
  if (response.status >= 500 || response.status === 429) {
    throw unreachable(url, new Error(`the hub answers ${response.status}`));
  }
  throw new StudioError(
    'hub/refused',
    `The hub does not give ${file.path} (${response.status}). Look at the model's page whether you may fetch it, and log in with \`hf auth login\` or HF_TOKEN.`,
    { detail: { status: response.status } },
  );
}

async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    for (let step = await reader?.read(); step?.done === false; step = await reader?.read()) {
      yield step.value;
    }
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
}
