import type { GgufMetadata, GgufValue } from '../../gguf/ggufTypes';
import { isJsonObject } from '../../../json';
import type { TokenizerFiles } from '../huggingFaceModel';
import { SAME_MODEL } from './chooseTokenizer';
import { hasTokenizer, knownTokens } from './knownTokens';
import { readTokenizerJson, tokenizerJsonFromParts } from './tokenizerJson';
import { TOKEN_TYPE } from '../../gguf/tokenType';
import { addedTokenEntry } from './vocabulary';

/** What an adapter's tokenizer makes of the vocabulary of a GGUF. */
export type SpareTokens =
  | {
      readonly kind: 'named';
      readonly metadata: GgufMetadata;
      /** Rows that had no name. */
      readonly more: number;
      /** Added tokens that were called something else. */
      readonly renamed: number;
      /** Tokens that the GGUF has no row for. */
      readonly beyond: number;
    }
  /** It is another model's. */
  | { readonly kind: 'foreign'; readonly agreeing: number; readonly tokens: number }
  /** It knows what the GGUF knows, or is none. */
  | { readonly kind: 'same' };

/**
 * The metadata of a GGUF with the added tokens of an adapter's tokenizer in rows that it has: texts, types, and the token that ends a
 * turn. Rows without a name are called `[PAD640]` there, as converters write them. Merges and scores are those of the GGUF, since
 * added tokens are found as they are written.
 * @throws StudioError tokenizer/invalid
 */
export function nameSpareTokens(metadata: GgufMetadata, files: TokenizerFiles): SpareTokens {
  const own = metadata.get('tokenizer.ggml.tokens');
  const kinds = metadata.get('tokenizer.ggml.token_type');
  const isReadable = own?.type === 'array' && kinds?.type === 'array' && own.value.length === kinds.value.length;
  if (!isReadable || own.value.length === 0 || !hasTokenizer(files)) {
    return { kind: 'same' };
  }
  const tokens = Array.from(own.value, String);
  const types = Int32Array.from(kinds.value, Number);
  const trained = knownTokens(files);
  const added = addedTokens(files);
  let [agreeing, compared, more, renamed, beyond] = [0, 0, 0, 0, 0];
  for (const [id, known] of trained) {
    if (id >= tokens.length) {
      beyond++;
      continue;
    }
    const isSpare = isUnnamed(tokens[id]!, types[id]!, id);
    const entry = added.has(id) ? addedTokenEntry(known, added.get(id)!) : undefined;
    const isSame = tokens[id] === known || tokens[id] === entry?.text;
    compared += isSpare ? 0 : 1;
    agreeing += !isSpare && isSame ? 1 : 0;
    if (entry !== undefined && !isSame) {
      more += isSpare ? 1 : 0;
      renamed += isSpare ? 0 : 1;
      [tokens[id], types[id]] = [entry.text, entry.type];
    }
  }
  if (agreeing < SAME_MODEL * compared) {
    return { kind: 'foreign', agreeing, tokens: compared };
  }
  if (more + renamed + beyond === 0) {
    return { kind: 'same' };
  }
  const changed = new Map(metadata);
  changed.set('tokenizer.ggml.tokens', { ...own, value: tokens });
  changed.set('tokenizer.ggml.token_type', { type: 'array', elements: 'i32', value: types });
  const end = endOfTurn(files, trained);
  const key = 'tokenizer.ggml.eos_token_id';
  if (end !== undefined && end < tokens.length && metadata.has(key)) {
    changed.set(key, { type: 'u32', value: end } satisfies GgufValue);
  }
  return { kind: 'named', metadata: changed, more, renamed, beyond };
}

/** A row of the embedding that no tokenizer named when the GGUF was made. */
export function isUnnamed(token: string, type: number, id: number): boolean {
  return type === TOKEN_TYPE.unused && token === `[PAD${id}]`;
}

/** Added tokens by id: whether they are special. */
function addedTokens(files: TokenizerFiles): Map<number, boolean> {
  const added = new Map<number, boolean>();
  const json = files.tokenizerJson ?? tokenizerJsonFromParts(files);
  if (json !== undefined) {
    readTokenizerJson(json, files.tokenizerConfig).addedTokens.forEach(({ id, special }) => added.set(id, special));
  }
  const decoder = files.tokenizerConfig?.['added_tokens_decoder'];
  for (const [id, entry] of isJsonObject(decoder) ? Object.entries(decoder) : []) {
    if (/^\d{1,9}$/.test(id) && isJsonObject(entry)) {
      added.set(Number(id), entry['special'] === true);
    }
  }
  return added;
}

/** The id of `eos_token` in tokenizer_config.json. */
function endOfTurn({ tokenizerConfig }: TokenizerFiles, known: ReadonlyMap<number, string>): number | undefined {
  const token = tokenizerConfig?.['eos_token'];
  const text = isJsonObject(token) ? token['content'] : token;
  return typeof text === 'string' ? [...known].find(([, other]) => other === text)?.[0] : undefined;
}
