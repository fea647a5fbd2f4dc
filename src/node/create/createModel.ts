import { append } from '../../core/append';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { StudioError, throwIfAborted, toStudioError } from '../../core/errors';
import type { FileTypeName } from '../../core/engine/fileTypes';
import { formatBytes, formatSeconds } from '../../core/formatBytes';
import { toCreateRequest } from '../../core/modelfile/createRequest';
import type { Diagnostic } from '../../core/modelfile/diagnostic';
import { lintModelfile } from '../../core/modelfile/lintModelfile';
import type { ParsedModelfile } from '../../core/modelfile/modelfileTypes';
import { parseModelfile } from '../../core/modelfile/parseModelfile';
import { compareVersions } from '../../core/golang/semver';
import { createBody } from '../../core/modelfile/createBody';
import { createNames, type CreateNames } from '../../core/ollama/createNames';
import { ModelfileLines } from '../../core/modelfile/modelfileLines';
import { parseModelName } from '../../core/ollama/modelName';
import type { OllamaState } from '../../core/ollama/ollamaModels';
import type { EngineEvent } from '../../core/progress';
import { askForProof } from './createProof';
import { planCreate } from './createPlan';
import type { CreatePlan, CreateRoute } from './createPlanTypes';
import { findModel, readServer, requireFreeName, type CreateServer } from './createServer';
import { CreateFiles } from './createFiles';
import { digestOf, makeNamed } from './makeNamed';
import { preparePartBuild, type PartBuild } from './partBuild';
import type { OllamaClient } from '../ollama/ollamaClient';
import { factsForFile } from '../modelfile/workspaceFacts';

export interface CreateModelRequest {
  /** `rugby`, `me/rugby:q4` */
  readonly name: string;
  /** The Modelfile's bytes. */
  readonly modelfile: Uint8Array;
  /** Its path as the user gave it: for messages, and its folder for what it names. */
  readonly path: string;
  /** Replace a model of that name; the old one is kept as `NAME:previous`. */
  readonly force: boolean;
  readonly quantize?: FileTypeName | undefined;
  /** A GGUF that is quantised already may be quantised again, though no adapter changes it. */
  readonly allowRequantize?: boolean | undefined;
  /** Where GGUF files that are made for this stay; undefined removes them. */
  readonly keepIn?: string | undefined;
}

export interface CreateModelOptions {
  readonly client: OllamaClient;
  readonly signal: AbortSignal;
  readonly workers: number;
  readonly workerScript: string;
}

