import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StudioError } from '../../src/core/errors';
import { readModelCard } from '../../src/core/formats/huggingface/modelCard';
import { translateRegex } from '../../src/core/formats/huggingface/tokenizer/onigRegex';
import { readSentencePieceModel } from '../../src/core/formats/huggingface/tokenizer/sentencePieceModel';
import { tokenizerMetadata } from '../../src/core/formats/huggingface/tokenizer/tokenizerMetadata';
import type { TokenizerFiles } from '../../src/core/formats/huggingface/huggingFaceModel';
import type { JsonObject } from '../../src/core/json';
import { FIXTURES, sha256 } from './fixtureModel';
import { HANG_LIMIT } from '../support/hangLimit';

const BPE = JSON.parse(readFileSync(join(FIXTURES, 'tokenizers/bpe-qwen2/tokenizer.json'), 'utf8')) as {
  model: JsonObject;
} & JsonObject;
const SPM = new Uint8Array(readFileSync(join(FIXTURES, 'tokenizers/spm/tokenizer.model')));

function codeOf(files: Partial<TokenizerFiles>, rows = 640): string {
  try {
    tokenizerMetadata({ directory: 'DIR', ...files }, { rules: 'llama', config: {}, rows, sha256 });
    return 'fine';
  } catch (error) {
    return error instanceof StudioError ? error.code : `untyped: ${String(error)}`;
  }
}

const model = (changes: JsonObject): JsonObject => ({ ...BPE, model: { ...BPE.model, ...changes } });
const added = (...tokens: JsonObject[]): JsonObject => ({ ...BPE, added_tokens: tokens });
const deep = (key: string, depth: number): JsonObject =>
  [...Array(depth).keys()].reduce<JsonObject>((inner) => ({ type: 'Sequence', [key]: [inner] }), { type: 'ByteLevel' });

