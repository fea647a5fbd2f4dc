import { HubApiError, listFiles, modelInfo } from '@huggingface/hub';
import * as z from 'zod';
import { StudioError, throwIfAborted } from '../../core/errors';
import { hubEntrySchema, type HubEntry } from '../../core/formats/huggingface/hubFiles';
import { type HubConnection, hubProtocol, unreachable } from './hubConnection';

/** What the hub says that one revision of a repository holds. */
export interface HubListing {
  /** 40 hex digits. */
  readonly commit: string;
  readonly files: readonly HubEntry[];
}

const LIMITS = {
  /** No repository of one model has more files. */
  files: 10_000,
  /** Files and folders. */
  entries: 50_000,
  /** The hub sends a thousand entries a page. */
  pages: 100,
  /** Of one answer: a page with all that is known of a thousand files is below 1 MB. */
  bytes: 16 * 1024 * 1024,
  /** Milliseconds for one answer, and for all of them. */
  answer: 30_000,
  total: 180_000,
};

const infoSchema = z.looseObject({ sha: z.string().regex(/^[0-9a-f]{40}$/) });
const pageSchema = z.array(hubEntrySchema);

/**
 * Asks what a revision holds. Every answer is bounded and read through a schema before the hub's own library sees it; a page that
 * brings nothing new, or that is promised elsewhere, ends the listing.
 * @throws StudioError hub/protocol, hub/not-usable, hub/not-found, hub/gated, hub/refused, hub/unreachable, run/cancelled
 */
export async function listHub(
  connection: HubConnection,
  repository: string,
  revision: string,
  signal: AbortSignal,
): Promise<HubListing> {
  const seen = new Set<string>();
  const total = AbortSignal.timeout(LIMITS.total);
  let pages = 0;
  const checked: typeof fetch = async (input) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (url.origin !== new URL(connection.url).origin) {
      throw hubProtocol(connection.url, 'the next page of its listing is promised at another address');
    }
    const isPage = url.pathname.includes('/tree/');
    if (isPage && ++pages > LIMITS.pages) {
      throw hubProtocol(connection.url, `its listing does not end after ${LIMITS.pages} pages`);
    }
    const response = await connection.get(url.href, {
      signal: AbortSignal.any([signal, total, AbortSignal.timeout(LIMITS.answer)]),
      headers: { accept: 'application/json' },
    });
    const text = await boundedText(connection, response.body);
    const link = response.headers.get('link');
    const headers = {
      'content-type': response.headers.get('content-type') ?? '',
      ...(link === null ? {} : { link }),
    };
    if (!response.ok) {
      return new Response(errorText(text), { status: response.status, headers });
    }
    const answer = (isPage ? pageSchema : infoSchema).safeParse(JSON.parse(text));
    if (!answer.success) {
      throw hubProtocol(connection.url, `its answer for ${isPage ? 'the files' : 'the model'} has another form`);
    }
    if (isPage) {
      countNew(connection, answer.data as z.infer<typeof pageSchema>, seen, link !== null);
    }
    return new Response(JSON.stringify(answer.data), { status: response.status, headers });
  };
  const files: HubEntry[] = [];
  try {
    const common = { hubUrl: connection.url, fetch: checked };
    const { sha } = await modelInfo({ name: repository, revision, additionalFields: ['sha'], ...common });
    const repo = { type: 'model', name: repository } as const;
    for await (const entry of listFiles({ repo, revision: sha, recursive: true, ...common })) {
      if (entry.type === 'file') {
        files.push(entry as unknown as HubEntry);
      }
      if (files.length > LIMITS.files) {
        throw new StudioError(
          'hub/not-usable',
          `${repository} has more than ${LIMITS.files} files and is no single model. Fetch the folder that you need with the hub's own tool.`,
        );
      }
    }
    return { commit: sha, files };
  } catch (thrown) {
    throwIfAborted(signal);
    throw hubError(thrown, repository, revision, connection);
  }
}

/** @throws StudioError hub/protocol for a page that brings nothing, or what was there already */
function countNew(connection: HubConnection, entries: readonly HubEntry[], seen: Set<string>, goesOn: boolean): void {
  if (entries.length === 0 && goesOn) {
    throw hubProtocol(connection.url, 'a page of its listing brings nothing and promises another');
  }
  for (const { path } of entries) {
    if (seen.has(path)) {
      throw hubProtocol(connection.url, 'its listing names a file twice');
    }
    seen.add(path);
  }
  if (seen.size > LIMITS.entries) {
    throw hubProtocol(connection.url, `its listing has more than ${LIMITS.entries} entries`);
  }
}

async function boundedText(connection: HubConnection, body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > LIMITS.bytes) {
      throw hubProtocol(connection.url, `an answer has more than ${LIMITS.bytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The words of a refusal, in a form that the library reads without stumbling. */
function errorText(text: string): string {
  const words = z.looseObject({ error: z.string() }).safeParse(parseOrUndefined(text));
  return JSON.stringify({ error: words.success ? words.data.error.slice(0, 1000) : '' });
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function hubError(thrown: unknown, repository: string, revision: string, connection: HubConnection): StudioError {
  const { url, hasToken } = connection;
  if (thrown instanceof StudioError) {
    return thrown;
  }
  if (!(thrown instanceof HubApiError)) {
    return thrown instanceof SyntaxError ? hubProtocol(url, 'its answer is no JSON', thrown) : unreachable(url, thrown);
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
