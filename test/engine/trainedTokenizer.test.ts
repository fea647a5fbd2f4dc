import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BuildPlan } from '../../src/core/engine/buildPlan';
import { rowRanges } from '../../src/core/engine/rowRanges';
import { prepareBuild, prepareFuse } from '../../src/node/engine/prepareBuild';
import { runCliOk } from '../support/cli';
import { makeModel, temporaryFolder } from '../support/models';
import { readTensors, writePeft, writeTensors, type TensorToWrite } from '../support/tensors';

const folder = temporaryFolder();

interface TokenizerJson {
  model: { vocab: Record<string, number> };
  added_tokens: { id: number; content: string; special: boolean; normalized: boolean }[];
}

const json = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
const tokenizerOf = (directory: string): TokenizerJson => json(join(directory, 'tokenizer.json')) as never;
const save = (path: string, value: unknown): void => writeFileSync(path, JSON.stringify(value));
const COLUMNS = 256;

/** A matrix of one value, with other values in some rows. */
function matrix(rows: number, value = 0.25, other: readonly number[] = []): TensorToWrite {
  const values = new Float32Array(rows * COLUMNS).fill(value);
  other.forEach((row) => values.fill(0.75, row * COLUMNS, (row + 1) * COLUMNS));
  return { shape: [rows, COLUMNS], values };
}

/** A copy of a noise model whose embedding (and head) has `rows` rows of 0.25, and an empty folder beside it. */
function model(spec: string, rows: number): { readonly base: string; readonly adapter: string; readonly room: string } {
  const made = join(folder, spec);
  if (!existsSync(made)) {
    makeModel(spec, folder);
  }
  const room = mkdtempSync(join(folder, 'room-'));
  const base = join(room, 'base');
  cpSync(join(made, 'base'), base, { recursive: true });
  const tensors = Object.fromEntries(
    [...readTensors(base)].map(([name, tensor]) => [name, /embed_tokens|lm_head/.test(name) ? matrix(rows) : tensor]),
  );
  writeTensors(join(base, 'model.safetensors'), tensors);
  save(join(base, 'config.json'), { ...json(join(base, 'config.json')), vocab_size: rows });
  return { base, adapter: join(room, 'adapter'), room };
}

/** Puts the base's tokenizer beside an adapter, with more tokens. */
function addTokenizer(base: string, adapter: string, more: readonly [number, string][]): void {
  const tokenizer = tokenizerOf(base);
  more.forEach(([id, content]) => tokenizer.added_tokens.push({ id, content, special: true, normalized: false }));
  save(join(adapter, 'tokenizer.json'), tokenizer);
  cpSync(join(base, 'tokenizer_config.json'), join(adapter, 'tokenizer_config.json'));
}

async function planOf(
  base: string,
  adapters: readonly string[],
  trainedWith: readonly string[] = [],
): Promise<BuildPlan> {
  return await prepareBuild({
    base,
    adapters: adapters.map((path) => ({ path, weight: 1 })),
    fileType: 'F32',
    output: join(folder, 'never-written.gguf'),
    layout: 'quantised',
    trainedWith,
  });
}

function tokensOf(plan: BuildPlan, ids: readonly number[]): [unknown, unknown][] {
  const keys = new Map(plan.metadata);
  const [tokens, types] = [keys.get('tokenizer.ggml.tokens'), keys.get('tokenizer.ggml.token_type')];
  return ids.map((id) => [
    tokens?.type === 'array' ? tokens.value[id] : undefined,
    types?.type === 'array' ? types.value[id] : undefined,
  ]);
}

const messages = (plan: BuildPlan, code: string): string[] =>
  [...plan.checks, ...plan.warnings].filter((note) => note.code === code).map(({ message }) => message);

/** `first` is the first row that the base's tokenizer of 633 tokens does not name. */
const FIRST = 633;
const NEW: readonly [number, string][] = [
  [633, '<tool_call>'],
  [634, '</tool_call>'],
];
const NAMED = NEW.map(([, text]) => [text, 3]);
const EMBED = 'base_model.model.model.embed_tokens';
const HEAD = 'base_model.model.lm_head.weight';

function lora(base: string): Record<string, TensorToWrite> {
  const [rows = 0, columns = 0] = readTensors(base).get('model.layers.0.self_attn.q_proj.weight')!.shape;
  const fill = (shape: readonly number[]): TensorToWrite => ({
    shape,
    values: new Float32Array(shape[0]! * shape[1]!).fill(0.01),
  });
  const name = 'base_model.model.model.layers.0.self_attn.q_proj';
  return { [`${name}.lora_A.weight`]: fill([4, columns]), [`${name}.lora_B.weight`]: fill([rows, 4]) };
}

