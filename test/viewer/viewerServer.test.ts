import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memorySource } from '../../src/core/bytes';
import { readGguf } from '../../src/core/formats/gguf/readGguf';
import { readSafetensorsHeader } from '../../src/core/formats/safetensors/readSafetensors';
import { ANSWERS, type AnswerOf, type PageQuestion, type ViewerQuestion } from '../../src/core/viewer/viewerProtocol';
import { placeOf } from '../../src/node/viewer/viewAdapter';
import { findBase } from '../../src/node/inputs/findBase';
import { ViewerServer } from '../../src/node/viewer/viewerServer';
import { FIXTURES, ROOT, runCliOk } from '../support/cli';
import { temporaryFolder } from '../support/models';
import { readTokenGolden, TOKEN_CORPUS } from '../support/tokenGoldens';

const work = temporaryFolder();
const BASE = join(FIXTURES, 'rugby/base');
const LORA = join(FIXTURES, 'rugby/lora');
const quantised = join(work, 'rugby.Q4_K_M.gguf');
const plain = join(work, 'rugby.F32.gguf');
const ggufAdapter = join(work, 'lora.gguf');
const servers: ViewerServer[] = [];

/** Asks a server of the file, and holds the answer against its schema. */
function asker(
  path: string,
): <K extends keyof typeof ANSWERS>(question: Extract<ViewerQuestion, { ask: K }>) => Promise<AnswerOf<K>> {
  const server = new ViewerServer(path, join(ROOT, 'dist'));
  servers.push(server);
  return async (question) =>
    ANSWERS[question.ask].parse(JSON.parse(JSON.stringify(await server.answer(question)))) as never;
}

beforeAll(async () => {
  await runCliOk(['build', '--base', BASE, '--adapter', LORA, '--type', 'Q4_K_M', '--out', quantised]);
  await runCliOk(['convert', '--base', BASE, '--type', 'F32', '--out', plain]);
  await runCliOk(['convert-adapter', '--base', BASE, '--adapter', LORA, '--type', 'F32', '--out', ggufAdapter]);
});

afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
});

const everything: Omit<Extract<PageQuestion, { ask: 'tensors' }>, 'ask'> = {
  filter: '',
  sort: 'file',
  descending: false,
  onlyProblems: false,
  start: 0,
  count: 200,
};

