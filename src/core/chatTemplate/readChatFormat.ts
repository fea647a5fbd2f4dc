import { chatTemplateEntries } from '../formats/huggingface/tokenizer/chatTemplate';
import { readSpecialVocabulary } from '../formats/huggingface/tokenizer/specialVocabulary';
import type { GgufMetadata } from '../formats/gguf/ggufTypes';
import { specialTokens } from '../formats/gguf/specialTokens';
import type { TokenizerFiles } from '../formats/huggingface/huggingFaceModel';
import { isJsonObject, type Json, type JsonObject } from '../json';
import type { ChatFormat, EndToken } from './chatFormat';

/** The small files of a Hugging Face folder that tell of its chat format. */
export interface ChatFolder {
  readonly tokenizer: TokenizerFiles;
  /** config.json. */
  readonly config: JsonObject;
  readonly generationConfig?: JsonObject | undefined;
}

const SPECIALS = ['bos', 'eos', 'unk', 'pad', 'sep', 'cls'] as const;
/** Settings of generation_config.json by Ollama's names. */
const SAMPLING: Readonly<Record<string, string>> = {
  temperature: 'temperature',
  top_p: 'top_p',
  top_k: 'top_k',
  min_p: 'min_p',
  repetition_penalty: 'repeat_penalty',
};

/** What a Hugging Face folder says of its chat format; the template is the one that goes into a GGUF. */
export function chatFormatOfFolder({ tokenizer, config, generationConfig }: ChatFolder): ChatFormat {
  const entries = new Map(chatTemplateEntries(tokenizer));
  const text = (key: string): string | undefined => {
    const value = entries.get(key);
    return value?.type === 'string' ? value.value : undefined;
  };
  const { tokenizerConfig, tokenizerJson, specialTokensMap } = tokenizer;
  const specials = Object.fromEntries(
    SPECIALS.flatMap((kind) => {
      const token = tokenText(tokenizerConfig?.[`${kind}_token`]) ?? tokenText(specialTokensMap?.[`${kind}_token`]);
      return token === undefined ? [] : [[`${kind}_token`, token] as const];
    }),
  );
  const byId = addedTokens(tokenizer);
  const adds = readSpecialVocabulary({ tokenizerJson, tokenizerConfig, config }).adds.get('bos');
  return {
    jinja: text('tokenizer.chat_template'),
    toolJinja: text('tokenizer.chat_template.tool_use'),
    specials,
    addsBos: adds ?? (specials['bos_token'] !== undefined && addsBosByDefault(tokenizer, specials['bos_token'])),
    endTokens: endTokens([
      ...endIds(generationConfig?.['eos_token_id']).map(
        (id) => [byId.get(id), 'generation_config.json ends an answer with it'] as const,
      ),
      [specials['eos_token'], 'the end-of-sequence token of tokenizer_config.json'],
      ...endIds(config['eos_token_id']).map(
        (id) => [byId.get(id), 'the end-of-sequence token of config.json'] as const,
      ),
    ]),
    specialTokens: [...new Set(byId.values())],
    ...sampling(generationConfig),
  };
}

/** llama.cpp's own choice where nothing says it: SentencePiece vocabularies, Llama 3's and Mistral's tekken get a BOS. */
function addsBosByDefault({ tokenizerModel, tokenizerJson }: TokenizerFiles, bos: string): boolean {
  const model = tokenizerJson?.['model'];
  const isSentencePiece = tokenizerModel !== undefined || (isJsonObject(model) && model['byte_fallback'] === true);
  return isSentencePiece || bos === '<|begin_of_text|>';
}

function sampling(config: JsonObject | undefined): Pick<ChatFormat, 'parameters' | 'parametersSource'> {
  const samples = config?.['do_sample'] !== false;
  const parameters = Object.entries(SAMPLING).flatMap(([theirs, ours]) => {
    const value = config?.[theirs];
    return samples && typeof value === 'number' && Number.isFinite(value) && value >= 0 ? [[ours, value] as const] : [];
  });
  return { parameters: Object.fromEntries(parameters), parametersSource: 'generation_config.json' };
}

function tokenText(value: Json | undefined): string | undefined {
  const text = isJsonObject(value) ? value['content'] : value;
  return typeof text === 'string' && text !== '' ? text : undefined;
}

function endIds(value: Json | undefined): number[] {
  return (Array.isArray(value) ? (value as readonly Json[]) : [value]).filter((id) => typeof id === 'number');
}