describe('an adapter whose tokenizer knows more than the base', () => {
  const KINDS: readonly [string, Record<string, TensorToWrite>, Record<string, unknown>][] = [
    ['no trained rows', {}, {}],
    [
      'embedding and head in modules_to_save',
      // All rows of a head are trained; of an embedding, those of tokens that were read.
      { [`${EMBED}.weight`]: matrix(704, 0.25, [3, 633, 634]), [HEAD]: matrix(704, 0.5) },
      { modules_to_save: ['embed_tokens', 'lm_head'] },
    ],
    [
      'trainable tokens',
      { [`${EMBED}.token_adapter.trainable_tokens_delta`]: matrix(2, 0.5) },
      { trainable_token_indices: { embed_tokens: [633, 634] } },
    ],
    [
      'a resized embedding',
      { [`${EMBED}.weight`]: matrix(768, 0.25, [3, 633, 634]), [HEAD]: matrix(768, 0.5) },
      { modules_to_save: ['embed_tokens', 'lm_head'] },
    ],
  ];

  it.each(KINDS)('names the spare rows: %s', async (_kind, tensors, config) => {
    const { base, adapter, room } = model('qwen3', 704);
    writePeft(adapter, config, { ...lora(base), ...tensors });
    addTokenizer(base, adapter, NEW);
    const plan = await planOf(base, [adapter]);
    expect(tokensOf(plan, [633, 634])).toEqual(NAMED);
    expect(messages(plan, 'check/tokenizer')).toEqual(["tokenizer: the adapter's own (2 more)"]);
    expect(messages(plan, 'adapter/unnamed-rows')).toEqual([]);
    expect(messages(plan, 'check/vocabulary')).toEqual([
      `635 tokens in ${tensors[HEAD]?.shape[0] ?? 704} embedding rows`,
    ]);
    await runCliOk(['fuse', '--base', base, '--adapter', adapter, '--out', join(room, 'fused')]);
    expect(readFileSync(join(room, 'fused', 'tokenizer.json'), 'utf8')).toBe(
      readFileSync(join(adapter, 'tokenizer.json'), 'utf8'),
    );
  });

  it('names them where the adapter is not merged', async () => {
    const { base, adapter } = model('qwen3', 704);
    writePeft(adapter, {}, lora(base));
    addTokenizer(base, adapter, NEW);
    expect(tokensOf(await planOf(base, [], [adapter]), [633, 634])).toEqual(NAMED);
    expect(tokensOf(await planOf(base, []), [633])).toEqual([['[PAD633]', 5]]);
  });

  it('counts where it renames a token', async () => {
    const { base, adapter } = model('qwen3', 704);
    writePeft(adapter, {}, lora(base));
    addTokenizer(base, adapter, []);
    const tokenizer = tokenizerOf(adapter);
    const renamed = tokenizer.added_tokens.at(-1)!;
    renamed.content = '<|renamed|>';
    save(join(adapter, 'tokenizer.json'), tokenizer);
    const config = json(join(adapter, 'tokenizer_config.json'));
    delete config['added_tokens_decoder'];
    save(join(adapter, 'tokenizer_config.json'), { ...config, eos_token: '<|renamed|>', extra_special_tokens: [] });
    const plan = await planOf(base, [adapter]);
    expect(tokensOf(plan, [renamed.id])).toEqual([['<|renamed|>', 3]]);
    expect(messages(plan, 'check/tokenizer')[0]).toContain('1 other');
  });
});

describe("the base's tokenizer stays where the adapter's", () => {
  it('is the same', async () => {
    const { base, adapter } = model('qwen3', 704);
    writePeft(adapter, {}, lora(base));
    addTokenizer(base, adapter, []);
    const plan = await planOf(base, [adapter]);
    expect(messages(plan, 'check/tokenizer')).toEqual([]);
    expect(messages(plan, 'check/vocabulary')).toEqual(['633 tokens in 704 embedding rows']);
  });

  it('is of another model, or cannot be read: with a warning', async () => {
    const { base, adapter } = model('qwen3', 704);
    const other = model('llama3', 704).base;
    writePeft(adapter, {}, lora(base));
    cpSync(join(other, 'tokenizer.json'), join(adapter, 'tokenizer.json'));
    const foreign = await planOf(base, [adapter]);
    expect(messages(foreign, 'adapter/tokenizer')[0]).toContain('is of another model');
    writeFileSync(join(adapter, 'tokenizer.json'), '{"model": ');
    const broken = await planOf(base, [adapter]);
    expect(messages(broken, 'adapter/tokenizer')[0]).toContain('cannot be read');
    for (const plan of [foreign, broken]) {
      expect(plan.metadata).toEqual((await planOf(base, [])).metadata);
    }
  });
});