describe('tokenizer.json', () => {
  it('is fine unchanged, and pads to the rows', () => {
    expect(codeOf({ tokenizerJson: BPE })).toBe('fine');
    expect(codeOf({ tokenizerJson: BPE }, 100_000)).toBe('fine');
  });

  it.each<[string, string, JsonObject]>([
    ['no model', 'tokenizer/invalid', {}],
    ['a model that is a list', 'tokenizer/invalid', { model: [] }],
    ['an empty model', 'tokenizer/unknown-pre', { model: {} }],
    ['unigram', 'tokenizer/unknown-pre', model({ type: 'Unigram', vocab: [['a', 0]] })],
    ['a negative id', 'tokenizer/invalid', model({ vocab: { a: -1 } })],
    ['a fractional id', 'tokenizer/invalid', model({ vocab: { a: 0.5 } })],
    ['a huge id', 'tokenizer/invalid', model({ vocab: { a: 2 ** 31 } })],
    ['an id that is text', 'tokenizer/invalid', model({ vocab: { a: '1' } })],
    ['an id twice', 'tokenizer/invalid', model({ vocab: { a: 1, b: 1 } })],
    ['merges that are an object', 'tokenizer/invalid', model({ merges: {} })],
    ['a merge of three', 'tokenizer/invalid', model({ merges: [['a', 'b', 'c']] })],
    ['a merge of one', 'tokenizer/invalid', model({ merges: ['ab'] })],
    ['a merge of numbers', 'tokenizer/invalid', model({ merges: [[1, 2]] })],
    ['a merge of null', 'tokenizer/invalid', model({ merges: [null] })],
    ['added tokens that are an object', 'tokenizer/invalid', { ...BPE, added_tokens: {} }],
    ['an added token of null', 'tokenizer/invalid', { ...BPE, added_tokens: [null] }],
    ['an added token without text', 'tokenizer/invalid', added({ id: 630 })],
    ['an added token without an id', 'tokenizer/invalid', added({ content: 'x' })],
    [
      'two added tokens with one id',
      'tokenizer/invalid',
      added({ id: 631, content: '<x>' }, { id: 631, content: '<y>' }),
    ],
    ['an added token beyond the rows', 'tokenizer/vocabulary', added({ id: 640, content: '<x>' })],
    ['a normaliser that is a text', 'tokenizer/invalid', { ...BPE, normalizer: 'NFC' }],
    ['a pre-tokenizer that is a list', 'tokenizer/invalid', { ...BPE, pre_tokenizer: [] }],
    [
      'pre-tokenizers nested without end',
      'tokenizer/unknown-pre',
      { ...BPE, pre_tokenizer: deep('pretokenizers', 5000) },
    ],
    ['normalisers nested without end', 'fine', { ...BPE, normalizer: deep('normalizers', 5000) }],
    [
      'a post-processor of nonsense',
      'fine',
      { ...BPE, post_processor: { processors: [null, 1, { type: 'TemplateProcessing', single: 7, pair: [null] }] } },
    ],
  ])('with %s is %s', (_, code, tokenizerJson) => {
    expect(codeOf({ tokenizerJson })).toBe(code);
  });

  it('keeps tokens named like parts of objects', () => {
    const vocab = JSON.parse('{"__proto__": 0, "constructor": 1, "hasOwnProperty": 2}') as JsonObject;
    const entries = new Map(
      tokenizerMetadata(
        { directory: 'DIR', tokenizerJson: model({ vocab, merges: [] }) },
        { rules: 'plain', config: {}, rows: 640, sha256 },
      ),
    );
    const tokens = entries.get('tokenizer.ggml.tokens');
    expect(tokens?.type === 'array' && Array.from(tokens.value as string[]).slice(0, 3)).toEqual([
      '__proto__',
      'constructor',
      'hasOwnProperty',
    ]);
  });

  it('survives a tokenizer_config.json of wrong types', () => {
    const wrong = {
      bos_token: 5,
      eos_token: [],
      unk_token: {},
      chat_template: 7,
      added_tokens_decoder: [],
      add_bos_token: 'yes',
      tokenizer_class: 3,
      add_prefix_space: 'no',
    };
    expect(codeOf({ tokenizerJson: BPE, tokenizerConfig: wrong })).toBe('fine');
    expect(codeOf({ tokenizerJson: BPE, tokenizerConfig: { added_tokens_decoder: { x: { content: 'y' } } } })).toBe(
      'tokenizer/invalid',
    );
    expect(codeOf({ tokenizerJson: BPE, tokenizerConfig: { added_tokens_decoder: { 5: null } } })).toBe(
      'tokenizer/invalid',
    );
  });

  it('is missed where there is none', () => {
    expect(codeOf({})).toBe('tokenizer/missing');
    expect(codeOf({ vocab: { a: 0 }, merges: '' })).toBe('tokenizer/missing');
  });

  it('is not needed beside vocab.json and merges.txt', () => {
    const merges = (BPE.model['merges'] as unknown as [string, string][]).map((pair) => pair.join(' '));
    const files = {
      vocab: BPE.model['vocab'] as JsonObject,
      merges: ['#version: 0.2', ...merges, ''].join('\n'),
      tokenizerConfig: { tokenizer_class: 'Qwen2Tokenizer' },
      addedTokens: { '<|im_end|>': 632 },
    };
    const parts = new Map(
      tokenizerMetadata({ directory: 'DIR', ...files }, { rules: 'plain', config: {}, rows: 640, sha256 }),
    );
    const whole = new Map(
      tokenizerMetadata({ directory: 'DIR', tokenizerJson: BPE }, { rules: 'plain', config: {}, rows: 640, sha256 }),
    );
    expect(parts.get('tokenizer.ggml.pre')).toEqual({ type: 'string', value: 'qwen2' });
    expect(parts.get('tokenizer.ggml.merges')).toEqual(whole.get('tokenizer.ggml.merges'));
  });
});