export interface CreatedModel {
  readonly name: string;
  /** `sha256:…` of its manifest. */
  readonly digest: string;
  /** The Modelfile that it was made of. */
  readonly modelfile: string;
  readonly route: CreateRoute;
  /** What the model said; undefined where it could not be asked, with the reason among the warnings. */
  readonly answer: string | undefined;
  /** The name under which the model stands that had this name before. */
  readonly previous: string | undefined;
  readonly uploadedBytes: number;
  readonly seconds: number;
  /** Files that were made and stay. */
  readonly kept: readonly string[];
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

/** Bytes a second of a connection of 100 Mbit/s, for a first estimate. */
const USUAL_RATE = 12_500_000;

/** What was decided before anything is written, pulled or uploaded. */
export interface PreparedModel {
  readonly request: CreateModelRequest;
  readonly names: CreateNames;
  readonly parsed: ParsedModelfile;
  readonly lines: ModelfileLines;
  readonly server: CreateServer;
  /** A model of that name is replaced. */
  readonly exists: boolean;
  readonly plan: CreatePlan;
  /** What is built here, by the keys of the plan's parts. */
  readonly builds: ReadonlyMap<string, PartBuild>;
}

/**
 * Makes a model in Ollama of a Modelfile, as `ollama create` does, and where that fails: folders of models, any quantisation type, adapters
 * of every kind, fused into whatever base. The name is given last: until then nothing of that
 * name changes, and a failed or cancelled run takes back what it made.
 * @throws StudioError modelfile/…, ollama/…, and what files and engine say, with the line of the Modelfile
 */
export async function* createModel(
  request: CreateModelRequest,
  options: CreateModelOptions,
): AsyncGenerator<EngineEvent, CreatedModel> {
  yield { event: 'phase', phase: 'checking' };
  return yield* createPrepared(await prepareCreateModel(request, options), options);
}

/**
 * Checks a Modelfile and plans everything that is to be done for it; nothing is written and the server is only asked.
 * @throws StudioError modelfile/…, ollama/…, and what reading the inputs throws, with the line of the Modelfile
 */
export async function prepareCreateModel(
  request: CreateModelRequest,
  { client, signal }: CreateModelOptions,
): Promise<PreparedModel> {
  const names = createNames(request.name);
  const parsed = parseModelfile(request.modelfile);
  const lines = new ModelfileLines(parsed, request.path);
  requireParsed(parsed, lines);
  const server = await readServer(client, signal).catch((thrown: unknown) => toStudioError(thrown));
  throwIfAborted(signal);
  await requireSound(parsed, lines, {
    signal,
    ollamaVersion: server instanceof StudioError ? undefined : server.version,
  });
  if (server instanceof StudioError) {
    throw server;
  }
  const exists = await requireFreeName(server, names, { force: request.force, host: client.address.host, signal });
  const planned = await planParts(request, { client, parsed, lines, server, signal, isPulled: false });
  return { request, names, parsed, lines, server, exists, ...planned };
}

/** The plan, and of what is built here the plans of the builds. */
async function planParts(
  request: CreateModelRequest,
  {
    client,
    parsed,
    lines,
    server,
    signal,
    isPulled,
  }: Pick<PreparedModel, 'parsed' | 'lines' | 'server'> &
    Pick<CreateModelOptions, 'client' | 'signal'> & { readonly isPulled: boolean },
): Promise<Pick<PreparedModel, 'plan' | 'builds'>> {
  const models = parsed.instructions.some(({ command }) => command?.name === 'model')
    ? await server.models(signal)
    : [];
  const plan = await planCreate(parsed, lines, dirname(request.path), {
    fileType: request.quantize,
    ollamaVersion: server.version,
    // What was just pulled is there, whatever the list said before.
    server: { client, find: (name) => findModel(models, name) ?? (isPulled ? {} : undefined) },
    signal,
  });
  const builds = new Map<string, PartBuild>();
  for (const [key, part] of plan.parts) {
    if (part.kind === 'build') {
      const output = join(tmpdir(), `modelfile-studio-${randomBytes(8).toString('hex')}.gguf`);
      const build = await preparePartBuild(part, { output, allowRequantize: request.allowRequantize, signal }).catch(
        (thrown: unknown) => {
          throw lines.at(toStudioError(thrown), part.line);
        },
      );
      builds.set(key, build);
    }
  }
  return { plan, builds };
}

/**
 * Makes the model as it was planned.
 * @throws StudioError what the builds and the server throw
 */
export async function* createPrepared(
  prepared: PreparedModel,
  options: CreateModelOptions,
): AsyncGenerator<EngineEvent, CreatedModel> {
  const started = performance.now();
  const { client, signal } = options;
  const { request, names, parsed, lines, server, exists } = prepared;
  let { plan, builds } = prepared;
  const directory = dirname(request.path);
  if (plan.pull !== undefined) {
    yield* pullBase(plan.pull, client, lines, signal);
    ({ plan, builds } = await planParts(request, { client, parsed, lines, server, signal, isPulled: true }));
  }
  const warnings = [...plan.warnings, ...versionWarnings(parsed, server.state)];
  const files = new CreateFiles({
    ...options,
    lines,
    builds,
    allowRequantize: request.allowRequantize,
    base: plan.from ?? baseFile(plan),
    keepIn: request.keepIn,
    stem: names.name.replace(/:latest$/, '').replace(/[^A-Za-z0-9._-]+/g, '-'),
    force: request.force,
    roomyFolder: directory,
  });
  try {
    for (const [key, part] of plan.parts) {
      yield* files.add(key, part);
    }
    requireFewFiles(files, prepared);
    const digests = yield* files.hash();
    append(warnings, files.warnings);
    if (server.state.isRemote) {
      const notice = remoteNotice(client, files);
      warnings.push(notice);
      yield { event: 'warning', ...notice };
    }
    const uploadedBytes = yield* files.upload(digests);
    const built = await toCreateRequest(plan.commands, (path) => Promise.resolve(files.local(path, digests)));
    if (!built.ok) {
      throw new StudioError('modelfile/syntax', `${request.path}: ${built.error}. lint shows the line.`, {
        path: request.path,
      });
    }
    const body = createBody(built.request, { name: names.unfinished, quantize: plan.serverType });
    yield* makeNamed(body, { names, exists, client, lines, signal });
    yield { event: 'phase', phase: 'answering' };
    const proof = await askForProof(client, names.name, { lines, signal });
    const digest = await digestOf(client, names.name);
    return {
      name: names.name,
      digest,
      modelfile: parsed.text,
      route: plan.route,
      answer: proof.answer,
      previous: exists ? names.previous : undefined,
      uploadedBytes,
      seconds: (performance.now() - started) / 1000,
      kept: files.kept,
      warnings: [...warnings, ...proof.warnings],
    };
  } finally {
    await files.dispose();
  }
}

/** What a server that keeps the parts of a split model apart takes at once (`maxCreateFiles` in `server/create.go`). */
const MOST_FILES = 1024;

function requireFewFiles({ all }: CreateFiles, { server, lines, plan }: PreparedModel): void {
  if (all.length > MOST_FILES && server.profile.does('splitLayers')) {
    const [first] = plan.parts.values();
    throw lines.at(
      new StudioError(
        'ollama/file',
        `These are ${all.length} files, and Ollama takes ${MOST_FILES} at most. Name the files of one model in FROM.`,
      ),
      first?.line ?? 1,
    );
  }
}

/** What no parser takes stops everything, before a file is read or a server asked. */
function requireParsed(parsed: ParsedModelfile, lines: ModelfileLines): void {
  if (!parsed.verdict.ok) {
    const { error, line } = parsed.verdict;
    // An unclosed quote has no line in Ollama's words; where it opens is what helps.
    const at = line ?? lines.line(parsed.problems[0]?.span.start ?? 0);
    throw lines.at(
      new StudioError('modelfile/syntax', `${error}. Correct the line; lint shows what is meant.`, {
        path: lines.path,
      }),
      at,
    );
  }
}

/** Errors of the text for the server's version stop everything, before anything is built or sent. */
async function requireSound(
  parsed: ParsedModelfile,
  lines: ModelfileLines,
  { signal, ollamaVersion }: { readonly signal: AbortSignal; readonly ollamaVersion: string | undefined },
): Promise<void> {
  refuseFindings(
    await lintModelfile(parsed, { facts: factsForFile(lines.path, { isTrusted: true, ollamaVersion }), signal }),
    lines,
  );
}

/** @throws StudioError modelfile/findings for the first of severity error, with its line */
export function refuseFindings(diagnostics: readonly Diagnostic[], lines: ModelfileLines): void {
  const findings = diagnostics.filter(({ severity }) => severity === 'error');
  const [first] = findings;
  if (first !== undefined) {
    const rest = findings.length > 1 ? ` (and ${findings.length - 1} more)` : '';
    const found = findings.map(({ code, message, span }) => ({ code, message, line: lines.line(span.start) }));
    throw lines.at(
      new StudioError(
        'modelfile/findings',
        `${first.code}: ${first.message}${rest} Correct it first; nothing was uploaded.`,
        { path: lines.path, detail: { findings: found } },
      ),
      lines.line(first.span.start),
    );
  }
}

function versionWarnings(
  parsed: ParsedModelfile,
  server: Extract<OllamaState, { readonly state: 'running' }>,
): { readonly code: string; readonly message: string }[] {
  const requires = parsed.instructions
    .findLast(({ keyword }) => keyword === 'REQUIRES')
    ?.command?.args.replace(/^v/, '');
  return requires !== undefined && !/^0\.0\.0/.test(server.version) && compareVersions(server.version, requires) < 0
    ? [
        {
          code: 'ollama/too-old',
          message: `REQUIRES ${requires}, and the server is ${server.version}: it will refuse to run the model until it is updated`,
        },
      ]
    : [];
}

/** A FROM that is a name and not on the server: pulled by it from Ollama's own registry. */
async function* pullBase(
  { name, line }: NonNullable<CreatePlan['pull']>,
  client: OllamaClient,
  lines: ModelfileLines,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent, void> {
  try {
    const parsed = parseModelName(name);
    if (parsed !== undefined && parsed.host.toLowerCase() !== 'registry.ollama.ai') {
      throw new StudioError(
        'ollama/registry',
        `${name} would come from ${parsed.host}, another registry than Ollama's. If you trust it, get it first: pull ${name}.`,
      );
    }
    yield* client.pull(name, { signal });
  } catch (thrown) {
    const error = toStudioError(thrown);
    throw lines.at(
      error.code === 'ollama/model-missing'
        ? new StudioError(
            error.code,
            `Nothing is at the path ${name}, the server has no model of that name, and the registry has none either. Check the spelling; a path is relative to the Modelfile.`,
            { detail: error.detail, cause: error },
          )
        : error,
      line,
    );
  }
}

function baseFile(plan: CreatePlan): { readonly path: string } | undefined {
  const part = [...plan.parts.values()].find(
    ({ role, kind }) => role === 'model' && (kind === 'file' || kind === 'split'),
  );
  return part === undefined ? undefined : { path: part.path };
}

function remoteNotice(client: OllamaClient, files: CreateFiles): { readonly code: string; readonly message: string } {
  const bytes = files.all.reduce((sum, file) => sum + file.bytes, 0);
  const { host, isEncrypted } = client.address;
  return {
    code: 'ollama/remote-upload',
    message: `up to ${formatBytes(bytes)} go to ${host} over the network${isEncrypted ? '' : ', unencrypted'}: about ${formatSeconds(bytes / USUAL_RATE)} at 100 Mbit/s`,
  };
}
