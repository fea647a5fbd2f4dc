import { Ollama } from 'ollama';
import * as z from 'zod';
import { StudioError, throwIfAborted } from '../../core/errors';
import type { OllamaAddress } from '../../core/ollama/ollamaAddress';
import { OLLAMA_BEHAVIOURS } from '../../core/ollama/ollamaBehaviours';
import type {
  AnswerEvent,
  ChatRequest,
  GenerateRequest,
  InstalledModel,
  ModelAnswer,
  ModelDescription,
  ModelTensors,
  RunningModel,
} from '../../core/ollama/ollamaModels';
import { AnswerCollector } from '../../core/ollama/answerCollector';
import { installedModels, modelDescription, modelTensors, runningModels } from '../../core/ollama/readAnswers';
import { StatusProgress } from '../../core/ollama/statusProgress';
import {
  chatSchema,
  embedSchema,
  generateSchema,
  listSchema,
  readRecord,
  runningSchema,
  showSchema,
  statusSchema,
  tensorsSchema,
  versionSchema,
} from '../../core/ollama/wire';
import type { EngineEvent, OllamaPhase } from '../../core/progress';
import { uploadBlob, hasBlob, type UploadOptions } from './blobUpload';
import { failure, exchange, readJson, readRecords, type Exchange } from './ollamaTransport';
import { RateMeter } from '../files/rateMeter';

/** Milliseconds of silence after which a server is given up. */
export interface OllamaTimeouts {
  /** Requests that are answered from files: list, show, copy. */
  readonly quick: number;
  /** Between two reports of pull and push, and two pieces of an upload. */
  readonly transfer: number;
  /** Conversion and quantisation on the server say nothing while they work on one tensor or copy a file. */
  readonly create: number;
  /** Loading a large model from a slow disk comes before the first word. */
  readonly answer: number;
}

const TIMEOUTS: OllamaTimeouts = { quick: 30_000, transfer: 180_000, create: 3_600_000, answer: 900_000 };

export interface Cancellable {
  readonly signal?: AbortSignal | undefined;
}

interface Operation {
  readonly what: string;
  readonly idle: number;
  /** Records line by line rather than one value. */
  readonly streams: boolean;
  readonly signal: AbortSignal | undefined;
}

const empty = z.unknown();

/**
 * One Ollama server. Every method is an operation of its own with a connection of its own: its signal ends that one
 * and no other. All throw StudioError: the codes `ollama/…` and `run/cancelled`.
 */
export class OllamaClient {
  private readonly timeouts: OllamaTimeouts;

  constructor(
    readonly address: OllamaAddress,
    timeouts: Partial<OllamaTimeouts> = {},
  ) {
    this.timeouts = { ...TIMEOUTS, ...timeouts };
  }

  async version({ signal }: Cancellable = {}): Promise<string> {
    const what = 'version';
    const answer = await exchange(this.address, {
      method: 'GET',
      path: '/api/version',
      what,
      signal,
      idle: this.timeouts.quick,
    });
    return readRecord(versionSchema, await readJson(answer, this.address, what), what).version;
  }

  /** The models of the server, the most recently changed first. */
  async list(options: Cancellable = {}): Promise<readonly InstalledModel[]> {
    const answer = await this.ask('list', options, (ollama) => ollama.list());
    return installedModels(readRecord(listSchema, answer, 'list'));
  }

  /** @throws StudioError ollama/model-missing */
  async show(name: string, options: Cancellable = {}): Promise<ModelDescription> {
    const answer = await this.ask('show', options, (ollama) => ollama.show({ model: name }));
    return modelDescription(readRecord(showSchema, answer, 'show'));
  }

  /**
   * Names and shapes of a model's tensors.
   * @throws StudioError ollama/model-missing
   */
  async tensors(name: string, options: Cancellable = {}): Promise<ModelTensors> {
    const request = { model: name, verbose: true };
    const answer = await this.ask('show', options, (ollama) => ollama.show(request));
    return modelTensors(readRecord(tensorsSchema, answer, 'show'));
  }

  /** The vectors of an embedding model for these texts, in order. */
  async embed(
    name: string,
    texts: readonly string[],
    options: Cancellable = {},
  ): Promise<readonly (readonly number[])[]> {
    const answer = await this.ask('embed', options, (ollama) => ollama.embed({ model: name, input: [...texts] }));
    return readRecord(embedSchema, answer, 'embed').embeddings;
  }

  /** The models in the server's memory. */
  async running(options: Cancellable = {}): Promise<readonly RunningModel[]> {
    const answer = await this.ask('ps', options, (ollama) => ollama.ps());
    return runningModels(readRecord(runningSchema, answer, 'ps'));
  }