describe('questions about a GGUF', () => {
  it('are answered from its header', async () => {
    const ask = asker(quantised);
    const summary = await ask({ ask: 'summary' });
    expect(summary).toMatchObject({
      headline: [
        'Qwen3',
        '3.3 M parameters',
        'Q4_K_M (4.9 bits a weight)',
        expect.stringMatching(/MB$/),
        'context 512',
      ],
      complete: true,
      isAdapter: false,
      canQuantise: true,
      counts: { tokens: 640, problems: 0 },
    });
    expect(summary.mix.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    const strict = await readGguf(memorySource(readFileSync(quantised)));
    const { rows, total } = await ask({ ask: 'tensors', ...everything });
    expect(total).toBe(strict.tensors.length);
    expect(rows.map(({ name }) => name)).toEqual(strict.tensors.map(({ name }) => name));
    expect(rows[5]!.offset).toBe(`0x${(strict.dataOffset + strict.tensors[5]!.offset).toString(16)}`);
    const embedding = strict.tensors.findIndex(({ name }) => name === 'token_embd.weight');
    const found = await ask({ ask: 'find', ...everything, sort: 'size', descending: true, index: embedding });
    expect(found.row).toBe(strict.tensors.filter(({ bytes }) => bytes > strict.tensors[embedding]!.bytes).length);
  });

  it('page through arrays and texts', async () => {
    const ask = asker(quantised);
    const { rows } = await ask({ ask: 'metadata', filter: 'tokenizer', start: 0, count: 200 });
    const tokens = rows.find(({ key }) => key === 'tokenizer.ggml.tokens')!;
    const strict = await readGguf(memorySource(readFileSync(quantised)));
    const values = strict.metadata.get('tokenizer.ggml.tokens')!.value as readonly string[];
    expect(await ask({ ask: 'value', index: tokens.index, start: 300, count: 50 })).toMatchObject({
      start: 300,
      total: 640,
      isText: false,
      rows: values.slice(300, 350).map((token) => JSON.stringify(token)),
    });
    const template = rows.find(({ key }) => key === 'tokenizer.chat_template')!;
    expect(await ask({ ask: 'value', index: template.index, start: 0, count: 1 })).toMatchObject({
      isText: true,
      cut: false,
      rows: [strict.metadata.get('tokenizer.chat_template')!.value],
    });
    await expect(ask({ ask: 'value', index: 9999, start: 0, count: 1 })).rejects.toMatchObject({
      code: 'input/changed',
    });
  });

  it('search the vocabulary by text, id and kind', async () => {
    const ask = asker(quantised);
    const page = { start: 0, count: 200 } as const;
    const special = await ask({ ask: 'vocabulary', filter: '', kind: 'control', ...page });
    expect(special.rows.map(({ text }) => text)).toEqual(expect.arrayContaining(['<|im_start|>', '<|im_end|>']));
    expect((await ask({ ask: 'vocabulary', filter: '286', kind: 'all', ...page })).rows[0]).toMatchObject({ id: 286 });
    expect((await ask({ ask: 'vocabulary', filter: ' field', kind: 'all', ...page })).rows.length).toBeGreaterThan(0);
  });

  it('give the JSON that inspect prints', async () => {
    const { text } = await asker(quantised)({ ask: 'json' });
    expect(JSON.parse(text)).toEqual(await runCliOk(['inspect', quantised]));
  });

  it('find the template of Ollama that does the same', async () => {
    const ask = asker(quantised);
    const { templates, warnings } = await ask({ ask: 'templates' });
    expect(templates).toMatchObject([{ name: 'default', format: 'ChatML', cut: false }]);
    expect(warnings).toEqual([]);
    const go = await ask({ ask: 'goTemplate' });
    expect(go.exact).toBe(true);
    expect(go.text).toContain('<|im_start|>');
    expect(go.stops).toContain('<|im_end|>');
  });

  it('tell where it was built from', async () => {
    const { facts } = await asker(quantised)({ ask: 'origin' });
    expect(facts).toEqual(
      expect.arrayContaining([
        { label: 'Built from', value: expect.stringMatching(/base \+ .*lora$/) as string },
        { label: 'Up to date', value: 'yes' },
      ]),
    );
  });
});

describe('the tokenizer of a folder', () => {
  it.each(['bpe-llama3', 'bpe-qwen2', 'spm'] as const)('%s splits text as Hugging Face does', async (name) => {
    const folder = join(work, name);
    cpSync(join(FIXTURES, 'tokenizers', name), folder, { recursive: true });
    writeFileSync(
      join(folder, 'model.safetensors'),
      Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{}')]),
    );
    const ask = asker(join(folder, 'model.safetensors'));
    expect(await ask({ ask: 'origin' })).toMatchObject({ hasTokenizer: true });
    const { ids } = readTokenGolden(name);
    for (const [index, text] of TOKEN_CORPUS.entries()) {
      // SentencePiece itself knows no special tokens in a text; Qwen composes Unicode first.
      if (name === 'spm' && /<[/\w|]+>/.test(text)) {
        continue;
      }
      const { tokens } = await ask({ ask: 'tokenise', text: name === 'bpe-qwen2' ? text.normalize('NFC') : text });
      expect(
        tokens.filter(({ added }) => !added).map(({ id }) => id),
        text,
      ).toEqual(ids[index]);
    }
  });
});

/** |scale * B @ A| and |W|, multiplied out in f64 from the values in the files. */
async function denseNorms(module: string): Promise<{ readonly delta: number; readonly ratio: number }> {
  const read = async (
    file: string,
    name: string,
  ): Promise<{ readonly values: Float32Array; readonly shape: readonly number[] }> => {
    const bytes = readFileSync(file);
    const tensor = (await readSafetensorsHeader(memorySource(bytes))).tensors.get(name)!;
    const raw = bytes.buffer.slice(bytes.byteOffset + tensor.offset, bytes.byteOffset + tensor.offset + tensor.bytes);
    const values =
      tensor.dtype === 'BF16'
        ? new Float32Array(Uint32Array.from(new Uint16Array(raw), (half) => half << 16).buffer)
        : new Float32Array(raw);
    return { values, shape: tensor.shape };
  };
  const adapter = join(LORA, 'adapter_model.safetensors');
  const a = await read(adapter, `base_model.model.${module}.lora_A.weight`);
  const b = await read(adapter, `base_model.model.${module}.lora_B.weight`);
  const w = await read(join(BASE, 'model.safetensors'), `${module}.weight`);
  const [rank, columns, rows] = [a.shape[0]!, a.shape[1]!, b.shape[0]!];
  let squared = 0;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let k = 0; k < rank; k++) {
        sum += b.values[i * rank + k]! * a.values[k * columns + j]!;
      }
      squared += (2 * sum) ** 2;
    }
  }
  const weight = w.values.reduce((sum, value) => sum + value * value, 0);
  return { delta: Math.sqrt(squared), ratio: Math.sqrt(squared / weight) };
}

