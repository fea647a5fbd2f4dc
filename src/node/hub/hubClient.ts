import { HubApiError, listFiles, modelInfo } from '@huggingface/hub';
import { mkdir, readlink, rename, rm, stat, symlink, writeFile, copyFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { StudioError, throwIfAborted } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { chooseHubFiles, type HubFile, type HubKind, parseHubReference } from '../../core/formats/huggingface/hubFiles';
import type { EngineEvent } from '../../core/progress';
import { requireSpace } from '../files/freeSpace';
import { downloadHubFile, unreachable } from './hubDownload';
import { hubAddress, hubRepositoryFolder, hubToken } from './hubSettings';
import { RateMeter } from '../files/rateMeter';
import { writeError } from '../files/systemError';

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

/** No repository of one model has more files than this. */
const MAX_FILES = 10_000;

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
  const common = await connection(request);
  const files: HubFile[] = [];
  let commit: string;
  try {
    commit = (await modelInfo({ name: repository, revision, additionalFields: ['sha'], ...common })).sha;
    for await (const entry of listFiles({
      repo: { type: 'model', name: repository },
      revision: commit,
      recursive: true,
      ...common,
    })) {
      if (entry.type === 'file') {
        files.push({
          path: entry.path,
          bytes: entry.size,
          sha256: entry.lfs?.oid,
          gitOid: entry.lfs === undefined ? entry.oid : undefined,
        });
      }
      if (files.length > MAX_FILES) {
        throw new StudioError(
          'hub/not-usable',
          `${repository} has more than ${MAX_FILES} files and is no single model. Fetch the folder that you need with the hub's own tool.`,
        );
      }
    }
  } catch (thrown) {
    throwIfAborted(request.signal);
    throw hubError(thrown, repository, revision, common.hubUrl, common.accessToken !== undefined);
  }
  if (!/^[0-9a-f]{40}$/.test(commit)) {
    throw new StudioError(
      'hub/protocol',
      `What answers at ${common.hubUrl} does not speak as the hub does. Check HF_ENDPOINT.`,
    );
  }
  const chosen = chooseHubFiles(repository, request.kind, files);
  return {
    repository,
    revision,
    commit,
    files: chosen,
    bytes: chosen.reduce((sum, file) => sum + file.bytes, 0),
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
  const { hubUrl, accessToken } = await connection(request);
  const store = request.out === undefined ? new CacheStore(plan) : new FolderStore(request.out);
  const missing: HubFile[] = [];
  for (const file of plan.files) {
    if (!(await store.has(file))) {
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
    const finished = downloadHubFile({
      url: `${hubUrl}/${plan.repository}/resolve/${plan.commit}/${encodeURIComponent(file.path)}`,
      headers: accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` },
      file,
      target,
      signal: request.signal,
      onBytes: (bytes) => queue.put(bytes),
    }).finally(() => queue.end());
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
    await finished;
    await store.keep(file);
    done += file.bytes;
  }
  await store.finish();
  return { folder: plan.folder, files: plan.files.length, bytes: plan.bytes, kept: plan.bytes - needed };
}

interface Connection {
  readonly hubUrl: string;
  readonly accessToken?: string;
  readonly fetch: typeof fetch;
}

/** The address, the token, and a fetch that can be cancelled and gives the token to nobody but the hub. */
async function connection({ token, signal }: HubRequest): Promise<Connection> {
  const hubUrl = hubAddress();
  const accessToken = token ?? (await hubToken());
  const { origin } = new URL(hubUrl);
  const guarded: typeof fetch = (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    if (url.origin !== origin) {
      headers.delete('authorization');
    }
    return fetch(url, { ...init, headers, signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]) });
  };
  return { hubUrl, fetch: guarded, ...(accessToken === undefined ? {} : { accessToken }) };
}

function hubError(thrown: unknown, repository: string, revision: string, url: string, hasToken: boolean): StudioError {
  if (thrown instanceof StudioError) {
    return thrown;
  }
  if (!(thrown instanceof HubApiError)) {
    return thrown instanceof SyntaxError
      ? new StudioError('hub/protocol', `What answers at ${url} does not speak as the hub does. Check HF_ENDPOINT.`, {
          cause: thrown,
        })
      : unreachable(url, thrown);
  }
  const login = hasToken
    ? 'with the account of your token'
    : 'after logging in (`hf auth login`, or a token in HF_TOKEN)';
  const detail = { status: thrown.statusCode };
  if (thrown.statusCode === 403 || (thrown.statusCode === 401 && /gated|restricted|access/i.test(thrown.message))) {
    return new StudioError(
      'hub/gated',
      `${repository} is gated: its owners want their terms accepted first. Open ${url}/${repository}, accept them ${login}, and run the command again.`,
      { detail, cause: thrown },
    );
  }
  if (thrown.statusCode === 404 || thrown.statusCode === 401) {
    return new StudioError(
      'hub/not-found',
      `The hub has no ${repository}${revision === 'main' ? '' : ` at ${revision}`}, or does not show it to you${hasToken ? '' : ': a private one needs a token (`hf auth login`, or HF_TOKEN)'}. Check the name${revision === 'main' ? '' : ' and the revision'}.`,
      { detail, cause: thrown },
    );
  }
  if (thrown.statusCode >= 500 || thrown.statusCode === 429) {
    return unreachable(url, new Error(`it answers ${thrown.statusCode}`));
  }
  return new StudioError(
    'hub/refused',
    `The hub refuses ${repository} (${thrown.statusCode}). Look at ${url}/${repository} whether you may fetch it.`,
    { detail, cause: thrown },
  );
}

/** The cache of huggingface_hub: content by its checksum, snapshots of links, and the commit that a name stands for. */
class CacheStore {
  private readonly folder: string;

  constructor(private readonly plan: HubPlan) {
    this.folder = hubRepositoryFolder(plan.repository);
  }

  async has(file: HubFile): Promise<boolean> {
    if (await isWhole(join(this.plan.folder, file.path), file)) {
      return true;
    }
    if (await isWhole(this.blob(file), file)) {
      await this.keep(file);
      return true;
    }
    return false;
  }

  async target(file: HubFile): Promise<string> {
    return await inFolder(this.blob(file));
  }

  /** Links the snapshot's name to the content; where links are not allowed (Windows), the content itself is put there. */
  async keep(file: HubFile): Promise<void> {
    const link = await inFolder(join(this.plan.folder, file.path));
    const blob = this.blob(file);
    const to = relative(dirname(link), blob);
    if ((await readlink(link).catch(() => undefined)) === to) {
      return;
    }
    await rm(link, { force: true });
    await symlink(to, link).catch(async () => {
      await rename(blob, link).catch(async () => copyFile(blob, link));
    });
  }

  async finish(): Promise<void> {
    const { revision, commit } = this.plan;
    if (revision !== commit) {
      await writeFile(await inFolder(join(this.folder, 'refs', ...revision.split('/'))), commit);
    }
  }

  private blob(file: HubFile): string {
    return join(this.folder, 'blobs', file.sha256 ?? file.gitOid ?? file.path);
  }
}

/** A plain folder. */
class FolderStore {
  constructor(private readonly folder: string) {}

  async has(file: HubFile): Promise<boolean> {
    return await isWhole(join(this.folder, file.path), file);
  }

  async target(file: HubFile): Promise<string> {
    const path = await inFolder(join(this.folder, file.path));
    if ((await stat(path).catch(() => undefined)) !== undefined) {
      throw new StudioError(
        'output/exists',
        `${path} is there already and is not the file on the hub. Choose an empty folder with --out, or remove it.`,
        { path },
      );
    }
    return path;
  }

  async keep(): Promise<void> {
    // Downloaded where it belongs.
  }

  async finish(): Promise<void> {
    // Nothing but the files.
  }
}

/** Whether a file is there in full; its content was checked when it got its name. */
async function isWhole(path: string, { bytes }: HubFile): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isFile() && stats.size === bytes,
    () => false,
  );
}

async function inFolder(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true }).catch((cause: unknown) => {
    throw writeError(cause, dirname(path));
  });
  return path;
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