describe('trained rows that no tokenizer names', () => {
  async function unnamed(
    tensors: Record<string, TensorToWrite>,
    config: Record<string, unknown>,
    tokens?: readonly [number, string][],
  ): Promise<string[]> {
    const { base, adapter } = model('qwen3', 704);
    writePeft(adapter, config, { ...lora(base), ...tensors });
    if (tokens !== undefined) {
      addTokenizer(base, adapter, tokens);
    }
    const request = { base, adapters: [{ path: adapter, weight: 1 }] };
    const fused = await prepareFuse({ ...request, output: join(folder, 'never-written') });
    const found = messages(await planOf(base, [adapter]), 'adapter/unnamed-rows');
    expect(messages(fused.plan, 'adapter/unnamed-rows')).toEqual(found);
    return found.map((message) => /\((.*?)\)/.exec(message)?.[1] ?? message);
  }
  const resized = (rows: number): Record<string, TensorToWrite> => ({
    [`${EMBED}.weight`]: matrix(rows),
    [HEAD]: matrix(rows),
  });

  it.each([
    ['added, and no tokenizer beside them', resized(707), undefined, ['704 to 706']],
    ['added, and the tokenizer of the base beside them', resized(707), [], ['704 to 706']],
    [
      'added, and a part of them named',
      resized(707),
      [
        [704, '<a>'],
        [705, '<b>'],
      ],
      ['706'],
    ],
    [
      'added and named',
      resized(706),
      [
        [704, '<a>'],
        [705, '<b>'],
      ],
      [],
    ],
    [
      'trained among the spare ones',
      { [`${EMBED}.weight`]: matrix(704, 0.25, [3, 640, 641, 700]) },
      undefined,
      ['640, 641 and 700'],
    ],
    ['as they were but for rounding', { [`${EMBED}.weight`]: matrix(704, 0.2501, [3]) }, undefined, []],
  ] as const)('%s', async (_what, tensors, tokens, wanted) => {
    // Adjacent rows are one range.
    const ranges = wanted.map((text) => text.replace('640, 641', '640 to 641'));
    expect(await unnamed(tensors, { modules_to_save: ['embed_tokens'] }, tokens as never)).toEqual(ranges);
  });

  it('padding of a vocabulary is none of them', async () => {
    // 633 tokens padded to 704 before; two tokens added and padded to 768.
    const rows = { [`${EMBED}.weight`]: matrix(768), [HEAD]: matrix(768) };
    expect(await unnamed(rows, { modules_to_save: ['embed_tokens', 'lm_head'] }, [[704, '<a>']])).toEqual([]);
  });

  it('trainable tokens', async () => {
    const rows = { [`${EMBED}.token_adapter.trainable_tokens_delta`]: matrix(3) };
    expect(await unnamed(rows, { trainable_token_indices: { embed_tokens: [5, FIRST, 650] } })).toEqual([
      '633 and 650',
    ]);
  });

  it('are written as ranges', () => {
    expect(rowRanges([3])).toBe('3');
    expect(rowRanges([9, 3, 4, 5, 10])).toBe('3 to 5 and 9 to 10');
    expect(rowRanges(Array.from({ length: 40 }, (_, index) => index * 2))).toBe('0, 2, 4, 6, 8, 10, …');
  });
});

describe('tokens that only tokenizer.json has, beside a tokenizer.model', () => {
  const CHATML: readonly [number, string][] = [
    [600, '<|im_start|>'],
    [601, '<|im_end|>'],
  ];
  const CONTROL = CHATML.map(([, text]) => [text, 3]);

  /** tokenizer.json and tokenizer_config.json as transformers 5 writes them: added tokens in the former alone. */
  function writeVersion5(directory: string, json5: string, tokens: readonly [number, string][]): void {
    const tokenizer = tokenizerOf(json5);
    tokens.forEach(([id, content]) => tokenizer.added_tokens.push({ id, content, special: true, normalized: false }));
    save(join(directory, 'tokenizer.json'), tokenizer);
    const config = json(join(json5, 'tokenizer_config.json'));
    delete config['added_tokens_decoder'];
    save(join(directory, 'tokenizer_config.json'), config);
  }

  it('of a model are read, and the plan says so', async () => {
    const { base } = model('llama2-spm', 602);
    writeVersion5(base, model('llama2-json', 602).base, CHATML);
    const plan = await planOf(base, []);
    expect(tokensOf(plan, [600, 601])).toEqual(CONTROL);
    expect(messages(plan, 'tokenizer/from-json')[0]).toContain('<|im_start|>');
    // Without tokenizer.json there is nothing to say, and no name for the rows.
    rmSync(join(base, 'tokenizer.json'));
    const plain = await planOf(base, []);
    expect(tokensOf(plain, [600])).toEqual([['[PAD600]', 5]]);
    expect(messages(plain, 'tokenizer/from-json')).toEqual([]);
  });

  it("of an adapter come to the base's tokenizer.model, whose scores stay", async () => {
    const { base, adapter, room } = model('llama2-spm', 602);
    writePeft(adapter, {}, lora(base));
    writeVersion5(adapter, model('llama2-json', 602).base, CHATML);
    const plan = await planOf(base, [adapter]);
    expect(tokensOf(plan, [600, 601])).toEqual(CONTROL);
    const scores = (one: BuildPlan): unknown => {
      const value = new Map(one.metadata).get('tokenizer.ggml.scores');
      return value?.type === 'array' ? Array.from(value.value as Float32Array).slice(259, 600) : undefined;
    };
    expect(scores(plan)).toEqual(scores(await planOf(base, [])));
    await runCliOk(['fuse', '--base', base, '--adapter', adapter, '--out', join(room, 'fused')]);
    expect(tokensOf(await planOf(join(room, 'fused'), []), [600, 601])).toEqual(CONTROL);
  });
});

