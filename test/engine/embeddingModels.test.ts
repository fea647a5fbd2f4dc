import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { chooseHubFiles, type HubEntry } from '../../src/core/formats/huggingface/hubFiles';
import { poolingFolder, readPooling } from '../../src/core/formats/huggingface/pooling';
import { prepareBuild } from '../../src/node/engine/prepareBuild';
import { makeModel } from '../support/models';
import { temporaryFolder, writeTree } from '../adapters/adapterFiles';

const MODULE = 'sentence_transformers.models.';
const modules = (...types: readonly string[]) =>
  types.map((type, idx) => ({
    idx,
    name: String(idx),
    path: idx === 0 ? '' : `${idx}_${type}`,
    type: `${MODULE}${type}`,
  }));

function embeddingModel(
  spec: string,
  pooling: Record<string, unknown>,
  types = ['Transformer', 'Pooling', 'Normalize'],
) {
  const root = temporaryFolder();
  const base = join(root, 'Some-Embedding');
  cpSync(join(makeModel(spec, root), 'base'), base, { recursive: true });
  writeTree(base, { 'modules.json': modules(...types), '1_Pooling/config.json': pooling });
  return base;
}

function request(base: string): Parameters<typeof prepareBuild>[0] {
  return { base, adapters: [], fileType: 'F32', output: join(temporaryFolder(), 'x.gguf') } as unknown as Parameters<
    typeof prepareBuild
  >[0];
}

describe('embedding models', () => {
  test.each<[string, Record<string, unknown>, number]>([
    ['qwen3', { pooling_mode_lasttoken: true, pooling_mode_mean_tokens: false }, 3],
    ['qwen3', { pooling_mode: 'mean' }, 1],
    ['qwen2', { pooling_mode_cls_token: true }, 2],
  ])('%s with %j: pooling_type %i stands where the converter writes it', async (spec, pooling, id) => {
    const { metadata } = await prepareBuild(request(embeddingModel(spec, pooling)));
    const keys = metadata.map(([key]) => key);
    expect(Object.fromEntries(metadata)[`${spec}.pooling_type`]).toEqual({ type: 'u32', value: id });
    expect(keys.indexOf(`${spec}.pooling_type`)).toBe(keys.indexOf('general.file_type') + 1);
  });

  test('a chat model has no such key', async () => {
    const base = join(makeModel('qwen3', temporaryFolder()), 'base');
    const { metadata } = await prepareBuild(request(base));
    expect(metadata.some(([key]) => key.endsWith('pooling_type'))).toBe(false);
  });

  test('the pooling that modules.json names must be there: without it the vectors are others', async () => {
    const base = join(makeModel('qwen3', temporaryFolder()), 'base');
    writeTree(base, { 'modules.json': modules('Transformer', 'Pooling') });
    await expect(prepareBuild(request(base))).rejects.toMatchObject({
      code: 'model/incomplete',
      detail: { missing: ['1_Pooling/config.json'] },
    });
  });

  test('modules and poolings that a GGUF would lose are refused', async () => {
    const dense = embeddingModel('qwen3', { pooling_mode: 'mean' }, ['Transformer', 'Pooling', 'Dense']);
    await expect(prepareBuild(request(dense))).rejects.toMatchObject({ code: 'model/purpose' });
    const weighted = embeddingModel('qwen3', { pooling_mode_weightedmean_tokens: true });
    await expect(prepareBuild(request(weighted))).rejects.toMatchObject({ code: 'model/purpose' });
  });

  test('a family whose pooling the converter does not write is refused', async () => {
    const base = embeddingModel('llama3', { pooling_mode: 'mean' });
    await expect(prepareBuild(request(base))).rejects.toMatchObject({
      code: 'model/purpose',
      detail: { purpose: 'embedding' },
    });
  });

  test('a path out of the folder is not followed', async () => {
    const base = embeddingModel('qwen3', { pooling_mode: 'mean' });
    writeTree(base, { 'modules.json': [{ path: '../1_Pooling', type: `${MODULE}Pooling` }] });
    await expect(prepareBuild(request(base))).rejects.toMatchObject({ code: 'model/incomplete' });
  });

  test.each(['qwen2', 'qwen3'])('%s without its head, as *Model saves it, has the same tensors', async (spec) => {
    const base = embeddingModel(spec, { pooling_mode: 'mean' });
    const whole = await prepareBuild(request(base));
    const config = JSON.parse(readFileSync(join(base, 'config.json'), 'utf8')) as Record<string, unknown>;
    const name = spec === 'qwen2' ? 'Qwen2Model' : 'Qwen3Model';
    writeFileSync(join(base, 'config.json'), JSON.stringify({ ...config, architectures: [name] }));
    rename(join(base, 'model.safetensors'));
    const bare = await prepareBuild(request(base));
    expect(bare.tensors.map((tensor) => tensor.name)).toEqual(
      whole.tensors.map((tensor) => tensor.name).filter((tensor) => tensor !== 'output.weight'),
    );
  });
});

test('modules.json is fetched with a model, so that its pooling is missed where it is not there', () => {
  const entry = (path: string): HubEntry => ({ type: 'file', path, size: 10, oid: 'a'.repeat(40) });
  const files = ['config.json', 'model.safetensors', 'modules.json', '1_Pooling/config.json'].map(entry);
  expect(chooseHubFiles('a/b', 'model', files).map(({ path }) => path)).toContain('modules.json');
});

test('the order of llama.cpp: mean, class token, last token, then the name of the mode', () => {
  const all = { pooling_mode_mean_tokens: true, pooling_mode_cls_token: true, pooling_mode_lasttoken: true };
  expect(readPooling(all, 'x')).toBe('mean');
  expect(readPooling({ ...all, pooling_mode_mean_tokens: false }, 'x')).toBe('cls');
  expect(readPooling({ pooling_mode: 'lasttoken' }, 'x')).toBe('last');
  expect(poolingFolder(modules('Transformer', 'Normalize'), 'x')).toBeUndefined();
  expect(poolingFolder([{ path: 1, type: 'Pooling' }, null, 'x'], 'x')).toBeUndefined();
});

/** The same weights under the names of a model without a head; the header keeps its length. */
function rename(path: string): void {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8')) as Record<
    string,
    { data_offsets: [number, number] }
  >;
  const kept = Object.entries(header).filter(([name]) => name !== 'lm_head.weight' && name !== '__metadata__');
  const parts: Buffer[] = [];
  let at = 0;
  const bare = Object.fromEntries(
    kept.map(([name, entry]) => {
      const [start, end] = entry.data_offsets;
      parts.push(bytes.subarray(8 + length + start, 8 + length + end));
      at += end - start;
      return [name.replace(/^model\./, ''), { ...entry, data_offsets: [at - (end - start), at] }];
    }),
  );
  const json = Buffer.from(JSON.stringify(bare));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([size, json, ...parts]));
}