  /** Gives a model a second name; one that exists under that name is replaced. */
  async copy(source: string, destination: string, options: Cancellable = {}): Promise<void> {
    await this.ask('copy', options, (ollama) => ollama.copy({ source, destination }));
  }

  /** Removes a name, and what no other name needs. */
  async delete(name: string, options: Cancellable = {}): Promise<void> {
    await this.ask('delete', options, (ollama) => ollama.delete({ model: name }));
  }

  /** Takes a model out of the server's memory; one that is not in it is left alone. */
  async unload(name: string, options: Cancellable = {}): Promise<void> {
    await this.ask('unload', options, (ollama) =>
      ollama.generate({ model: name, prompt: '', stream: false, keep_alive: 0 }),
    );
  }

  /** Downloads a model of a registry to the server. What was there before is kept, and not loaded twice. */
  async *pull(
    name: string,
    { signal, insecure = false }: Cancellable & { readonly insecure?: boolean } = {},
  ): AsyncGenerator<EngineEvent, void> {
    yield* this.transfer('pull', 'downloading', signal, (ollama) =>
      ollama.pull({ model: name, insecure, stream: true }),
    );
  }

  /** Uploads a model from the server to its registry. */
  async *push(
    name: string,
    { signal, insecure = false }: Cancellable & { readonly insecure?: boolean } = {},
  ): AsyncGenerator<EngineEvent, void> {
    yield* this.transfer('push', 'uploading', signal, (ollama) => ollama.push({ model: name, insecure, stream: true }));
  }

  /** One turn of a conversation, piece by piece; its result is the whole of it. */
  async *chat(request: ChatRequest, { signal }: Cancellable = {}): AsyncGenerator<AnswerEvent, ModelAnswer> {
    const body = chatBody(request);
    const records = this.stream({ what: 'chat', idle: this.timeouts.answer, streams: true, signal }, (ollama) =>
      ollama.chat({ ...body, stream: true } as Parameters<typeof ollama.chat>[0] & { stream: true }),
    );
    const answer = new AnswerCollector();
    for await (const record of records) {
      const { message, ...rest } = readRecord(chatSchema, record, 'chat');
      yield* answer.add({
        ...rest,
        text: message?.content,
        thinking: message?.thinking,
        toolCalls: message?.tool_calls ?? [],
      });
    }
    return answer.whole();
  }

  /** The continuation of a prompt, piece by piece; its result is the whole of it. */
  async *generate(request: GenerateRequest, { signal }: Cancellable = {}): AsyncGenerator<AnswerEvent, ModelAnswer> {
    const body = generateBody(request);
    const records = this.stream({ what: 'generate', idle: this.timeouts.answer, streams: true, signal }, (ollama) =>
      ollama.generate({ ...body, stream: true } as Parameters<typeof ollama.generate>[0] & { stream: true }),
    );
    const answer = new AnswerCollector();
    for await (const record of records) {
      const { response, ...rest } = readRecord(generateSchema, record, 'generate');
      yield* answer.add({ ...rest, text: response, toolCalls: [] });
    }
    return answer.whole();
  }

  /** The exact prompt that `chat` would give to the model, which is not asked. */
  async renderPrompt(request: ChatRequest, options: Cancellable = {}): Promise<string> {
    const body = { ...chatBody(request), stream: false, _debug_render_only: true };
    const answer = await this.ask(
      'render',
      options,
      (ollama) => ollama.chat(body as unknown as Parameters<typeof ollama.chat>[0] & { stream?: false }),
      this.timeouts.answer,
    );
    const rendered = readRecord(chatSchema, answer, 'render')._debug_info?.rendered_template;
    if (rendered === undefined) {
      throw new StudioError(
        'ollama/capability',
        `This server does not tell the prompt that it makes (Ollama ${OLLAMA_BEHAVIOURS.tellsPrompt.since} or later does, for models that it runs itself).`,
      );
    }
    return rendered;
  }

  /** @param digest `sha256:…` */
  hasBlob(digest: string, { signal }: Cancellable = {}): Promise<boolean> {
    return hasBlob(this.address, digest, { signal, idle: this.timeouts.quick });
  }

  /**
   * Sends a file unless the server has it.
   * @param digest `sha256:…` of its content, checked while it is read
   * @returns false where nothing had to be sent
   * @throws StudioError input/changed where the file is no longer what the digest says
   */
  uploadBlob(path: string, digest: string, options: UploadOptions = {}): Promise<boolean> {
    return uploadBlob(this.address, path, digest, { ...options, idle: this.timeouts.transfer });
  }

