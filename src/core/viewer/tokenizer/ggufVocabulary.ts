import { TOKEN_TYPE } from '../../formats/gguf/tokenType';
import type { GgufMetadata } from '../../formats/gguf/ggufTypes';

/** What a GGUF says of its tokens. */
export interface GgufVocabulary {
  /** `gpt2` (byte pair encoding), `llama` (SentencePiece), or another that is listed but not run. */
  readonly model: string;
  readonly pre: string;
  readonly tokens: readonly string[];
  /** Undefined where the file has none. */
  readonly scores: ArrayLike<number> | undefined;
  readonly types: ArrayLike<number> | undefined;
  /** As in the file: two parts with a space between. */
  readonly merges: readonly string[];
  readonly addSpacePrefix: boolean | undefined;
  readonly addBos: boolean | undefined;
  readonly addEos: boolean | undefined;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly unknown: number | undefined;
}

export const TOKEN_KINDS = ['normal', 'unknown', 'control', 'user-defined', 'unused', 'byte'] as const;
export type TokenKind = (typeof TOKEN_KINDS)[number];

/** The kind of a token; without types all are normal. */
export function kindOfToken(vocabulary: GgufVocabulary, id: number): TokenKind {
  return TOKEN_KINDS[(vocabulary.types?.[id] ?? TOKEN_TYPE.normal) - 1] ?? 'normal';
}

/** The vocabulary in the metadata, read with its arrays; undefined where there is none. */
export function readGgufVocabulary(metadata: GgufMetadata): GgufVocabulary | undefined {
  const tokens = texts(metadata, 'tokenizer.ggml.tokens');
  if (tokens === undefined) {
    return undefined;
  }
  return {
    model: text(metadata, 'tokenizer.ggml.model') ?? 'unknown',
    pre: text(metadata, 'tokenizer.ggml.pre') ?? '',
    tokens,
    scores: numbers(metadata, 'tokenizer.ggml.scores', tokens.length),
    types: numbers(metadata, 'tokenizer.ggml.token_type', tokens.length),
    merges: texts(metadata, 'tokenizer.ggml.merges') ?? [],
    addSpacePrefix: flag(metadata, 'tokenizer.ggml.add_space_prefix'),
    addBos: flag(metadata, 'tokenizer.ggml.add_bos_token'),
    addEos: flag(metadata, 'tokenizer.ggml.add_eos_token'),
    bos: id(metadata, 'bos', tokens.length),
    eos: id(metadata, 'eos', tokens.length),
    unknown: id(metadata, 'unknown', tokens.length),
  };
}

function text(metadata: GgufMetadata, key: string): string | undefined {
  const value = metadata.get(key);
  return value?.type === 'string' ? value.value : undefined;
}

function flag(metadata: GgufMetadata, key: string): boolean | undefined {
  const value = metadata.get(key);
  return value?.type === 'bool' ? value.value : undefined;
}

function id(metadata: GgufMetadata, name: string, tokens: number): number | undefined {
  const value = metadata.get(`tokenizer.ggml.${name}_token_id`)?.value;
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < tokens ? value : undefined;
}

function texts(metadata: GgufMetadata, key: string): readonly string[] | undefined {
  const value = metadata.get(key);
  return value?.type === 'array' && value.elements === 'string' && value.skipped === undefined
    ? (value.value as readonly string[])
    : undefined;
}

/** Numbers, one for each token; anything else in a damaged file counts as absent. */
function numbers(metadata: GgufMetadata, key: string, length: number): ArrayLike<number> | undefined {
  const value = metadata.get(key);
  if (
    value?.type !== 'array' ||
    value.value.length !== length ||
    (value.elements !== 'f32' && value.elements !== 'i32')
  ) {
    return undefined;
  }
  return value.value as ArrayLike<number>;
}
