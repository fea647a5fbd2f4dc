import { join } from 'node:path';
import { StudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { chooseHubFiles, type HubFile, type HubKind, parseHubReference } from '../../core/formats/huggingface/hubFiles';
import type { EngineEvent } from '../../core/progress';
import { requireSpace } from '../files/freeSpace';
import { RateMeter } from '../files/rateMeter';
import { acquireLock, type OutputLock } from '../output/outputLock';
import { type HubConnection, hubProtocol, openHubConnection } from './hubConnection';
import { downloadHubFile } from './hubDownload';
import { listHub } from './hubListing';
import { hubRepositoryFolder } from './hubSettings';
import { CacheStore, FolderStore, type HubStore } from './hubStore';

export interface HubRequest {
  /** `ORG/NAME`, or with `@REVISION`. */
  readonly reference: string;
  readonly kind: HubKind;
  /** A plain folder to write; the Hugging Face cache without it. */
  readonly out?: string | undefined;
  /** From a secret store; else the environment and `hf auth login` are looked at. */
  readonly token?: string | undefined;
  readonly signal: AbortSignal;
}

/** What a fetch would bring, and where to. */
export interface HubPlan {
  readonly repository: string;
  readonly revision: string;
  readonly commit: string;
  readonly files: readonly HubFile[];
  readonly bytes: number;
  /** The folder that then holds the model. */
  readonly folder: string;
  readonly request: HubRequest;
}

export interface HubReport {
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
  /** Bytes that were there already. */
  readonly kept: number;
}

/**
 * Asks the hub what a repository holds and chooses what is needed; nothing is written.
 * @throws StudioError hub/name, hub/not-found, hub/gated, hub/unreachable, hub/not-usable, hub/address
 */
export async function planHubFetch(request: HubRequest): Promise<HubPlan> {
  const parsed = parseHubReference(request.reference);
  if (parsed === undefined) {
    throw new StudioError(
      'hub/name',
      `${escapeControls(request.reference)} is no name of a repository on the hub. Write it as ORG/NAME, or ORG/NAME@REVISION.`,
    );
  }
  const { repository, revision = 'main' } = parsed;
  const connection = await openHubConnection(request.token);
  const { commit, files } = await listHub(connection, repository, revision, request.signal).finally(() =>
    connection.close(),
  );
  const chosen = chooseHubFiles(repository, request.kind, files);
  const bytes = chosen.reduce((sum, file) => sum + file.bytes, 0);
  if (!Number.isSafeInteger(bytes)) {
    throw hubProtocol(connection.url, `the sizes of the files of ${repository} cannot be`);
  }
  return {
    repository,
    revision,
    commit,
    files: chosen,
    bytes,
    folder: request.out ?? join(hubRepositoryFolder(repository), 'snapshots', commit),
    request,
  };
}

/**
 * Fetches what was planned, file by file, each under its name only when it is whole and its checksum is right. What an earlier run
 * brought is kept.
 * @throws StudioError hub/…, disk/full, output/…, run/cancelled
 */
export async function* fetchFromHub(plan: HubPlan): AsyncGenerator<EngineEvent, HubReport> {
  const { request } = plan;
  const store =
    request.out === undefined
      ? new CacheStore(hubRepositoryFolder(plan.repository), plan.revision, plan.commit)
      : new FolderStore(request.out);
  const lock = await lockFor(plan, await store.lockPath());
  const connection = await openHubConnection(request.token).catch(async (thrown: unknown) => {
    await lock.release();
    throw thrown;
  });
  try {
    return yield* fetchMissing(plan, store, connection);
  } finally {
    await connection.close();
    await lock.release();
  }
}

/** One fetch at a time into one place: two would write one another's files. */
async function lockFor({ repository }: HubPlan, path: string): Promise<OutputLock> {
  return await acquireLock(path).catch((thrown: unknown) => {
    if (!(thrown instanceof StudioError) || thrown.code !== 'output/busy') {
      throw thrown;
    }
    const pid = (thrown.detail as { readonly pid?: number } | undefined)?.pid;
    throw new StudioError(
      'output/busy',
      `Another run${pid === undefined ? '' : ` (process ${pid})`} fetches ${repository} or writes the same folder. Wait until it ends and run the command again: what is there then is kept.`,
      { path, cause: thrown, detail: { lock: `${path}.lock`, ...(pid === undefined ? {} : { pid }) } },
    );
  });
}

async function* fetchMissing(
  plan: HubPlan,
  store: HubStore,
  connection: HubConnection,
): AsyncGenerator<EngineEvent, HubReport> {
  const { request } = plan;
  const missing: HubFile[] = [];
  for (const file of plan.files) {
    yield { event: 'phase', phase: 'checking', detail: file.path };
    if (!(await store.has(file, request.signal))) {
      missing.push(file);
    }
  }
  const needed = missing.reduce((sum, file) => sum + file.bytes, 0);
  await requireSpace(join(plan.folder, 'x'), needed);
  let done = plan.bytes - needed;
  const meter = new RateMeter(done);
  for (const [index, file] of missing.entries()) {
    const target = await store.target(file);
    const queue = new Latest();
    const ending = new AbortController();
    const finished = downloadHubFile({
      connection,
      url: `${connection.url}/${plan.repository}/resolve/${plan.commit}/${encodeURIComponent(file.path)}`,
      file,
      target,
      signal: AbortSignal.any([request.signal, ending.signal]),
      onBytes: (bytes) => queue.put(bytes),
    }).finally(() => queue.end());
    // Read below; until then it must not count as unhandled.
    finished.catch(() => undefined);
    try {
      for await (const bytes of queue.values()) {
        const { rate, secondsLeft } = meter.measure(done + bytes, plan.bytes);
        yield {
          event: 'progress',
          bytesDone: done + bytes,
          bytesTotal: plan.bytes,
          tensorsDone: plan.files.length - missing.length + index,
          tensorsTotal: plan.files.length,
          tensor: file.path,
          rate,
          ...(secondsLeft === undefined ? {} : { secondsLeft }),
        };
      }
    } finally {
      // Whoever stops to listen ends the download before the lock is given back.
      ending.abort();
      await finished.catch(() => undefined);
    }
    await finished;
    await store.keep(file);
    done += file.bytes;
  }
  await store.finish();
  return { folder: plan.folder, files: plan.files.length, bytes: plan.bytes, kept: plan.bytes - needed };
}

/** Hands the newest number from a callback to a loop; numbers that nobody fetched in time are dropped. */
class Latest {
  #value: number | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  put(value: number): void {
    this.#value = value;
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *values(): AsyncGenerator<number> {
    for (;;) {
      if (this.#value !== undefined) {
        const value = this.#value;
        this.#value = undefined;
        yield value;
      } else if (this.#ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
