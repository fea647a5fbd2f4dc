import type { ChatFormat } from '../../core/chatTemplate/chatFormat';
import { chatFormatOfGguf } from '../../core/chatTemplate/readChatFormat';
import type { GgufMetadata, GgufValue } from '../../core/formats/gguf/ggufTypes';
import { isJsonObject, type Json, type JsonObject } from '../../core/json';
import { parseModelfile } from '../../core/modelfile/parseModelfile';
import type { InstalledModelFacts } from '../../core/modelfile/workspaceFacts';
import { parseStrictJson } from '../../core/strictJson';
import { abortable } from '../files/factCache';

/** An editor waits no longer for a server that may not be there. */
const TIMEOUT = 1500;
/** How long an answer, or that there was none, is believed. */
const FRESH = 5000;
const MAX_BYTES = 64 * 1024 * 1024;

/** What the language server asks of an Ollama; every method gives undefined where it does not answer. */
export class OllamaFacts {
  private readonly cache = new Map<
    string,
    { readonly until: number; readonly answer: Promise<JsonObject | undefined> }
  >();

  /** @param host `http://127.0.0.1:11434`, without a slash at its end; who calls has checked that it may be asked */
  constructor(private readonly host: string) {}

  async version(signal?: AbortSignal): Promise<string | undefined> {
    const answer = await this.ask('GET', '/api/version', undefined, signal);
    return string(answer?.['version']);
  }

  async models(signal?: AbortSignal): Promise<readonly string[] | undefined> {
    return (await this.list(signal))?.flatMap((model) => string(model['name']) ?? []);
  }

  async model(name: string, signal?: AbortSignal): Promise<InstalledModelFacts | undefined> {
    const answer = await this.ask('POST', '/api/show', JSON.stringify({ model: name }), signal);
    if (answer === undefined || answer['error'] !== undefined) {
      return undefined;
    }
    const listed = (await this.list(signal))?.find((model) => model['name'] === name)?.['size'];
    return { ...describe(name, answer), bytes: typeof listed === 'number' ? listed : undefined };
  }

  /** What an installed model says of its chat format, with its vocabulary. */
  async chatFormat(name: string, signal?: AbortSignal): Promise<ChatFormat | undefined> {
    const metadata = await this.metadata(name, signal);
    return metadata === undefined ? undefined : chatFormatOfGguf(metadata);
  }

  /** The metadata of an installed model with its vocabulary. */
  async metadata(name: string, signal?: AbortSignal): Promise<GgufMetadata | undefined> {
    const answer = await this.ask('POST', '/api/show', JSON.stringify({ model: name, verbose: true }), signal);
    return answer === undefined ? undefined : metadataOf(object(answer['model_info']));
  }

  private async list(signal: AbortSignal | undefined): Promise<readonly JsonObject[] | undefined> {
    const models = (await this.ask('GET', '/api/tags', undefined, signal))?.['models'];
    return Array.isArray(models) ? (models as readonly Json[]).filter(isJsonObject) : undefined;
  }

  private ask(
    method: string,
    path: string,
    body: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<JsonObject | undefined> {
    const key = `${method} ${path} ${body ?? ''}`;
    const known = this.cache.get(key);
    if (known !== undefined && known.until > Date.now()) {
      return abortable(known.answer, signal);
    }
    for (const [old, { until }] of this.cache) {
      if (until <= Date.now()) {
        this.cache.delete(old);
      }
    }
    const answer = this.fetch(method, path, body);
    this.cache.set(key, { until: Date.now() + FRESH, answer });
    return abortable(answer, signal);
  }

  /** Not tied to who asks: an editor gives up its requests at every keystroke, and the next one wants the same answer. */
  private async fetch(method: string, path: string, body: string | undefined): Promise<JsonObject | undefined> {
    try {
      const response = await fetch(`${this.host}${path}`, {
        method,
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT),
        ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
      });
      const bytes = response.ok ? await readAtMost(response, MAX_BYTES) : undefined;
      const json = bytes === undefined ? undefined : parseStrictJson(bytes);
      return isJsonObject(json) ? json : undefined;
    } catch {
      // Nobody there, too slow, or not an Ollama: nothing is known.
      return undefined;
    }
  }
}

/** The body of an answer; undefined when it goes on beyond `limit` bytes. */
async function readAtMost(response: Response, limit: number): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += (part as Uint8Array).length;
    if (length > limit) {
      return undefined;
    }
    parts.push(part as Uint8Array);
  }
  return Buffer.concat(parts, length);
}

/** The keys of a GGUF as `/api/show` tells them. */
function metadataOf(info: JsonObject): GgufMetadata {
  const found = new Map<string, GgufValue>();
  for (const [key, value] of Object.entries(info)) {
    if (typeof value === 'string') {
      found.set(key, { type: 'string', value });
    } else if (typeof value === 'boolean') {
      found.set(key, { type: 'bool', value });
    } else if (typeof value === 'number') {
      found.set(key, Number.isInteger(value) ? { type: 'u32', value } : { type: 'f32', value });
    } else if (Array.isArray(value) && value.every((one) => typeof one === 'string')) {
      found.set(key, { type: 'array', elements: 'string', value });
    } else if (Array.isArray(value) && value.every((one) => typeof one === 'number')) {
      found.set(key, { type: 'array', elements: 'i32', value });
    }
  }
  return found;
}

function string(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function object(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function describe(name: string, answer: JsonObject): InstalledModelFacts {
  const info = object(answer['model_info']);
  const details = object(answer['details']);
  const architecture = string(info['general.architecture']);
  const contextLength = info[`${architecture ?? ''}.context_length`];
  // The answer's own Modelfile has stop texts, renderer and parser in one form for all versions.
  const { instructions } = parseModelfile(string(answer['modelfile']) ?? '');
  const value = (command: string): string | undefined =>
    instructions.findLast((instruction) => instruction.command?.name === command)?.value?.text;
  const stops = instructions.flatMap(({ command }) => (command?.name === 'stop' ? [command.args] : []));
  const numCtx = Number(value('num_ctx'));
  return {
    name,
    architecture,
    quantisation: string(details['quantization_level']),
    parameterSize: string(details['parameter_size']),
    contextLength: typeof contextLength === 'number' ? contextLength : undefined,
    renderer: string(answer['renderer']) ?? value('renderer'),
    parser: string(answer['parser']) ?? value('parser'),
    template: string(answer['template']),
    stops,
    numCtx: Number.isSafeInteger(numCtx) && numCtx > 0 ? numCtx : undefined,
    chatTemplate: string(info['tokenizer.chat_template']),
    endTokens: stops,
    specialTokens: [],
  };
}
