import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { memorySource } from '../../src/core/bytes';
import { readGguf } from '../../src/core/formats/gguf/readGguf';
import type { GgufFile, GgufValue } from '../../src/core/formats/gguf/ggufTypes';
import { encodeGgufHeader } from '../../src/core/formats/gguf/writeGguf';
import { BYTE_TO_CHAR, toByteAlphabet } from '../../src/core/formats/huggingface/tokenizer/byteAlphabet';
import { readGgufVocabulary } from '../../src/core/viewer/tokenizer/ggufVocabulary';
import { makeTextTokenizer, tokenText } from '../../src/core/viewer/tokenizer/tokenizeText';
import { runCliOk } from '../support/cli';
import { llamaOrSkip } from '../support/llama';
import { makeModel, temporaryFolder } from '../support/models';
import { Random } from '../support/random';
import { TOKEN_CORPUS } from '../support/tokenGoldens';

const work = temporaryFolder();

/** One name of each set of rules, and some of its other names. */
const PRE_TOKENIZERS = [
  'llama-bpe',
  'smaug-bpe',
  'qwen2',
  'qwen35',
  'gpt-2',
  'smollm',
  'starcoder',
  'falcon',
  'deepseek-v3',
  'deepseek-coder',
  'tekken',
  'gpt-4o',
  'bloom',
  'viking',
  'bailingmoe',
  'seed-coder',
  'ufakzeka',
  'laguna',
  'minicpm5',
  'default',
  'chatglm-bpe',
  'megrez',
  'exaone4',
  'minimax-m2',
];

/** What separates one rule from another: digits, cases, contractions, spaces, marks, scripts. */
const PIECES = [
  'a',
  'B',
  'the',
  'FIELD',
  'McCoy',
  ' ',
  '  ',
  '   ',
  '\n',
  '\r\n',
  '\n\n',
  '\t',
  '\u00a0',
  '\u3000',
  '1',
  '12',
  '123',
  '1234567',
  '3.14',
  "'s",
  "'LL",
  "'Ve",
  "don't",
  '!',
  '!?',
  '...',
  '#$%',
  '(x)',
  '"',
  '_',
  '/',
  '\\',
  '\u00e9',
  'e\u0301',
  '\u00df',
  '\u0411\u044a',
  '\u6211\u60f3',
  '\u65e5\u672c',
  '\ud55c\uad6d',
  '\u0928\u092e\u0938\u094d\u0924\u0947',
  '\u0645\u0631\u062d\u0628\u0627',
  '\u0661\u0662',
  '\u00b2',
  '\u{1f680}',
  '\u{1f469}\u200d\u{1f467}',
  '\u2028',
  '\u0085',
  '\ufeff',
  '\u200b',
  '<|im_start|>',
  '<|im_end|>',
  '<s>',
  '$+<=>',
  '\u20ac',
  '\u2014',
  '~',
  '`',
];

function fuzzTexts(count: number): string[] {
  const random = new Random(7);
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + random.below(14) }, () => PIECES[random.below(PIECES.length)]!).join(''),
  );
}

const TEXTS = [...TOKEN_CORPUS, ...fuzzTexts(1500)].filter((text) => text !== '');

interface Source {
  readonly file: GgufFile;
  readonly data: Uint8Array;
}

async function build(spec: string): Promise<Source> {
  const path = join(work, `${spec}.gguf`);
  await runCliOk(['convert', '--base', join(makeModel(spec, work), 'base'), '--type', 'F16', '--out', path]);
  const bytes = readFileSync(path);
  const file = await readGguf(memorySource(bytes));
  return { file, data: bytes.subarray(file.dataOffset) };
}

/** The same model under other metadata. */
function rewrite(
  { file, data }: Source,
  changes: ReadonlyMap<string, GgufValue>,
  name: string,
): { readonly path: string; readonly metadata: ReadonlyMap<string, GgufValue> } {
  const metadata = new Map([...file.metadata, ...changes]);
  const { header } = encodeGgufHeader({ metadata, tensors: file.tensors });
  const path = join(work, `${name}.gguf`);
  const handle = openSync(path, 'w');
  writeSync(handle, header);
  writeSync(handle, data);
  closeSync(handle);
  return { path, metadata };
}

let bpe: Source;
let spm: Source;
beforeAll(async () => {
  bpe = withGreedyVocabulary(await build('qwen3'));
  spm = await build('llama2-spm');
});

/**
 * The same model with merges that were learnt on the texts as a whole, so that they reach across every boundary that a
 * pre-tokenizer may draw: where it draws none, the tokens are others.
 */
function withGreedyVocabulary(source: Source): Source {
  const tokens = [...(source.file.metadata.get('tokenizer.ggml.tokens')!.value as readonly string[])];
  const room = tokens.findIndex((token) => token === '<|endoftext|>') - BYTE_TO_CHAR.length;
  const merges = learnMerges(
    TEXTS.map((text) => Array.from(toByteAlphabet(text))),
    room,
    tokens.slice(BYTE_TO_CHAR.length + room),
  );
  [...BYTE_TO_CHAR, ...merges.map(([left, right]) => left + right)].forEach((token, id) => {
    tokens[id] = token;
  });
  const strings = (value: readonly string[]): GgufValue => ({ type: 'array', elements: 'string', value });
  const metadata = new Map([
    ...source.file.metadata,
    ['tokenizer.ggml.tokens', strings(tokens)] as const,
    ['tokenizer.ggml.merges', strings(merges.map((pair) => pair.join(' ')))] as const,
  ]);
  return { ...source, file: { ...source.file, metadata } };
}

