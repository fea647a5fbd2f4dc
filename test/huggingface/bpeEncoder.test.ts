import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { makeBpeEncoder } from '../../src/core/formats/huggingface/tokenizer/bpeEncoder';
import { findPreTokenizer } from '../../src/core/formats/huggingface/tokenizer/preTokenizer';
import { readTokenizerJson, type TokenizerJson } from '../../src/core/formats/huggingface/tokenizer/tokenizerJson';
import type { Json, JsonObject } from '../../src/core/json';
import { parseStrictJson } from '../../src/core/strictJson';
import { FIXTURES, sha256 } from './fixtureModel';

function fixture(name: string): { json: JsonObject; config: JsonObject; tokenizer: TokenizerJson } {
  const read = (file: string): JsonObject =>
    parseStrictJson(readFileSync(join(FIXTURES, 'tokenizers', name, file))) as JsonObject;
  const json = read('tokenizer.json');
  return { json, config: read('tokenizer_config.json'), tokenizer: readTokenizerJson(json) };
}

/** Words, scripts, digits, contractions, spaces of all kinds, emoji, special tokens, and unlucky neighbours of these. */
const CORPUS = [
  '',
  ' ',
  'Hello world',
  "it's WE'VE don'T 'RE 'tis I'LL'd",
  'caf\u00e9 cafe\u0301 \ufb01 \u0130 \u017f',
  '\ud55c\uad6d\uc5b4 \u65e5\u672c\u8a9e \u4e2d\u6587',
  '\u0928\u092e\u0938\u094d\u0924\u0947 \u0645\u0631\u062d\u0628\u0627',
  '1 22 333 4444 55555 \u0661\u0662\u0663 \u00b2\u00b3 \u2167',
  'a\tb\t\tc\r\nd\n\n\ne   f ',
  'tr\u00f4p \u00a0nbsp\u2003em\u3000ideographic',
  '\u{1f680}\u{1f469}\u200d\u{1f469}\u200d\u{1f467} \u270c\ufe0f',
  'x=1;//...!!!??? ------=======',
  '<|im_start|>user\nHi<|im_end|>\n<|endoftext|>',
  '<|begin_of_text|><|eot_id|> x<|eot_id|>',
  '<|im_start',
  'camelCase ABCdef _snake_case',
  'How wide is the field of rugby league? The field is 68 metres wide and 112 to 122 metres long.',
  '\u0000\u0001\u007f',
  '  leading',
  'trailing  ',
  '\u0399\u03a3\u03c3\u03c2 \u043d\u0435\u0449\u043e \u043d\u0430',
];

describe.each(['bpe-qwen2', 'bpe-llama3'])('%s', (name) => {
  it("gives the ids of Hugging Face's own tokenizer", () => {
    const { json, config, tokenizer } = fixture(name);
    const oracle = new Tokenizer(json, config);
    const encode = makeBpeEncoder(tokenizer)!;
    for (const text of CORPUS) {
      expect(encode(text), JSON.stringify(text)).toEqual(oracle.encode(text).ids);
    }
  });

  it('gives these ids for any concatenation of the corpus', () => {
    const { json, config, tokenizer } = fixture(name);
    const oracle = new Tokenizer(json, config);
    const encode = makeBpeEncoder(tokenizer)!;
    for (let i = 0; i < 200; i++) {
      const text = [i, i * 7 + 3, i * 13 + 5].map((at) => CORPUS[at % CORPUS.length]!).join(i % 3 === 0 ? '' : ' ');
      expect(encode(text), JSON.stringify(text)).toEqual(oracle.encode(text).ids);
    }
  });
});

describe('findPreTokenizer', () => {
  it("knows the split of Qwen2, and Llama 3's with and without BOS", () => {
    expect(findPreTokenizer(fixture('bpe-qwen2').tokenizer, sha256)).toBe('qwen2');
    const llama = fixture('bpe-llama3').tokenizer;
    expect(findPreTokenizer(llama, sha256)).toBe('llama-bpe');
    expect(findPreTokenizer({ ...llama, postProcessor: undefined }, sha256)).toBe('smaug-bpe');
  });

  it('takes the hash of the check text before the split', () => {
    const { tokenizer } = fixture('bpe-qwen2');
    expect(findPreTokenizer(tokenizer, () => '0ef9807a4087ebef797fc749390439009c3b9eda9ad1a097abbe738f486c01e5')).toBe(
      'llama-bpe',
    );
  });

  const byteLevel = (useRegex: boolean): JsonObject => ({
    type: 'ByteLevel',
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: useRegex,
  });
  const sequence = (...pretokenizers: Json[]): JsonObject => ({ type: 'Sequence', pretokenizers });
  const split = (regex: string, rest: JsonObject = { behavior: 'Isolated', invert: false }): JsonObject => ({
    type: 'Split',
    pattern: { Regex: regex },
    ...rest,
  });

  it.each<[string, JsonObject]>([
    ['gpt-2', byteLevel(true)],
    ['smollm', sequence({ type: 'Digits', individual_digits: true }, byteLevel(true))],
    [
      'qwen2',
      sequence(
        split(
          "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
          { behavior: 'Removed', invert: true },
        ),
        byteLevel(false),
      ),
    ],
    [
      'tekken',
      sequence(
        split(
          '[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
        ),
        byteLevel(false),
      ),
    ],
  ])('knows %s by its steps', (pre, preTokenizer) => {
    expect(findPreTokenizer({ ...fixture('bpe-qwen2').tokenizer, preTokenizer }, sha256)).toBe(pre);
  });

  it.each<[string, JsonObject | undefined]>([
    ['none', undefined],
    ['whitespace', { type: 'WhitespaceSplit' }],
    ['an unknown split', sequence(split('\\w+|\\W+'), byteLevel(false))],
    ['a known split and one more', sequence(split('\\p{N}'), split('\\s+(?!\\S)|\\s+'), byteLevel(false))],
    ['digits in groups', sequence({ type: 'Digits', individual_digits: false }, byteLevel(true))],
    ['no bytes', sequence(split("'s"))],
    [
      'a nested sequence without end',
      [...Array(60).keys()].reduce<JsonObject>((inner) => sequence(inner), byteLevel(true)),
    ],
  ])('refuses %s', (_, preTokenizer) => {
    expect(() => findPreTokenizer({ ...fixture('bpe-qwen2').tokenizer, preTokenizer }, sha256)).toThrow(
      expect.objectContaining({ code: 'tokenizer/unknown-pre' }) as Error,
    );
  });
});