describe('an adapter', () => {
  it('is measured module by module, against the base beside it', async () => {
    const answer = await asker(join(LORA, 'adapter_model.safetensors'))({ ask: 'adapter' });
    expect(answer).toMatchObject({ measured: 28, modules: 28, base: 'base' });
    for (const module of ['model.layers.0.self_attn.q_proj', 'model.layers.3.mlp.down_proj']) {
      const cell = answer.cells.find(({ name }) => name === `${module}.weight`)!;
      const dense = await denseNorms(module);
      expect(cell.delta! / dense.delta).toBeCloseTo(1, 5);
      // |W| is taken from some of its rows.
      expect(cell.ratio! / dense.ratio).toBeGreaterThan(0.8);
      expect(cell.ratio! / dense.ratio).toBeLessThan(1.25);
    }
    expect(answer.cells.map(({ layer }) => layer)).toEqual(expect.arrayContaining([0, 1, 2, 3]));
  });

  it('as a GGUF has the same deltas, and takes a GGUF as its base', async () => {
    const folder = await asker(join(LORA, 'adapter_model.safetensors'))({ ask: 'adapter' });
    const ask = asker(ggufAdapter);
    expect(await ask({ ask: 'summary' })).toMatchObject({ isAdapter: true, canQuantise: false });
    const alone = await ask({ ask: 'adapter' });
    expect(alone.base).toBeUndefined();
    expect(alone.cells.every(({ ratio }) => ratio === undefined)).toBe(true);
    const sizes = (answer: AnswerOf<'adapter'>): number[] =>
      answer.cells.map(({ delta }) => delta!).sort((x, y) => x - y);
    sizes(alone).forEach((delta, index) => expect(delta / sizes(folder)[index]!).toBeCloseTo(1, 4));
    const against = await ask({ ask: 'adapter', base: plain });
    expect(against.cells.every(({ ratio }) => ratio !== undefined && ratio > 0.05 && ratio < 1)).toBe(true);
    await expect(ask({ ask: 'adapter', base: join(work, 'nowhere') })).rejects.toMatchObject({ code: 'input/missing' });
  });

  it('without its base shows |ΔW| alone, and of a DoRA says what is missing', async () => {
    const alone = join(work, 'alone/deep/down/here/lora');
    mkdirSync(alone, { recursive: true });
    cpSync(LORA, alone, { recursive: true });
    const answer = await asker(join(alone, 'adapter_model.safetensors'))({ ask: 'adapter' });
    expect(answer.cells.every(({ delta, ratio }) => delta !== undefined && ratio === undefined)).toBe(true);
    const dora = await asker(join(FIXTURES, 'rugby/dora/adapter_model.safetensors'))({ ask: 'adapter' });
    expect(dora.notes.join(' ')).toContain('DoRA');
    expect(dora.measured).toBeGreaterThan(0);
  });

  it.each(['mlx-lora/adapters.safetensors', 'rslora/adapter_model.safetensors', 'embed/adapter_model.safetensors'])(
    '%s is measured as well',
    async (name) => {
      const answer = await asker(join(FIXTURES, 'rugby', name))({ ask: 'adapter' });
      expect(answer.measured).toBe(answer.modules);
      expect(answer.cells.filter(({ ratio }) => ratio !== undefined && ratio > 0).length).toBeGreaterThan(0);
    },
  );

  it('places modules by layer', () => {
    expect(placeOf('model.layers.12.self_attn.q_proj.weight')).toEqual({ layer: 12, name: 'q_proj' });
    expect(placeOf('blk.3.ffn_down.weight')).toEqual({ layer: 3, name: 'ffn_down' });
    expect(placeOf('lm_head.weight')).toEqual({ layer: -1, name: 'lm_head' });
  });

  it('never looks for its base on the network or by address', async () => {
    for (const name of ['\\\\host\\share', '//host/share', 'https://example.org/model', 'a\0b', '']) {
      expect(await findBase(name, LORA)).toBeUndefined();
    }
  });
});

