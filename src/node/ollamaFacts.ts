import { isJsonObject, type Json, type JsonObject } from '../core/json';
import { parseModelfile } from '../core/modelfile/parseModelfile';
import type { InstalledModelFacts } from '../core/modelfile/workspaceFacts';
import { parseStrictJson } from '../core/strictJson';

/** An editor waits no longer for a server that may not be there. */
const TIMEOUT = 1500;
/** How long an answer, or that there was none, is believed. */
const FRESH = 5000;
const MAX_BYTES = 64 * 1024 * 1024;

/** What the language server asks of an Ollama; every method gives undefined where it does not answer. */
export class OllamaFacts {
  private readonly cache = new Map<string, { readonly until: number; readonly answer: Promise<JsonObject | undefined> }>();

  /** @param host `http://127.0.0.1:11434`; who calls has checked that it may be asked */
  constructor(private readonly host: string) {}

  async version(signal?: AbortSignal): Promise<string | undefined> {
    const answer = await this.ask('GET', '/api/version', undefined, signal);
    return string(answer?.['version']);
  }

  async models(signal?: AbortSignal): Promise<readonly string[] | undefined> {
    const answer = await this.ask('GET', '/api/tags', undefined, signal);
    const models = answer?.['models'];
    return Array.isArray(models) ? (models as readonly Json[]).flatMap((model) => (isJsonObject(model) ? (string(model['name']) ?? []) : [])) : undefined;
  }

  async model(name: string, signal?: AbortSignal): Promise<InstalledModelFacts | undefined> {
    const answer = await this.ask('POST', '/api/show', JSON.stringify({ model: name }), signal);
    return answer === undefined || answer['error'] !== undefined ? undefined : describe(name, answer);
  }

  private ask(method: string, path: string, body: string | undefined, signal: AbortSignal | undefined): Promise<JsonObject | undefined> {
    const key = `${method} ${path} ${body ?? ''}`;
    const known = this.cache.get(key);
    if (known !== undefined && known.until > Date.now()) {
      return known.answer;
    }
    const answer = this.fetch(method, path, body, signal);
    this.cache.set(key, { until: Date.now() + FRESH, answer });
    return answer;
  }

  private async fetch(method: string, path: string, body: string | undefined, signal: AbortSignal | undefined): Promise<JsonObject | undefined> {
    const timeout = AbortSignal.timeout(TIMEOUT);
    try {
      const response = await fetch(new URL(path, this.host), {
        method,
        redirect: 'error',
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
        ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
      });
      if (!response.ok || Number(response.headers.get('content-length') ?? 0) > MAX_BYTES) {
        return undefined;
      }
      const json = parseStrictJson(await response.text());
      return isJsonObject(json) ? json : undefined;
    } catch {
      // Nobody there, too slow, or not an Ollama: nothing is known.
      return undefined;
    }
  }
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
  const value = (command: string): string | undefined => instructions.findLast((instruction) => instruction.command?.name === command)?.value?.text;
  const stops = instructions.flatMap(({ command }) => (command?.name === 'stop' ? [command.args] : []));
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
    chatTemplate: string(info['tokenizer.chat_template']),
    endTokens: stops,
    specialTokens: [],
  };
}
