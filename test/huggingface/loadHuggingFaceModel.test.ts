import { cpSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { StudioError } from '../../src/core/errors';
import { sixteenBitName } from '../../src/core/formats/huggingface/quantisedBase';
import { loadHuggingFaceModel } from '../../src/node/inputs/loadHuggingFaceModel';
import { FIXTURES, fixtureDirectory } from './fixtureModel';

const LFS =
  'version https://git-lfs.github.com/spec/v1\noid sha256:0000000000000000000000000000000000000000000000000000000000000000\nsize 123456\n';
let sharded: string;
let root: string;
let directory: string;

beforeAll(() => {
  sharded = fixtureDirectory('llama3');
  root = mkdtempSync(join(tmpdir(), 'studio-load-'));
});
afterAll(() => rmSync(root, { recursive: true }));

beforeEach(() => {
  directory = mkdtempSync(join(root, 'model-'));
  cpSync(sharded, directory, { recursive: true });
});

async function refusal(path = directory): Promise<StudioError> {
  const error: unknown = await loadHuggingFaceModel(path).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StudioError);
  return error as StudioError;
}

async function edit(file: string, change: (json: Record<string, unknown>) => void): Promise<void> {
  const json = JSON.parse(await readFile(join(directory, file), 'utf8')) as Record<string, unknown>;
  change(json);
  await writeFile(join(directory, file), JSON.stringify(json));
}