describe('a GGUF base', () => {
  const trained = (base: string, adapter: string): string =>
    writePeft(
      adapter,
      { trainable_token_indices: { embed_tokens: [633, 634] } },
      { ...lora(base), [`${EMBED}.token_adapter.trainable_tokens_delta`]: matrix(2, 0.5) },
    );

  it('gets the names of tokens that an adapter brings for its spare rows', async () => {
    const { base, adapter, room } = model('qwen3', 704);
    const gguf = join(room, 'base.gguf');
    await runCliOk(['convert', '--base', base, '--type', 'F32', '--out', gguf]);
    trained(base, adapter);
    const before = await planOf(gguf, [adapter]);
    expect(tokensOf(before, [633, 634])).toEqual([
      ['[PAD633]', 5],
      ['[PAD634]', 5],
    ]);
    expect(messages(before, 'adapter/unnamed-rows')[0]).toContain('(633 to 634)');
    addTokenizer(base, adapter, NEW);
    const plan = await planOf(gguf, [adapter]);
    expect(tokensOf(plan, [633, 634])).toEqual(NAMED);
    expect(tokensOf(plan, [0, 632, 635])).toEqual(tokensOf(before, [0, 632, 635]));
    expect(messages(plan, 'adapter/unnamed-rows')).toEqual([]);
    expect(messages(plan, 'check/tokenizer')).toEqual(["tokenizer: the adapter's own (2 more)"]);
    // What comes of the folder is the same.
    expect(tokensOf(await planOf(base, [adapter]), [633, 634])).toEqual(NAMED);
  });

  it('leaves out tokens without a row, and a tokenizer of another model', async () => {
    const { base, adapter, room } = model('qwen3', 640);
    const gguf = join(room, 'base.gguf');
    await runCliOk(['convert', '--base', base, '--type', 'F32', '--out', gguf]);
    trained(base, adapter);
    addTokenizer(base, adapter, [...NEW, [640, '<beyond>']]);
    const plan = await planOf(gguf, [adapter]);
    expect(tokensOf(plan, [633, 634])).toEqual(NAMED);
    expect(messages(plan, 'adapter/tokenizer')[0]).toContain('1 tokens of the tokenizer');
    const other = tokenizerOf(adapter);
    const [texts, ids] = [Object.keys(other.model.vocab), Object.values(other.model.vocab)];
    texts.forEach((token, index) => (other.model.vocab[token] = ids[ids.length - 1 - index]!));
    save(join(adapter, 'tokenizer.json'), other);
    const foreign = await planOf(gguf, [adapter]);
    expect(tokensOf(foreign, [633])).toEqual([['[PAD633]', 5]]);
    expect(messages(foreign, 'adapter/tokenizer')[0]).toContain('is of another model');
  });
});

describe('special tokens with Latin-1 letters', () => {
  it('keep their text in a byte-level vocabulary; those spelt in its alphabet are decoded', async () => {
    const { base } = model('qwen3', 704);
    const tokenizer = tokenizerOf(base);
    [['<réponse>', 633] as const, ['<|fin_é|>', 634] as const, ['\u0120gap', 635] as const].forEach(([content, id]) =>
      tokenizer.added_tokens.push({ id, content, special: true, normalized: false }),
    );
    save(join(base, 'tokenizer.json'), tokenizer);
    const plan = await planOf(base, []);
    expect(tokensOf(plan, [633, 634, 635])).toEqual([
      ['<réponse>', 3],
      ['<|fin_é|>', 3],
      [' gap', 3],
    ]);
    expect(messages(plan, 'tokenizer/latin-1')[0]).toContain('2 special tokens');
  });
});