  /**
   * `/api/create` with a request as Ollama's own command line marshals it, its blobs being there.
   * @param body JSON text: numbers are sent as they are written
   */
  async *create(body: string, { signal }: Cancellable = {}): AsyncGenerator<EngineEvent, void> {
    const what = 'create';
    const answer = await exchange(this.address, {
      method: 'POST',
      path: '/api/create',
      what,
      body,
      signal,
      idle: this.timeouts.create,
    });
    yield* this.follow(what, 'creating', readRecords(answer, this.address, what));
  }

  /** One request through the `ollama` package whose answer is one value. */
  private async ask(
    what: string,
    { signal }: Cancellable,
    call: (ollama: Ollama) => Promise<unknown>,
    idle = this.timeouts.quick,
  ): Promise<unknown> {
    const ollama = this.connect({ what, idle, streams: false, signal });
    return readRecord(empty, await this.typed(what, () => call(ollama)), what);
  }

  /** One request through the `ollama` package whose answer is a stream; leaving it closes its connection. */
  private async *stream(
    operation: Operation,
    call: (ollama: Ollama) => Promise<AsyncIterable<object>>,
  ): AsyncGenerator<object, void> {
    throwIfAborted(operation.signal);
    const own = new AbortController();
    const signal = operation.signal === undefined ? own.signal : AbortSignal.any([operation.signal, own.signal]);
    try {
      const records = (await this.typed(operation.what, () => call(this.connect({ ...operation, signal }))))[
        Symbol.asyncIterator
      ]();
      for (;;) {
        const step = await this.typed(operation.what, () => records.next());
        if (step.done === true) {
          return;
        }
        yield step.value;
      }
    } finally {
      own.abort();
    }
  }

  private async *transfer(
    what: string,
    phase: OllamaPhase,
    signal: AbortSignal | undefined,
    call: (ollama: Ollama) => Promise<AsyncIterable<object>>,
  ): AsyncGenerator<EngineEvent, void> {
    yield* this.follow(what, phase, this.stream({ what, idle: this.timeouts.transfer, streams: true, signal }, call));
  }

  /** Turns status lines into events; a stream that ends without success is a failure. */
  private async *follow(
    what: string,
    phase: OllamaPhase,
    records: AsyncIterable<object>,
  ): AsyncGenerator<EngineEvent, void> {
    const progress = new StatusProgress(phase, new RateMeter(0));
    for await (const record of records) {
      const status = readRecord(statusSchema, record, what);
      if (status.status === 'success') {
        return;
      }
      yield* progress.events(status);
    }
    throw failure(new Error('the stream ended'), this.address, what, 'before it was done');
  }

  /** What the package makes of a broken stream in our words. */
  private async typed<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (thrown) {
      throw failure(thrown, this.address, what, 'before it was done');
    }
  }

  private connect(operation: Operation): Ollama {
    return new Ollama({ host: this.address.url, fetch: (input, init) => this.fetch(input, init, operation) });
  }

  /** What the package takes for `fetch`: our transport, with records that have been checked. */
  private async fetch(
    input: unknown,
    init: RequestInit | undefined,
    { what, idle, streams, signal }: Operation,
  ): Promise<Response> {
    const prefix = new URL(this.address.url).pathname.replace(/\/$/, '');
    const path = new URL(String(input)).pathname.slice(prefix.length);
    const authorization = new Headers(init?.headers).get('authorization');
    const answer = await exchange(this.address, {
      method: (init?.method ?? 'GET') as Exchange['method'],
      path,
      what,
      idle,
      signal,
      ...(typeof init?.body === 'string' ? { body: init.body } : {}),
      headers: authorization === null ? {} : { authorization },
    });
    if (streams) {
      return new Response(recordStream(readRecords(answer, this.address, what)));
    }
    return new Response(JSON.stringify(await readJson(answer, this.address, what)));
  }
}

/** Checked records as bytes again, one a line, taken when they are asked for. */
function recordStream(records: AsyncGenerator<Record<string, unknown>, void>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const step = await records.next();
      if (step.done === true) {
        controller.close();
      } else {
        controller.enqueue(encoder.encode(`${JSON.stringify(step.value)}\n`));
      }
    },
    async cancel() {
      await records.return();
    },
  });
}

function chatBody({
  model,
  messages,
  options,
  think,
  tools,
  keepAlive,
}: ChatRequest): Record<string, unknown> & { model: string } {
  return { model, messages, ...defined({ options, think, tools, keep_alive: keepAlive }) };
}

function generateBody({
  model,
  prompt,
  keepAlive,
  ...rest
}: GenerateRequest): Record<string, unknown> & { model: string; prompt: string } {
  return { model, prompt, ...defined({ ...rest, keep_alive: keepAlive }) };
}

function defined(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
