import { behaviour } from '../ollama/ollamaBehaviours';
import type { OllamaProfile } from '../ollama/ollamaProfile';
import { ollamaNames, type Availability } from '../ollama/ollamaTable';

/** How Ollama reads the value of a parameter (the Go type behind it). */
export type ParameterType = 'float' | 'int' | 'bool' | 'strings';

/** A parameter that some Ollama takes; see `parameterAvailability`. */
export interface ParameterInfo {
  readonly name: string;
  readonly type: ParameterType;
  /** What the server uses without it, as it would be written; absent where the server decides from the model. */
  readonly defaultValue?: string;
  /** Values that make sense, both ends included; Ollama itself does not check them. */
  readonly minimum?: number;
  readonly maximum?: number;
  /** Negative values (and others) with a meaning of their own. */
  readonly special?: Readonly<Record<string, string>>;
  readonly documentation: string;
  /** Later versions of Ollama take a default of the model file before the one here (`general.sampling` of a GGUF). */
  readonly isSampling?: boolean;
}

const info = (
  name: string,
  type: ParameterType,
  documentation: string,
  more: Partial<ParameterInfo> = {},
): ParameterInfo => ({
  name,
  type,
  documentation,
  ...more,
});

/** Every parameter of `api.Options` and `api.Runner`, with the defaults of `api.DefaultOptions`. */
export const PARAMETERS: ReadonlyMap<string, ParameterInfo> = new Map(
  [
    info(
      'num_ctx',
      'int',
      'Size of the context window in tokens: prompt, history and answer together. What does not fit is cut without a word.',
      {
        defaultValue: '4096',
        minimum: 1,
      },
    ),
    info(
      'temperature',
      'float',
      'How freely the next token is drawn: 0 always takes the likeliest, higher values vary more.',
      {
        defaultValue: '0.8',
        isSampling: true,
        minimum: 0,
        maximum: 2,
      },
    ),
    info('top_k', 'int', 'Draws from the k likeliest tokens only.', {
      defaultValue: '40',
      isSampling: true,
      minimum: 0,
      special: { '0': 'no limit' },
    }),
    info('top_p', 'float', 'Draws from the likeliest tokens whose probabilities add up to p.', {
      defaultValue: '0.9',
      isSampling: true,
      minimum: 0,
      maximum: 1,
    }),
    info('min_p', 'float', 'Drops tokens less likely than p times the likeliest one.', {
      defaultValue: '0',
      isSampling: true,
      minimum: 0,
      maximum: 1,
    }),
    info(
      'typical_p',
      'float',
      'Locally typical sampling: prefers tokens of about the expected surprise. 1 turns it off.',
      {
        defaultValue: '1',
        isSampling: true,
        minimum: 0,
        maximum: 1,
      },
    ),
    info('repeat_penalty', 'float', 'Makes tokens that were used lately less likely; 1 leaves them alone.', {
      defaultValue: '1',
      isSampling: true,
      minimum: 0,
      maximum: 2,
    }),
    info('repeat_last_n', 'int', 'How many of the last tokens the repetition penalty looks at.', {
      defaultValue: '64',
      isSampling: true,
      minimum: -1,
      special: { '0': 'off', '-1': 'the whole context' },
    }),
    info('presence_penalty', 'float', 'Makes tokens that occurred at all less likely.', {
      defaultValue: '0',
      isSampling: true,
      minimum: -2,
      maximum: 2,
    }),
    info('frequency_penalty', 'float', 'Makes tokens less likely the more often they occurred.', {
      defaultValue: '0',
      isSampling: true,
      minimum: -2,
      maximum: 2,
    }),
    info(
      'stop',
      'strings',
      'A text at which the answer ends; it is not part of the answer. May be given several times.',
    ),
    info('seed', 'int', 'The seed of the random draws: the same seed and prompt give the same answer.', {
      defaultValue: '-1',
      special: { '-1': 'a new one each time' },
    }),
    info('num_predict', 'int', 'The most tokens that an answer may have.', {
      defaultValue: '-1',
      minimum: -2,
      special: { '-1': 'no limit', '-2': 'fill the context' },
    }),
    info('num_keep', 'int', 'Tokens at the start of the prompt that stay when the context is full.', {
      defaultValue: '4',
      minimum: -1,
      special: { '-1': 'the whole prompt' },
    }),
    info('num_batch', 'int', 'Prompt tokens that are processed at once.', { defaultValue: '512', minimum: 1 }),
    info('num_gpu', 'int', 'Layers to put on the GPU.', {
      defaultValue: '-1',
      minimum: -1,
      special: { '-1': 'as many as fit', '0': 'none' },
    }),
    info('main_gpu', 'int', 'The GPU that holds small tensors when there are several.', { minimum: 0 }),
    info('use_mmap', 'bool', 'Maps the model file into memory instead of reading it.'),
    info('num_thread', 'int', 'Threads for the CPU.', {
      defaultValue: '0',
      minimum: 0,
      special: { '0': 'chosen by the server' },
    }),
    info(
      'draft_num_predict',
      'int',
      'Tokens that the draft model proposes at once (speculative decoding, with DRAFT).',
      {
        defaultValue: '4',
        minimum: 0,
      },
    ),
  ].map((parameter) => [parameter.name, parameter]),
);

/** Accepted, warned about and then ignored. */
export const DEPRECATED_PARAMETERS: ReadonlySet<string> = new Set(ollamaNames('deprecatedParameter').keys());

/** The releases of Ollama that take a parameter; undefined for what none takes. */
export function parameterAvailability(name: string): Availability | undefined {
  const known = ollamaNames('parameter').get(name);
  // Its field is still in the sources; `create` and requests are refused with it.
  return name === 'typical_p' ? { ...known, ...behaviour('typicalP') } : known;
}

/** Whether this Ollama makes a model with a parameter. */
export function takesParameter(name: string, profile: OllamaProfile): boolean {
  return PARAMETERS.has(name) && profile.has('parameter', name) && (name !== 'typical_p' || profile.does('typicalP'));
}

/** Once taken, now refused as unknown; with what took their place. */
export const REMOVED_PARAMETERS: ReadonlyMap<string, string> = new Map([
  ['tfs_z', 'Tail-free sampling is gone; `min_p` does much the same.'],
  ['numa', 'The server decides this by itself.'],
  ['num_gqa', 'Grouped-query attention is read from the model file.'],
  ['rope_frequency_base', 'It is read from the model file.'],
  ['rope_frequency_scale', 'It is read from the model file.'],
  ['embedding_only', 'Embedding models are recognised by themselves.'],
]);
