import { append } from '../../core/append';
import { dirname } from 'node:path';
import { StudioError, throwIfAborted, toStudioError } from '../../core/errors';
import type { FileTypeName } from '../../core/engine/fileTypes';
import { formatBytes, formatSeconds } from '../../core/formatBytes';
import { toCreateRequest } from '../../core/modelfile/createRequest';
import { lintModelfile } from '../../core/modelfile/lintModelfile';
import type { ParsedModelfile } from '../../core/modelfile/modelfileTypes';
import { parseModelfile } from '../../core/modelfile/parseModelfile';
import { compareVersions } from '../../core/golang/semver';
import { createBody } from '../../core/modelfile/createBody';
import { createNames, type CreateNames } from '../../core/ollama/createNames';
import { ModelfileLines } from '../../core/modelfile/modelfileLines';
import { parseModelName, sameModelName } from '../../core/ollama/modelName';
import type { OllamaState } from '../../core/ollama/ollamaModels';
import { SAFE_QUANTISING_SINCE } from '../../core/ollama/ollamaVersion';
import type { EngineEvent } from '../../core/progress';
import { askForProof } from './createProof';
import { planCreate, type CreatePlan, type CreateRoute } from './createPlan';
import { CreateFiles } from './createFiles';
import type { OllamaClient } from '../ollama/ollamaClient';
import { requireOllama } from '../ollama/ollamaState';
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

/** What the server itself can make of a 16-bit model. */
const SERVER_TYPES: readonly string[] = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_K_S', 'Q4_K_M'];
/** Bytes a second of a connection of 100 Mbit/s, for a first estimate. */
const USUAL_RATE = 12_500_000;

/**
 * Makes a model in Ollama of a Modelfile, as `ollama create` does, and where that fails: folders of architectures that the
 * server does not convert, any quantisation type, adapter folders. The name is given last: until then nothing of that
 * name changes, and a failed or cancelled run takes back what it made.
 * @throws StudioError modelfile/…, ollama/…, and what files and engine say, with the line of the Modelfile
 */
export async function* createModel(
  request: CreateModelRequest,
  options: CreateModelOptions,
): AsyncGenerator<EngineEvent, CreatedModel> {
  const started = performance.now();
  const { client, signal } = options;
  yield { event: 'phase', phase: 'checking' };
  const names = createNames(request.name);
  const parsed = parseModelfile(request.modelfile);
  const lines = new ModelfileLines(parsed, request.path);
  await requireSound(parsed, lines, signal);
  const directory = dirname(request.path);
  const plan = await planCreate(parsed, lines, directory, { fileType: request.quantize, signal });
  const server = await requireOllama(client, { signal });
  requireServerFits(plan, request, server, lines);
  const exists = await hasModel(client, names.name, signal);
  if (exists && !request.force) {
    throw new StudioError(
      'ollama/model-exists',
      `${names.name} exists on ${client.address.host} and was not touched. Choose another name, or --force: it is then kept as ${names.previous}.`,
      { detail: { name: names.name } },
    );
  }
  const warnings = [...plan.warnings, ...versionWarnings(parsed, server)];
  if (plan.from !== undefined) {
    yield* fetchBase(plan.from, client, lines, signal);
  }
  const files = new CreateFiles({
    ...options,
    lines,
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
    const digests = yield* files.hash();
    append(warnings, files.warnings);
    if (server.isRemote) {
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
    const quantize = plan.from === undefined ? undefined : request.quantize;
    yield* make(createBody(built.request, { name: names.unfinished, quantize }), names, exists, client, lines, signal);
    const digest = await digestOf(client, names.name);
    yield { event: 'phase', phase: 'answering' };
    const proof = await askForProof(client, names.name, { lines, signal });
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

/** Errors of the text stop everything, before a file is read or a server asked. */
async function requireSound(parsed: ParsedModelfile, lines: ModelfileLines, signal: AbortSignal): Promise<void> {
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
  const findings = (
    await lintModelfile(parsed, { facts: factsForFile(lines.path, { isTrusted: true }), signal })
  ).filter(({ severity }) => severity === 'error');
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

function requireServerFits(
  plan: CreatePlan,
  { quantize }: CreateModelRequest,
  server: Extract<OllamaState, { readonly state: 'running' }>,
  lines: ModelfileLines,
): void {
  if (quantize === undefined || plan.from === undefined) {
    return;
  }
  const { name, line } = plan.from;
  if (!SERVER_TYPES.includes(quantize)) {
    throw lines.at(
      new StudioError(
        'ollama/quantise',
        `${name} lies on the server, which makes ${SERVER_TYPES.join(', ')} only. For ${quantize} name the model's Hugging Face folder or 16-bit GGUF in FROM.`,
      ),
      line,
    );
  }
  if (!server.mayQuantise) {
    throw lines.at(
      new StudioError(
        'ollama/too-old',
        `Ollama ${server.version} can be harmed by a crafted model while it quantises (CVE-2026-7482). Update it to ${SAFE_QUANTISING_SINCE} or later, or name the model's folder or 16-bit GGUF in FROM: it is then quantised here.`,
      ),
      line,
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

async function hasModel(client: OllamaClient, name: string, signal: AbortSignal): Promise<boolean> {
  return (await findModel(client, name, signal)) !== undefined;
}

async function digestOf(client: OllamaClient, name: string): Promise<string> {
  const digest = await findModel(client, name);
  if (digest === undefined) {
    throw new StudioError(
      'ollama/lost',
      `${name} was created and is gone again: something else removed it. Run this again.`,
    );
  }
  return `sha256:${digest.replace(/^sha256:/, '')}`;
}

async function findModel(client: OllamaClient, name: string, signal?: AbortSignal): Promise<string | undefined> {
  const wanted = parseModelName(name);
  const models = await client.list({ signal });
  return models.find((model) => {
    const candidate = parseModelName(model.name);
    return wanted !== undefined && candidate !== undefined && sameModelName(candidate, wanted);
  })?.digest;
}

/** A FROM that is a name: on the server, or pulled by it from Ollama's own registry. */
async function* fetchBase(
  { name, line }: NonNullable<CreatePlan['from']>,
  client: OllamaClient,
  lines: ModelfileLines,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent, void> {
  try {
    if (await hasModel(client, name, signal)) {
      return;
    }
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
    ({ role, kind }) => role === 'model' && (kind === 'file' || kind === 'quantise' || kind === 'split'),
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

/** Makes the model under a name of its own, and gives it the wanted one when it is whole. */
async function* make(
  body: string,
  names: CreateNames,
  exists: boolean,
  client: OllamaClient,
  lines: ModelfileLines,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent, void> {
  let isNamed = false;
  try {
    yield* client.create(body, { signal });
    throwIfAborted(signal);
    // From here on it takes three short requests: too short to be cancelled.
    if (exists) {
      await client.copy(names.name, names.previous);
    }
    await client.copy(names.unfinished, names.name);
    isNamed = true;
    await client.delete(names.unfinished);
  } catch (thrown) {
    throw lines.ofServer(toStudioError(thrown));
  } finally {
    if (!isNamed) {
      await removeUnfinished(client, names.unfinished);
    }
  }
}

const SECOND_LOOK = 200;

/** A server that was left in the middle may still finish what it had begun. */
async function removeUnfinished(client: OllamaClient, name: string): Promise<void> {
  for (const pause of [0, SECOND_LOOK]) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const removed = await client.delete(name, { signal: AbortSignal.timeout(2000) }).then(
      () => true,
      () => false,
    );
    if (removed) {
      return;
    }
  }
}
