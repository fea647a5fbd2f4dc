import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, stat, unlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { StudioError, throwIfAborted } from '../../core/errors';
import type { HubFile } from '../../core/formats/huggingface/hubFiles';
import { writeError } from '../files/systemError';

export interface HubDownload {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly file: HubFile;
  /** Where the whole, checked file is put. */
  readonly target: string;
  readonly signal: AbortSignal;
  /** Bytes of this file that are there, whenever some were added (or thrown away). */
  readonly onBytes: (bytes: number) => void;
}

/** A connection that gives nothing for so long is given up and taken anew. */
const IDLE = 30_000;
const TRIES = 5;

/**
 * Fetches one file: a part that an earlier run left is continued, a broken connection is taken up again, and what arrives is held
 * against the hub's checksum before it gets its name.
 * @throws StudioError hub/…, disk/full, run/cancelled
 */
export async function downloadHubFile(download: HubDownload): Promise<void> {
  const { file, target, signal } = download;
  const partial = `${target}.incomplete`;
  for (let attempt = 1; ; attempt++) {
    try {
      await fetchRest(download, partial);
      break;
    } catch (thrown) {
      throwIfAborted(signal);
      if (attempt === TRIES || (thrown instanceof StudioError && thrown.code !== 'hub/unreachable')) {
        throw thrown;
      }
      await sleep(500 * 2 ** attempt, undefined, { signal }).catch(() => throwIfAborted(signal));
    }
  }
  await checkContent(partial, file, signal);
  await rename(partial, target).catch((cause: unknown) => {
    throw writeError(cause, target);
  });
}

async function fetchRest(download: HubDownload, partial: string): Promise<void> {
  const { file, signal } = download;
  let there = await stat(partial).then(
    ({ size }) => size,
    () => 0,
  );
  if (there > file.bytes) {
    await unlink(partial);
    there = 0;
  }
  if (there === file.bytes && there > 0) {
    download.onBytes(there);
    return;
  }
  const idle = new AbortController();
  let timer = setTimeout(() => idle.abort(), IDLE);
  const alive = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => idle.abort(), IDLE);
  };
  const handle = await open(partial, 'a').catch((cause: unknown) => {
    throw writeError(cause, partial);
  });
  try {
    const response = await request(download, there, AbortSignal.any([signal, idle.signal]));
    if (there > 0 && response.status !== 206) {
      // The server sends all of it: what was there is thrown away.
      await handle.truncate(0);
      there = 0;
    }
    download.onBytes(there);
    for await (const chunk of bodyOf(response)) {
      alive();
      if (there + chunk.length > file.bytes) {
        throw new StudioError(
          'hub/checksum',
          `${file.path} is longer on the hub than its listing says. It was changed while it was fetched: run the command again.`,
          { path: partial },
        );
      }
      await handle.write(chunk).catch((cause: unknown) => {
        throw writeError(cause, partial);
      });
      there += chunk.length;
      download.onBytes(there);
    }
  } catch (thrown) {
    throwIfAborted(signal);
    throw thrown instanceof StudioError ? thrown : unreachable(download.url, thrown);
  } finally {
    clearTimeout(timer);
    await handle.close();
  }
  if (there < file.bytes) {
    throw unreachable(download.url, new Error(`the connection ended after ${there} of ${file.bytes} bytes`));
  }
}

async function request({ url, headers, file }: HubDownload, from: number, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, {
    headers: { ...headers, ...(from > 0 ? { range: `bytes=${from}-` } : {}) },
    signal,
  });
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

/** Where nothing of the hub can be had, with the reason and what to do. */
export function unreachable(url: string, cause: unknown): StudioError {
  const reason =
    cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : String(cause);
  return new StudioError(
    'hub/unreachable',
    `${new URL(url).host} cannot be reached: ${reason}. Check the connection (and HTTPS_PROXY or HF_ENDPOINT where you need them); what was fetched is kept, and the same command goes on from there.`,
    { cause },
  );
}

/** SHA-256 of large files, git's SHA-1 of small ones. A file that is not what the hub promised is thrown away. */
async function checkContent(
  path: string,
  { path: name, bytes, sha256, gitOid }: HubFile,
  signal: AbortSignal,
): Promise<void> {
  const hash: Hash = sha256 === undefined ? createHash('sha1').update(`blob ${bytes}\0`) : createHash('sha256');
  for await (const chunk of createReadStream(path)) {
    throwIfAborted(signal);
    hash.update(chunk as Uint8Array);
  }
  const expected = sha256 ?? gitOid;
  const found = hash.digest('hex');
  if (expected !== undefined && found !== expected) {
    await unlink(path).catch(() => undefined);
    throw new StudioError(
      'hub/checksum',
      `${name} arrived damaged: its checksum is ${found.slice(0, 12)}…, and the hub says ${expected.slice(0, 12)}…. It was thrown away: run the command again.`,
      { path, detail: { expected, found } },
    );
  }
}