/** `taken`: tokens that no merge may make once more. */
function learnMerges(texts: string[][], count: number, taken: readonly string[]): (readonly [string, string])[] {
  const merges: (readonly [string, string])[] = [];
  const made = new Set(taken);
  while (merges.length < count) {
    const pairs = new Map<string, number>();
    for (const text of texts) {
      for (let at = 1; at < text.length; at++) {
        const pair = `${text[at - 1]!} ${text[at]!}`;
        pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
      }
    }
    const [best] = [...pairs].filter(([pair]) => !made.has(pair.replace(' ', ''))).sort((a, b) => b[1] - a[1]);
    const [left, right] = best![0].split(' ') as [string, string];
    made.add(left + right);
    merges.push([left, right]);
    texts = texts.map((text) => joinPairs(text, left, right));
  }
  return merges;
}

function joinPairs(text: readonly string[], left: string, right: string): string[] {
  const joined: string[] = [];
  for (const symbol of text) {
    if (symbol === right && joined.at(-1) === left) {
      joined[joined.length - 1] = left + right;
    } else {
      joined.push(symbol);
    }
  }
  return joined;
}

const string = (value: string): GgufValue => ({ type: 'string', value });

describe('a text is cut as llama.cpp cuts it', () => {
  const compare = async (
    context: Parameters<typeof llamaOrSkip>[0],
    path: string,
    metadata: ReadonlyMap<string, GgufValue>,
  ): Promise<void> => {
    const model = await llamaOrSkip(context).loadModel({ modelPath: path, useMmap: false });
    try {
      const tokenizer = makeTextTokenizer(readGgufVocabulary(metadata)!);
      if (typeof tokenizer === 'string') {
        throw new Error(tokenizer);
      }
      const wrong = TEXTS.map((text) => ({
        text,
        ours: tokenizer.encode(text).join(' '),
        llama: [...model.tokenize(text, true)].join(' '),
      })).filter(({ ours, llama }) => ours !== llama);
      expect(wrong.slice(0, 5)).toEqual([]);
    } finally {
      await model.dispose();
    }
  };

  it.for(PRE_TOKENIZERS)('byte pair encoding with the pre-tokenizer %s', async (pre, context) => {
    const { path, metadata } = rewrite(bpe, new Map([['tokenizer.ggml.pre', string(pre)]]), pre);
    await compare(context, path, metadata);
  });

  it.for([true, false])('SentencePiece, add_space_prefix %s', async (prefix, context) => {
    const { path, metadata } = rewrite(
      spm,
      new Map<string, GgufValue>([['tokenizer.ggml.add_space_prefix', { type: 'bool', value: prefix }]]),
      `spm-${String(prefix)}`,
    );
    await compare(context, path, metadata);
  });

  it.for(['gemma4', 'sarvam-moe'])('byte pair encoding without the byte alphabet: %s', async (pre, context) => {
    const tokens = spm.file.metadata.get('tokenizer.ggml.tokens')!.value as readonly string[];
    const scores = spm.file.metadata.get('tokenizer.ggml.scores')!.value as ArrayLike<number>;
    const known = new Set(tokens);
    // A merge for every way in which a token is made of two others, the best token first.
    const merges = tokens
      .map((token, id) => ({ token, score: scores[id]! }))
      .sort((a, b) => b.score - a.score)
      .flatMap(({ token }) =>
        Array.from(token).flatMap((_, at, characters) => {
          const [left, right] = [characters.slice(0, at).join(''), characters.slice(at).join('')];
          return at > 0 && !token.startsWith('<') && known.has(left) && known.has(right) ? [`${left} ${right}`] : [];
        }),
      );
    expect(merges.length).toBeGreaterThan(100);
    const { path, metadata } = rewrite(
      spm,
      new Map<string, GgufValue>([
        ['tokenizer.ggml.model', string('gpt2')],
        ['tokenizer.ggml.pre', string(pre)],
        ['tokenizer.ggml.merges', { type: 'array', elements: 'string', value: merges }],
      ]),
      pre,
    );
    await compare(context, path, metadata);
  });

  it('and the texts tell the rules apart', () => {
    const encoded = (pre: string): string => {
      const tokenizer = makeTextTokenizer({ ...readGgufVocabulary(bpe.file.metadata)!, pre });
      return typeof tokenizer === 'string'
        ? tokenizer
        : TEXTS.map((text) => tokenizer.encode(text).join(' ')).join('\n');
    };
    const different = [
      'llama-bpe',
      'qwen2',
      'gpt-2',
      'smollm',
      'falcon',
      'deepseek-v3',
      'deepseek-coder',
      'tekken',
      'gpt-4o',
      'bloom',
      'default',
    ];
    expect(new Set(different.map(encoded)).size).toBe(different.length);
    expect(encoded('made-up')).toContain('is not reproduced here');
  });

  it('and the texts of tokens make the text again', () => {
    const vocabulary = readGgufVocabulary(bpe.file.metadata)!;
    const tokenizer = makeTextTokenizer(vocabulary);
    if (typeof tokenizer === 'string') {
      throw new Error(tokenizer);
    }
    for (const text of ['How wide is the field? <|im_end|>', 'a  b\n']) {
      expect(
        tokenizer
          .encode(text)
          .map((id) => tokenText(vocabulary, id))
          .join(''),
      ).toBe(text);
    }
  });
});
