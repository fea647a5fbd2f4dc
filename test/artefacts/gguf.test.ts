import { readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Artefact } from '../../src/core/artefacts/artefact';
import { collectArtefacts } from '../../src/node/artefacts/scanArtefacts';
import { arrayKey, buildGguf, f32, key, text, textKey, tokensKey, u32Key, type GgufSpec } from '../hostile/ggufBuilder';
import { below, byPath, codes, model, peft, scanTree, temporaryFolder, writeTree } from './folders';

const TENSORS: NonNullable<GgufSpec['tensors']> = [
  { name: 'output_norm.weight', dimensions: [256n], type: 'F32' },
  { name: 'token_embd.weight', dimensions: [256n, 8n], type: 'Q6_K' },
  { name: 'blk.0.attn_q.weight', dimensions: [256n, 256n], type: 'Q4_K' },
];

const KEYS = [
  textKey('general.architecture', 'qwen3'),
  textKey('general.name', 'Rugby'),
  u32Key('general.file_type', 15),
  u32Key('qwen3.block_count', 1),
  u32Key('qwen3.context_length', 512),
  u32Key('qwen3.embedding_length', 256),
  textKey('tokenizer.ggml.model', 'gpt2'),
  textKey('tokenizer.ggml.pre', 'qwen2'),
  tokensKey(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']),
  textKey('tokenizer.chat_template', '<|im_start|>user'),
];

async function only(spec: GgufSpec, name = 'x.gguf'): Promise<Artefact | undefined> {
  return (await scanTree({ [name]: buildGguf(spec) })).get(name);
}

describe('GGUF files', () => {
  test('a model', async () => {
    const values = 256 + 256 * 8 + 256 * 256;
    const bits = (256 * 4 + 8 * 210 + 256 * 144) * 8;
    expect(await only({ keys: KEYS, tensors: TENSORS })).toMatchObject({
      kind: 'gguf-model',
      format: 'gguf',
      architecture: 'qwen3',
      name: 'Rugby',
      parameters: values,
      tensors: 3,
      layers: 1,
      contextLength: 512,
      hiddenSize: 256,
      template: 'ChatML',
      tokenizer: { kind: 'gpt2', pre: 'qwen2', tokens: 8 },
      types: { F32: 1, Q6_K: 1, Q4_K: 1 },
      quantisation: { method: 'gguf', name: 'Q4_K_M', bitsPerWeight: Math.round((bits / values) * 100) / 100 },
      problems: [],
    });
  });

  test('an adapter, with the scale that the runtime will apply', async () => {
    const keys = [
      textKey('general.type', 'adapter'),
      textKey('general.architecture', 'qwen3'),
      textKey('adapter.type', 'lora'),
      key('adapter.lora.alpha', 'f32', f32(16)),
    ];
    const tensors: GgufSpec['tensors'] = [
      { name: 'blk.0.attn_q.weight.lora_a', dimensions: [256n, 8n], type: 'F32' },
      { name: 'blk.0.attn_q.weight.lora_b', dimensions: [8n, 256n], type: 'F32' },
    ];
    expect(await only({ keys, tensors })).toMatchObject({
      kind: 'gguf-adapter',
      rank: 8,
      alpha: 16,
      scale: 2,
      targets: ['attn_q'],
      modules: 1,
      architecture: 'qwen3',
      problems: [],
    });
    const alora = await only({
      keys: [...keys, arrayKey('adapter.alora.invocation_tokens', 'u32', 1n, new Uint8Array(4))],
      tensors,
    });
    expect(codes(alora)).toEqual(['adapter/unsupported']);
    // Alpha 0 means 1 to the runtime.
    expect(
      (await only({ keys: [...keys.slice(0, 3), key('adapter.lora.alpha', 'f32', f32(0))], tensors }))?.scale,
    ).toBe(1);
  });

  test('an importance matrix of either format, a projector, a vocabulary', async () => {
    expect(
      await only({
        keys: [textKey('general.type', 'imatrix'), u32Key('imatrix.chunk_count', 7)],
        tensors: [
          { name: 'blk.0.attn_q.weight.in_sum2', dimensions: [256n] },
          { name: 'blk.0.attn_q.weight.counts', dimensions: [1n] },
        ],
      }),
    ).toMatchObject({ kind: 'gguf-imatrix', tensors: 1 });
    expect(
      (
        await only({
          keys: [textKey('general.type', 'mmproj'), textKey('general.architecture', 'clip')],
          tensors: [{ name: 'v.x', dimensions: [4n] }],
        })
      )?.kind,
    ).toBe('gguf-mmproj');
    expect((await only({ keys: KEYS }))?.kind).toBe('gguf-vocab');
    const legacy = Buffer.alloc(64);
    legacy.writeInt32LE(1, 0);
    legacy.writeInt32LE(19, 4);
    legacy.write('blk.0.attn_q.weight', 8);
    const found = await scanTree({ 'imatrix.dat': legacy, 'other.dat': 'hello' });
    expect([...found.entries()].map(([path, { kind }]) => [path, kind])).toEqual([['imatrix.dat', 'imatrix']]);
  });

  test('parts of a split file, and which are missing', async () => {
    const part = (number: number): Uint8Array =>
      buildGguf({
        keys: [
          textKey('general.architecture', 'qwen3'),
          key('split.no', 'u16', Uint8Array.of(number, 0)),
          key('split.count', 'u16', Uint8Array.of(3, 0)),
        ],
        tensors: [{ name: `blk.${number}.x`, dimensions: [4n] }],
      });
    const found = await scanTree({
      'm-00001-of-00003.gguf': part(0),
      'm-00003-of-00003.gguf': part(2),
      ...below('whole', {
        'm-00001-of-00003.gguf': part(0),
        'm-00002-of-00003.gguf': part(1),
        'm-00003-of-00003.gguf': part(2),
      }),
    });
    expect(found.get('m-00001-of-00003.gguf')).toMatchObject({
      kind: 'gguf-split',
      split: { number: 1, count: 3, missing: [2] },
    });
    expect(codes(found.get('m-00003-of-00003.gguf'))).toEqual(['index/missing']);
    expect(found.get('whole/m-00002-of-00003.gguf')).toMatchObject({
      split: { number: 2, count: 3, missing: [] },
      problems: [],
    });
  });

  test('without a file type the most common one is named', async () => {
    expect(
      (await only({ keys: [textKey('general.architecture', 'qwen3')], tensors: TENSORS }))?.quantisation?.name,
    ).toBe('Q4_K');
  });

  test("Ollama's blobs are known by their content", async () => {
    const name = `sha256-${'ab'.repeat(32)}`;
    expect((await only({ keys: KEYS, tensors: TENSORS }, name))?.kind).toBe('gguf-model');
  });

  test('metadata of the wrong type is a problem, not a crash', async () => {
    const artefact = await only({
      keys: [
        textKey('general.architecture', 'qwen3'),
        textKey('qwen3.block_count', 'many'),
        key('qwen3.context_length', 'string', text('x')),
      ],
      tensors: TENSORS,
    });
    expect(artefact?.layers).toBeUndefined();
    expect(codes(artefact)).toContain('gguf/metadata');
  });
});

describe('what a GGUF was built from', () => {
  function built(): string {
    const folder = writeTree(temporaryFolder(), {
      ...below('base', model()),
      ...below('lora', peft()),
      'out/x.gguf': buildGguf({ keys: KEYS, tensors: TENSORS }),
    });
    const inputs = ['base/model.safetensors', 'lora/adapter_model.safetensors'].map((name) => {
      const path = join(folder, name);
      const stats = statSync(path, { bigint: true });
      return {
        path,
        size: Number(stats.size),
        modified: String(stats.mtimeNs),
        inode: String(stats.ino),
        device: String(stats.dev),
      };
    });
    const record = {
      format: 'modelfile-studio build 1',
      version: '0.1.0',
      output: { name: 'x.gguf', bytes: 1, type: 'Q4_K_M', kind: 'gguf' },
      base: { path: join(folder, 'base') },
      adapters: [{ path: join(folder, 'lora'), weight: 0.5 }],
      inputs,
    };
    writeTree(folder, { 'out/x.gguf.build.json': record });
    return folder;
  }

  test('is told by the record beside it', async () => {
    const folder = built();
    const artefact = byPath(await collectArtefacts([folder]), folder).get('out/x.gguf');
    expect(artefact).toMatchObject({
      producer: 'modelfile-studio',
      builtFrom: {
        base: join(folder, 'base'),
        adapters: [{ path: join(folder, 'lora'), weight: 0.5 }],
        type: 'Q4_K_M',
        stale: false,
        changed: [],
      },
      base: { path: join(folder, 'base'), candidates: [join(folder, 'base')] },
    });
  });

  test('is stale when an input has changed or gone', async () => {
    const folder = built();
    utimesSync(join(folder, 'lora', 'adapter_model.safetensors'), new Date(), new Date(Date.now() + 60_000));
    expect(byPath(await collectArtefacts([folder]), folder).get('out/x.gguf')?.builtFrom).toMatchObject({
      stale: true,
      changed: [join(folder, 'lora', 'adapter_model.safetensors')],
    });
  });

  test('what an older record meant by a relative path is not known, and so is not called stale', async () => {
    const folder = built();
    const path = join(folder, 'out', 'x.gguf.build.json');
    const record = JSON.parse(readFileSync(path, 'utf8')) as { inputs: { path: string }[] };
    record.inputs.forEach((input) => (input.path = relative(folder, input.path)));
    writeFileSync(path, JSON.stringify(record));
    const artefact = byPath(await collectArtefacts([folder]), folder).get('out/x.gguf');
    expect(artefact?.builtFrom).toMatchObject({ stale: false, changed: [] });
  });

  test('a record that is none, or is broken, is ignored', async () => {
    const folder = built();
    for (const content of [
      '{"format":"something else"}',
      '{"format":',
      '[]',
      '{"format":"modelfile-studio build 1"}',
    ]) {
      writeFileSync(join(folder, 'out', 'x.gguf.build.json'), content);
      const artefact = byPath(await collectArtefacts([folder]), folder).get('out/x.gguf');
      expect(artefact?.kind).toBe('gguf-model');
      expect(artefact?.builtFrom?.changed ?? []).toEqual([]);
    }
  });
});