describe('regular expressions of strangers', () => {
  it.each([
    '(a+)+$',
    '(\\s|\\s)*x',
    '(?:a|a)*b',
    '.*.*.*x',
    '.{0,80}.{0,80}.{0,80}x',
    `${'a{0,3}'.repeat(12)}x`,
    '(?:\\p{L}*\\p{N}*)*',
    '(?<n>a)',
    '(a)\\1',
    'a++',
    '(?>a)',
    '[a&&b]',
    '[[:alpha:]]',
    '\\bx',
    '(?i)x',
    '[',
    '(',
    'x{3,1}',
    '\\',
    `${'('.repeat(200)}a${')'.repeat(200)}`,
    'a'.repeat(20_000),
  ])('are declined: %s', (pattern) => {
    expect(translateRegex(pattern)).toBeUndefined();
  });

  it('of the costliest known tokenizer are taken', () => {
    const [upper, lower, suffix] = [
      '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]',
      '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]',
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    ];
    const words = (first: string): string => `[^\\r\\n\\p{L}\\p{N}]?${first}${suffix}`;
    const gpt4o = translateRegex(
      `${words(`${upper}*${lower}+`)}|${words(`${upper}+${lower}*`)}|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
    );
    expect("I'LL bEGIN 12345.\n".match(gpt4o!)).toEqual(["I'LL", ' b', 'EGIN', ' ', '123', '45', '.\n']);
  });

  it('mean what they mean to Oniguruma', () => {
    expect('\u0085'.match(translateRegex('\\s')!)).not.toBeNull();
    expect('\ufeff'.match(translateRegex('\\s')!)).toBeNull();
    expect("'\u017f 'S".match(translateRegex("(?i:'s)")!)).toEqual(["'\u017f", "'S"]);
    expect('a.b-c'.match(translateRegex('[.\\-]')!)).toEqual(['.', '-']);
    expect('x\ry\nz'.match(translateRegex('.+')!)).toEqual(['x\ry', 'z']);
    expect('\u6f22a'.match(translateRegex('\\p{Han}')!)).toEqual(['\u6f22']);
    expect('ab\ncd'.match(translateRegex('\\w$')!)).toEqual(['b', 'd']);
  });
});

describe('tokenizer.model', () => {
  it('every prefix is read or refused, and so is every flipped byte', () => {
    const check = (bytes: Uint8Array): void => {
      try {
        expect(readSentencePieceModel(bytes).pieces.length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(StudioError);
        expect((error as StudioError).code).toBe('tokenizer/invalid');
      }
    };
    for (let length = 0; length < Math.min(SPM.length, 600); length++) {
      check(SPM.subarray(0, length));
    }
    for (let at = 0; at < SPM.length; at += 7) {
      const bytes = SPM.slice();
      bytes[at] = bytes[at]! ^ 0xff;
      check(bytes);
    }
  });

  it.each<[string, string, Uint8Array, number]>([
    ['nothing', 'tokenizer/invalid', new Uint8Array(), 600],
    ['a length beyond the end', 'tokenizer/invalid', Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f), 600],
    ['a number without end', 'tokenizer/invalid', new Uint8Array(20).fill(0xff), 600],
    ['text', 'tokenizer/invalid', new TextEncoder().encode('version https://git-lfs.github.com/spec/v1'), 600],
    ['more pieces than rows', 'tokenizer/vocabulary', SPM, 599],
    ['enough rows', 'fine', SPM, 600],
    ['a unigram model', 'tokenizer/unknown-pre', Uint8Array.of(0x0a, 3, 0x0a, 1, 0x61, 0x12, 2, 0x18, 1), 600],
    ['a piece that is not UTF-8', 'tokenizer/invalid', Uint8Array.of(0x0a, 3, 0x0a, 1, 0xff), 600],
    ['a piece of an unknown type', 'tokenizer/invalid', Uint8Array.of(0x0a, 5, 0x0a, 1, 0x61, 0x18, 9), 600],
  ])('with %s is %s', (_, code, tokenizerModel, rows) => {
    expect(codeOf({ tokenizerModel }, rows)).toBe(code);
  });

  it('leaves added tokens without a row out, and refuses ids that are none', () => {
    expect(codeOf({ tokenizerModel: SPM, addedTokens: { '<pad>': 600 } }, 600)).toBe('fine');
    expect(codeOf({ tokenizerModel: SPM, addedTokens: { '<pad>': -1 } }, 600)).toBe('tokenizer/invalid');
    expect(
      codeOf({ tokenizerModel: SPM, tokenizerConfig: { added_tokens_decoder: { x: { content: 'y' } } } }, 600),
    ).toBe('tokenizer/invalid');
  });
});

describe('model cards', () => {
  it.each([
    '---',
    '---\n',
    '---\n: :\n- -\n[\n---',
    '---\ntags: [a, [b, "c\n---',
    '---\nlicense: &a *a\n---',
    '---\n"unclosed: x\n---',
    `---\n${'- '.repeat(5000)}\n---`,
    `---\n${'a: {'.repeat(5000)}`,
    '---\ntags: !!python/object:os.system\n---',
    `---\ntags: ["${'\\"'.repeat(50_000)}`,
    `---\ntags: [${'"a", '.repeat(50_000)}`,
  ])('never throw: %#', (readme) => {
    const start = performance.now();
    expect(readModelCard(readme)).toBeInstanceOf(Map);
    expect(performance.now() - start).toBeLessThan(HANG_LIMIT);
  });
});