describe('two files', () => {
  it('are compared by key, tensor and value', async () => {
    const ask = asker(quantised);
    await expect(ask({ ask: 'differences', part: 'tensors', filter: '', start: 0, count: 10 })).rejects.toMatchObject({
      code: 'usage/arguments',
    });
    const result = await ask({ ask: 'compare', path: plain });
    expect(result.metadata).toEqual({ same: 24, different: 1, onlyHere: 0, onlyThere: 0 });
    const metadata = await ask({ ask: 'differences', part: 'metadata', filter: '', start: 0, count: 10 });
    expect(metadata.rows[0]).toMatchObject({ name: 'general.file_type', kind: 'different', here: '15', there: '0' });
    const tensors = await ask({ ask: 'differences', part: 'tensors', filter: 'token_embd', start: 0, count: 10 });
    expect(tensors.rows[0]).toMatchObject({ here: 'Q6_K · 256 × 640', there: 'F32 · 256 × 640' });
    expect((await ask({ ask: 'values', index: tensors.rows[0]!.index })).text).toMatch(
      /% of the values differ .* cosine 0\.999/,
    );
    const norm = await ask({ ask: 'differences', part: 'tensors', filter: 'output_norm', start: 0, count: 10 });
    expect((await ask({ ask: 'values', index: norm.rows[0]!.index })).text).toBe('all 256 values are equal');
  });

  it('on the command line too, in figures that add up', async () => {
    const json = (await runCliOk(['compare', quantised, plain, '--values'])) as {
      tensors: { same: number; different: unknown[] };
      values: {
        name: string;
        maxAbsolute: number;
        meanAbsolute: number;
        cosine: number;
        differing: number;
        values: number;
      }[];
    };
    expect(json.tensors.same + json.tensors.different.length).toBe(46);
    const [a, b] = [await readGguf(memorySource(readFileSync(plain))), readFileSync(plain)];
    const same = (await runCliOk(['compare', plain, plain, '--values'])) as { values: { differing: number }[] };
    expect(same.values.every(({ differing }) => differing === 0)).toBe(true);
    expect(same.values).toHaveLength(46);
    const embedding = json.values.find(({ name }) => name === 'token_embd.weight')!;
    expect(embedding.values).toBe(256 * 640);
    // Q6_K keeps the embedding within a few parts in a thousand of its largest value.
    const tensor = a.tensors.find(({ name }) => name === 'token_embd.weight')!;
    const values = new Float32Array(
      b.buffer.slice(
        b.byteOffset + a.dataOffset + tensor.offset,
        b.byteOffset + a.dataOffset + tensor.offset + tensor.bytes,
      ),
    );
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(embedding.maxAbsolute).toBeLessThan(largest / 16);
    expect(embedding.meanAbsolute).toBeLessThan(embedding.maxAbsolute);
    expect(embedding.cosine).toBeGreaterThan(0.999);
  });
});
