import { isJsonObject, type Json, type JsonObject } from '../../../json';
import type { TokenizerJson } from './tokenizerJson';
import { TOKEN_TYPE } from '../../gguf/tokenType';
import { checkTokenFits, type Vocabulary } from './vocabulary';

/** The converter gives every token this score; llama.cpp merges this vocabulary by its merges. */
const SCORE = -1000;

/** What the model writes for channels and tools: ordinary text to llama.cpp, so that its parser of answers sees it. */
const VISIBLE = new Set([
  '<|channel>',
  '<channel|>',
  '<|tool_call>',
  '<tool_call|>',
  '<|tool_response>',
  '<tool_response|>',
  '<|"|>',
]);

/** Special tokens of transformers' Gemma class, where tokenizer_config.json leaves them out. */
const CLASS_TOKENS = ['<bos>', '<eos>', '<unk>', '<pad>', '<mask>'];

/** Gemma 4's vocabulary: byte-fallback BPE with its merges, under a model name of its own. Padded to the rows of the embedding. */
export function gemma4Vocabulary(tokenizer: TokenizerJson, config: JsonObject | undefined, rows: number): Vocabulary {
  const special = specialTexts(config ?? {});
  const tokens = Array.from({ length: rows }, (_, id) => `[PAD${id}]`);
  const types = new Int32Array(rows).fill(TOKEN_TYPE.unused);
  const set = (token: string, id: number, ordinary: number): void => {
    checkTokenFits(id, token, rows);
    const byte = /^<0x[\dA-Fa-f]{2}>$/.test(token);
    tokens[id] = token;
    types[id] = VISIBLE.has(token)
      ? TOKEN_TYPE.userDefined
      : byte
        ? TOKEN_TYPE.byte
        : special.has(token)
          ? TOKEN_TYPE.control
          : ordinary;
  };
  for (const { id, content } of tokenizer.addedTokens.filter((token) => token.id < rows)) {
    set(content, id, TOKEN_TYPE.userDefined);
  }
  for (const [token, id] of tokenizer.vocab) {
    set(token, id, TOKEN_TYPE.normal);
  }
  return { model: 'gemma4', tokens, scores: new Float32Array(rows).fill(SCORE), types };
}

/** Every token that tokenizer_config.json names: `…_token`, and the lists and tables of further ones. */
function specialTexts(config: JsonObject): Set<string> {
  const name = config['tokenizer_class'];
  const texts = new Set(typeof name === 'string' && name.startsWith('Gemma') ? CLASS_TOKENS : []);
  const add = (value: Json | undefined): void => {
    const text = isJsonObject(value) ? value['content'] : value;
    if (typeof text === 'string') {
      texts.add(text);
    }
  };
  for (const [key, value] of Object.entries(config)) {
    if (key.endsWith('_token')) {
      add(value);
    } else if (key === 'extra_special_tokens' || key === 'additional_special_tokens') {
      (Array.isArray(value) ? (value as readonly Json[]) : isJsonObject(value) ? Object.values(value) : []).forEach(
        add,
      );
    }
  }
  return texts;
}