/** Ids and texts of added tokens, from all places where they stand. */
function addedTokens({
  tokenizerJson,
  tokenizerConfig,
  addedTokens: older,
}: TokenizerFiles): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  const list = tokenizerJson?.['added_tokens'];
  for (const entry of Array.isArray(list) ? (list as readonly Json[]) : []) {
    if (isJsonObject(entry) && typeof entry['id'] === 'number' && typeof entry['content'] === 'string') {
      found.set(entry['id'], entry['content']);
    }
  }
  const decoder = tokenizerConfig?.['added_tokens_decoder'];
  for (const [id, entry] of isJsonObject(decoder) ? Object.entries(decoder) : []) {
    const text = tokenText(entry);
    if (text !== undefined) {
      found.set(Number(id), text);
    }
  }
  for (const [text, id] of Object.entries(older ?? {})) {
    if (typeof id === 'number') {
      found.set(id, text);
    }
  }
  return found;
}

function endTokens(candidates: readonly (readonly [string | undefined, string])[]): EndToken[] {
  const found = new Map<string, string>();
  for (const [text, source] of candidates) {
    if (text !== undefined && !found.has(text)) {
      found.set(text, source);
    }
  }
  return Array.from(found, ([text, source]) => ({ text, source }));
}

/** BPE vocabularies that llama.cpp begins with a BOS where the file does not say it. */
const PRE_WITH_BOS: ReadonlySet<string> = new Set([
  'llama3',
  'llama-v3',
  'llama-bpe',
  'falcon3',
  'falcon-h1',
  'pixtral',
  'midm-2.0',
  'lfm2',
  'tekken',
  'chameleon',
]);

/** What a GGUF header says of its chat format; its arrays must have been read. */
export function chatFormatOfGguf(metadata: GgufMetadata): ChatFormat {
  const text = (key: string): string | undefined => {
    const value = metadata.get(key);
    return value?.type === 'string' && value.value !== '' ? value.value : undefined;
  };
  const list = metadata.get('tokenizer.ggml.tokens');
  const tokens = list?.type === 'array' && list.elements === 'string' ? (list.value as readonly string[]) : [];
  const token = (key: string): string | undefined => {
    const id = metadata.get(`tokenizer.ggml.${key}_token_id`);
    return id === undefined || typeof id.value !== 'number' ? undefined : tokens[id.value];
  };
  const specials = Object.fromEntries(
    [
      ['bos', 'bos'],
      ['eos', 'eos'],
      ['unknown', 'unk'],
      ['padding', 'pad'],
    ].flatMap(([key = '', name = '']) => {
      const found = token(key);
      return found === undefined ? [] : [[`${name}_token`, found] as const];
    }),
  );
  const adds = metadata.get('tokenizer.ggml.add_bos_token');
  const model = text('tokenizer.ggml.model');
  const byDefault =
    model === 'llama' || model === 'bert' || (model === 'gpt2' && PRE_WITH_BOS.has(text('tokenizer.ggml.pre') ?? ''));
  return {
    jinja: text('tokenizer.chat_template'),
    toolJinja: text('tokenizer.chat_template.tool_use'),
    specials,
    addsBos: adds?.type === 'bool' ? adds.value : byDefault,
    endTokens: endTokens([
      [token('eot'), 'the end-of-turn token of the GGUF'],
      [token('eom'), 'the end-of-message token of the GGUF'],
      [token('eos'), 'the end-of-sequence token of the GGUF'],
    ]),
    specialTokens: specialTokens(metadata, tokens),
    parameters: ggufSampling(metadata),
    parametersSource: 'the GGUF',
  };
}

/** `general.sampling.…` keys, which newer converters write. */
function ggufSampling(metadata: GgufMetadata): Readonly<Record<string, number>> {
  const names: Readonly<Record<string, string>> = {
    temp: 'temperature',
    top_p: 'top_p',
    top_k: 'top_k',
    min_p: 'min_p',
    penalty_repeat: 'repeat_penalty',
  };
  return Object.fromEntries(
    Object.entries(names).flatMap(([theirs, ours]) => {
      const value = metadata.get(`general.sampling.${theirs}`)?.value;
      // Single precision shows digits that nobody wrote.
      return typeof value === 'number' && Number.isFinite(value) ? [[ours, Number(value.toPrecision(6))] as const] : [];
    }),
  );
}