/** A safetensors file of one small tensor. */
function safetensors(name: string, dtype: string, bytes: number): Buffer {
  const header = Buffer.from(JSON.stringify({ [name]: { dtype, shape: [bytes], data_offsets: [0, bytes] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(bytes)]);
}

function singleFile(content: Buffer | string): void {
  rmSync(join(directory, 'model.safetensors.index.json'));
  [1, 2, 3].forEach((shard) => rmSync(join(directory, `model-0000${shard}-of-00003.safetensors`)));
  writeFileSync(join(directory, 'model.safetensors'), content);
}

describe('loadHuggingFaceModel', () => {
  it('reads all shards, and everything beside them', async () => {
    writeFileSync(join(directory, 'README.md'), '---\nlicense: mit\n---\n');
    writeFileSync(join(directory, 'generation_config.json'), '{"temperature": 0.5}');
    const model = await loadHuggingFaceModel(directory);
    expect(model.tensors.size).toBe(38);
    expect(new Set([...model.tensors.values()].map((tensor) => tensor.file)).size).toBe(3);
    expect(model.weightsFormat).toBe('pt');
    expect(model.readme).toContain('license: mit');
    expect(model.generationConfig).toEqual({ temperature: 0.5 });
    expect(model.tokenizer.tokenizerJson).toBeDefined();
    expect(model.tokenizer.tokenizerModel).toBeUndefined();
  });

  it('takes shards without an index, and the name of the folder behind a link', async () => {
    rmSync(join(directory, 'model.safetensors.index.json'));
    expect((await loadHuggingFaceModel(directory)).tensors.size).toBe(38);
    const rugby = await loadHuggingFaceModel(join(FIXTURES, 'rugby/base/.'));
    expect(rugby.directoryName).toBe('base');
  });

  it('reads an mlx-quantised base', async () => {
    const model = await loadHuggingFaceModel(join(FIXTURES, 'rugby/base-mlx4'));
    expect(model.weightsFormat).toBe('mlx');
    expect(model.tensors.get('model.layers.0.mlp.up_proj.weight')?.dtype).toBe('U32');
  });

  it('leaves a generation_config.json that does not parse alone', async () => {
    writeFileSync(join(directory, 'generation_config.json'), '{"temperature": 0.5,}');
    expect((await loadHuggingFaceModel(directory)).generationConfig).toBeUndefined();
  });

  it('names the shards that are missing, with an index and without', async () => {
    rmSync(join(directory, 'model-00002-of-00003.safetensors'));
    expect(await refusal()).toMatchObject({
      code: 'model/incomplete',
      detail: { missing: ['model-00002-of-00003.safetensors'] },
    });
    rmSync(join(directory, 'model.safetensors.index.json'));
    expect(await refusal()).toMatchObject({
      code: 'model/incomplete',
      detail: { missing: ['model-00002-of-00003.safetensors'] },
    });
  });

  it('tells pickles, adapters, GGUFs and empty folders apart', async () => {
    const only = (...names: string[]): string => {
      const path = mkdtempSync(join(root, 'only-'));
      cpSync(join(directory, 'config.json'), join(path, 'config.json'));
      names.forEach((name) => writeFileSync(join(path, name), 'x'));
      return path;
    };
    expect(await refusal(only('pytorch_model.bin', 'training_args.bin'))).toMatchObject({
      code: 'input/pickle',
      message: expect.stringContaining('safe_serialization') as string,
    });
    expect(await refusal(only('training_args.bin'))).toMatchObject({ code: 'model/incomplete' });
    expect(await refusal(only('consolidated.safetensors'))).toMatchObject({
      code: 'model/incomplete',
      message: expect.stringContaining('transformers') as string,
    });
    const adapter = join(FIXTURES, 'rugby/lora');
    expect(await refusal(adapter)).toMatchObject({
      code: 'model/incomplete',
      message: expect.stringContaining('adapter') as string,
    });
    expect(await refusal(root)).toMatchObject({ code: 'model/incomplete', detail: { missing: ['config.json'] } });
    expect(await refusal(join(root, 'nowhere'))).toMatchObject({ code: 'input/missing' });
    expect(await refusal(join(directory, 'config.json'))).toMatchObject({ code: 'input/unrecognised' });
  });

  it('names the files that Git LFS did not fetch', async () => {
    writeFileSync(join(directory, 'tokenizer.json'), LFS);
    expect(await refusal()).toMatchObject({ code: 'input/lfs-pointer', path: join(directory, 'tokenizer.json') });
    writeFileSync(join(directory, 'model-00001-of-00003.safetensors'), LFS);
    expect(await refusal()).toMatchObject({
      code: 'input/lfs-pointer',
      path: join(directory, 'model-00001-of-00003.safetensors'),
    });
  });

  it('refuses shards that are cut short, or do not agree with the index', async () => {
    truncateSync(join(directory, 'model-00001-of-00003.safetensors'), 5000);
    expect((await refusal()).code).toBe('safetensors/truncated');
    cpSync(join(sharded, 'model-00002-of-00003.safetensors'), join(directory, 'model-00001-of-00003.safetensors'));
    expect((await refusal()).code).toBe('index/mismatch');
  });

  it('refuses a tensor in two files that no index orders', async () => {
    rmSync(join(directory, 'model.safetensors.index.json'));
    writeFileSync(join(directory, 'model.safetensors'), safetensors('model.norm.weight', 'U8', 4));
    expect((await refusal()).code).toBe('index/mismatch');
  });

  it('refuses config.json that is not an object, or has a key twice', async () => {
    writeFileSync(join(directory, 'config.json'), '[]');
    expect((await refusal()).code).toBe('json/syntax');
    writeFileSync(join(directory, 'config.json'), '{"vocab_size": 1, "vocab_size": 2}');
    expect((await refusal()).code).toBe('json/duplicate-key');
    rmSync(join(directory, 'config.json'));
    mkdirSync(join(directory, 'config.json'));
    expect((await refusal()).code).toBe('input/not-regular');
  });

  it.each([
    ['bitsandbytes', 'model.layers.0.mlp.up_proj.weight.quant_state.bitsandbytes__nf4', 'U8'],
    ['GPTQ', 'model.layers.0.mlp.up_proj.qweight', 'I32'],
  ])('refuses %s by its tensors and names the base', async (method, tensor, dtype) => {
    singleFile(dtype === 'I32' ? safetensors(tensor, 'U8', 4) : safetensors(tensor, dtype, 4));
    await edit('config.json', (config) => {
      config['_name_or_path'] = 'unsloth/llama-3-8b-bnb-4bit';
    });
    const error = await refusal();
    expect(error).toMatchObject({
      code: 'model/quantised',
      message: expect.stringContaining(method) as string,
      detail: { base: 'unsloth/llama-3-8b' },
    });
  });

  it('lets a leftover quantization_config of a merged 16-bit model pass, and refuses one over packed bytes', async () => {
    await edit('config.json', (config) => {
      config['quantization_config'] = { quant_method: 'bitsandbytes', load_in_4bit: true };
    });
    expect((await loadHuggingFaceModel(directory)).tensors.size).toBe(38);
    singleFile(safetensors('model.layers.0.mlp.up_proj.weight', 'U8', 4));
    expect((await refusal()).code).toBe('model/quantised');
  });

  it('stops when it is told to', async () => {
    await expect(loadHuggingFaceModel(directory, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'run/cancelled',
    });
  });
});

it.each([
  ['unsloth/Llama-3.2-1B-Instruct-bnb-4bit', 'unsloth/Llama-3.2-1B-Instruct'],
  ['unsloth/Qwen3-8B-unsloth-bnb-4bit', 'unsloth/Qwen3-8B'],
  ['Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4', 'Qwen/Qwen2.5-7B-Instruct'],
  ['Qwen/Qwen2.5-7B-Instruct-AWQ', 'Qwen/Qwen2.5-7B-Instruct'],
  ['RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic', 'RedHatAI/Meta-Llama-3.1-8B-Instruct'],
  ['Qwen/Qwen3-8B', undefined],
])('the 16-bit base of %s is %s', (name, base) => {
  expect(sixteenBitName(name)).toBe(base);
});
