import { append } from '../append';
import type { ModelfileCommand } from './modelfileTypes';
import { readParameter, type ParameterValue } from './parameterValue';
import { requiresVersion } from '../golang/semver';

/** Ollama's `api.CreateRequest`, as far as a Modelfile fills it. Absent fields are not in its JSON either. */
export interface CreateRequest {
  from?: string;
  /** Absolute path to `sha256:…`. */
  files?: Map<string, string>;
  draftFiles?: Map<string, string>;
  adapters?: Map<string, string>;
  template?: string;
  license?: string[];
  system?: string;
  parameters?: Map<string, ParameterValue>;
  messages?: { readonly role: string; readonly content: string }[];
  renderer?: string;
  parser?: string;
  requires?: string;
}

/** A file or folder on this machine. */
export interface LocalPath {
  /** Absolute, as Ollama prints it. */
  readonly path: string;
  /** With every link followed. */
  readonly canonicalPath: string;
}

/** The files behind a FROM, DRAFT or ADAPTER path, as Ollama's command line collects them. */
export type LocalFiles =
  | {
      readonly status: 'files';
      /** One, or all that a pattern matches, in order. */
      readonly paths: readonly LocalPath[];
      readonly digests: ReadonlyMap<string, string>;
    }
  /** Nothing is there; `error` is what Go's `os.Stat` says. */
  | { readonly status: 'absent'; readonly error: string }
  | { readonly status: 'failed'; readonly error: string };

/**
 * Resolves the paths of a Modelfile. The pure core gets it from `src/node`.
 * @param mayBePattern FROM and DRAFT, which later versions of Ollama take for patterns; never ADAPTER
 */
export type LocalFileResolver = (path: string, mayBePattern: boolean) => Promise<LocalFiles>;

export type CreateRequestResult =
  { readonly ok: true; readonly request: CreateRequest } | { readonly ok: false; readonly error: string };

type Found = Extract<LocalFiles, { status: 'files' }>;

/** Stops the building of a request with an error in Go's words. */
class RequestError extends Error {}

/**
 * What `CreateRequest` of Ollama's parser makes of the commands, with its first error in its own words. Marshalling
 * may still fail: see `marshalCreateRequest`.
 */
export async function toCreateRequest(
  commands: readonly ModelfileCommand[],
  resolve: LocalFileResolver,
): Promise<CreateRequestResult> {
  const builder = new RequestBuilder(resolve);
  try {
    for (const command of commands) {
      await builder.add(command);
    }
  } catch (thrown) {
    if (thrown instanceof RequestError) {
      return { ok: false, error: thrown.message };
    }
    throw thrown;
  }
  return { ok: true, request: builder.request };
}

class RequestBuilder {
  readonly request: CreateRequest = {};
  /** Canonical paths. */
  private readonly models = new Set<string>();
  private readonly drafts = new Set<string>();
  private readonly found = new Map<string, LocalFiles>();
  private readonly lists = new Map<string, string[]>();

  constructor(private readonly resolve: LocalFileResolver) {}

  async add({ name, args }: ModelfileCommand): Promise<void> {
    const { request } = this;
    switch (name) {
      case 'model':
        return this.model(args);
      case 'draft': {
        const draft = await this.required(args, true);
        rejectSame(draft, this.models);
        draft.paths.forEach(({ canonicalPath }) => this.drafts.add(canonicalPath));
        addAll((request.draftFiles ??= new Map()), draft.digests);
        return;
      }
      case 'adapter':
        request.adapters = new Map((await this.required(args, false)).digests);
        return;
      case 'template':
      case 'system':
      case 'renderer':
      case 'parser':
        request[name] = args;
        return;
      case 'license':
        (request.license ??= []).push(args);
        return;
      case 'requires':
        request.requires = requires(args);
        return;
      case 'message': {
        const cut = args.indexOf(': ');
        const [role, content] = cut < 0 ? [args, ''] : [args.slice(0, cut), args.slice(cut + 2)];
        (request.messages ??= []).push({ role, content });
        return;
      }
      default:
        this.parameter(name, args);
    }
  }

  private async model(args: string): Promise<void> {
    const found = await this.find(args, true);
    if (found.status === 'absent') {
      this.request.from = args;
      return;
    }
    if (found.status === 'failed') {
      throw new RequestError(found.error);
    }
    rejectSame(found, this.drafts);
    found.paths.forEach(({ canonicalPath }) => this.models.add(canonicalPath));
    addAll((this.request.files ??= new Map()), found.digests);
  }

  /** A path that is named again is not read again. */
  private async find(path: string, mayBePattern: boolean): Promise<LocalFiles> {
    const key = `${mayBePattern ? 'FROM' : 'ADAPTER'} ${path}`;
    const known = this.found.get(key);
    if (known !== undefined) {
      return known;
    }
    const found = await this.resolve(path, mayBePattern);
    this.found.set(key, found);
    return found;
  }

  private async required(args: string, mayBePattern: boolean): Promise<Found> {
    const found = await this.find(args, mayBePattern);
    if (found.status !== 'files') {
      throw new RequestError(found.error);
    }
    return found;
  }

  private parameter(name: string, args: string): void {
    const result = readParameter(name, args);
    if (result.kind === 'error') {
      throw new RequestError(result.error);
    }
    if (result.kind === 'value') {
      const { value } = result;
      (this.request.parameters ??= new Map()).set(
        name,
        value.type === 'strings' ? { type: 'strings', value: this.list(name, value.value) } : value,
      );
    }
  }

  /** Of a parameter that may be repeated all values so far, these included. */
  private list(name: string, values: readonly string[]): readonly string[] {
    const list = this.lists.get(name) ?? [];
    append(list, values);
    this.lists.set(name, list);
    return list;
  }
}

function addAll(target: Map<string, string>, digests: ReadonlyMap<string, string>): void {
  for (const [path, digest] of digests) {
    target.set(path, digest);
  }
}

function rejectSame(found: Found, others: ReadonlySet<string>): void {
  const same = found.paths.find(({ canonicalPath }) => others.has(canonicalPath));
  if (same !== undefined) {
    throw new RequestError(`DRAFT must not reference the same local path as FROM: ${same.path}`);
  }
}

function requires(args: string): string {
  const version = requiresVersion(args);
  if (version === undefined) {
    throw new RequestError('requires must be a valid semver (e.g. 0.14.0)');
  }
  return version;
}
