import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { FILE_TYPES, type FileTypeName } from '../../src/core/engine/fileTypes';
import { prepareQuantize } from '../../src/node/engine/prepareBuild';
import { describeGguf } from '../support/describeGguf';
import { writeLegacyImatrix } from '../support/imatrixFiles';
import { llamaQuantizeOrSkip } from '../support/llamaQuantize';
import { temporaryFolder } from '../support/models';
import { writeShapedModel, type ModelShape } from '../support/shapedModel';

const work = temporaryFolder();
const TYPES = (Object.keys(FILE_TYPES) as FileTypeName[]).filter((type) => type !== 'MXFP4_MOE');

/** Shapes that real models have and the fixtures lack: each meets another branch of llama.cpp's rules. */
const SHAPES: Readonly<Record<string, ModelShape>> = {
  'llama, 32 layers, 4 heads a group': { architecture: 'llama', layers: 32, heads: 32, kvHeads: 8 },
  'llama, 32 layers, 8 heads a group, tied': { architecture: 'llama', layers: 32, heads: 32, kvHeads: 4, tied: true },
  'llama, 32 layers, no groups': { architecture: 'llama', layers: 32, heads: 32, kvHeads: 32 },
  'llama, 16 layers, 3 heads a group': { architecture: 'llama', layers: 16, heads: 24, kvHeads: 8 },
  'llama, 80 layers': { architecture: 'llama', layers: 80, heads: 64, kvHeads: 8 },
  'llama, 80 layers, no groups': { architecture: 'llama', layers: 80, heads: 64, kvHeads: 64 },
  'qwen2, 80 layers': { architecture: 'qwen2', layers: 80, heads: 64, kvHeads: 8 },
  'qwen2, 80 layers, no groups, tied': { architecture: 'qwen2', layers: 80, heads: 64, kvHeads: 64, tied: true },
  'qwen3, 80 layers': { architecture: 'qwen3', layers: 80, heads: 64, kvHeads: 8 },
  'qwen2, 24 layers, rows of 896, tied': {
    architecture: 'qwen2',
    layers: 24,
    heads: 14,
    kvHeads: 2,
    tied: true,
    columns: 896,
    feedForward: 768,
  },
  'qwen2, 24 layers, rows of 896': {
    architecture: 'qwen2',
    layers: 24,
    heads: 14,
    kvHeads: 2,
    columns: 896,
    feedForward: 768,
  },
  'llama, 30 layers, rows of 80': { architecture: 'llama', layers: 30, heads: 9, kvHeads: 3, tied: true, columns: 80 },
  'llama, 8 experts': { architecture: 'llama', layers: 32, heads: 32, kvHeads: 8, experts: 8 },
  'llama, 80 layers, 8 experts': { architecture: 'llama', layers: 80, heads: 64, kvHeads: 8, experts: 8 },
  'llama, 4 experts, tied': { architecture: 'llama', layers: 12, heads: 32, kvHeads: 8, experts: 4, tied: true },
  'qwen3moe, 16 experts': { architecture: 'qwen3moe', layers: 48, heads: 32, kvHeads: 4, experts: 16 },
  'qwen3moe, 8 experts': { architecture: 'qwen3moe', layers: 11, heads: 32, kvHeads: 8, experts: 8 },
  'phi3, fused attention': { architecture: 'phi3', layers: 32, heads: 32, kvHeads: 32, fusedAttention: true },
  'phi3, fused attention, 4 heads a group': {
    architecture: 'phi3',
    layers: 40,
    heads: 40,
    kvHeads: 10,
    fusedAttention: true,
  },
  'gemma2, tied': { architecture: 'gemma2', layers: 26, heads: 8, kvHeads: 4, tied: true },
  '7 layers': { architecture: 'llama', layers: 7, heads: 8, kvHeads: 2 },
  '1 layer': { architecture: 'qwen3', layers: 1, heads: 8, kvHeads: 8, tied: true },
};

/** The lines of a file are the tensors in its order, each with its type: the order is part of the rules. */
async function compare(context: TestContext, shape: ModelShape, withImatrix: boolean): Promise<void> {
  const quantize = llamaQuantizeOrSkip(context);
  const input = join(work, 'model.gguf');
  const output = join(work, 'theirs.gguf');
  writeShapedModel(input, shape);
  // That there is a matrix is enough for the rules: one entry will do.
  const imatrix = new Map([['blk.0.attn_output.weight', new Float32Array(shape.columns ?? 256).fill(1)]]);
  const imatrixPath = join(work, 'one.imatrix');
  writeLegacyImatrix(imatrixPath, imatrix, new Map([['blk.0.attn_output.weight', 1]]));
  const differences: string[] = [];
  for (const fileType of TYPES) {
    quantize({ input, output, fileType, ...(withImatrix ? { imatrix } : {}) });
    const theirs = describeGguf(output).tensors.map(({ name, type }) => `${fileType} ${name} ${type}`);
    const plan = await prepareQuantize({
      input,
      fileType,
      output: join(work, 'ours.gguf'),
      layout: 'quantised',
      ...(withImatrix ? { imatrixPath } : {}),
    });
    const ours = plan.tensors.map(({ name, type }) => `${fileType} ${name} ${type}`);
    expect(ours).toHaveLength(theirs.length);
    differences.push(
      ...theirs.flatMap((line, index) => (line === ours[index] ? [] : [`${line}, ours ${String(ours[index])}`])),
    );
  }
  rmSync(input);
  rmSync(output);
  expect(differences).toEqual([]);
}

describe.each(Object.entries(SHAPES))('%s', (_name, shape) => {
  it.for([false, true])(
    'gets the types that llama.cpp gives, for every target, importance matrix: %s',
    async (withImatrix, context) => {
      await compare(context, shape, withImatrix);
    },
  );
});
