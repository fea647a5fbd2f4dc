import { readFileSync } from 'node:fs';
import type { Architecture, ModelConfig } from '../../src/core/engine/architectures/architecture';
import type { AdapterTarget } from '../../src/core/engine/adapterTarget';
import {
  convertAdapter,
  prepareConvertAdapter,
  type ConvertAdapterReport,
  type ConvertAdapterRequest,
  type PreparedAdapter,
} from '../../src/node/engine/convertAdapter';
import { describeGguf } from './describeGguf';

/** Plans and writes a GGUF adapter; the report at its end. */
export async function writeAdapterGguf(request: ConvertAdapterRequest, force = true): Promise<ConvertAdapterReport> {
  return await runAdapterPlan(await prepareConvertAdapter(request), force);
}

/** Writes what was planned. */
export async function runAdapterPlan(plan: PreparedAdapter, force = true): Promise<ConvertAdapterReport> {
  const run = convertAdapter(plan, { force, signal: new AbortController().signal });
  for (;;) {
    const step = await run.next();
    if (step.done === true) {
      return step.value;
    }
  }
}

/** What llama.cpp adds to a weight: alpha / rank * B @ A in doubles, row-major [rows, columns], by weight. For files of type F32. */
export function appliedDeltas(
  path: string,
): Map<string, { readonly rows: number; readonly columns: number; readonly values: Float64Array }> {
  const { dataOffset, metadata, tensors } = describeGguf(path);
  const file = readFileSync(path);
  const alpha = metadata.find(({ key }) => key === 'adapter.lora.alpha')?.value as number;
  const read = (name: string): { readonly ne: number[]; readonly values: Float32Array } => {
    const tensor = tensors.find((candidate) => candidate.name === name);
    if (tensor?.type !== 'F32') {
      throw new Error(`${name} is ${tensor?.type ?? 'missing'}`);
    }
    return {
      ne: tensor.shape,
      values: new Float32Array(
        Uint8Array.from(file.subarray(dataOffset + tensor.offset, dataOffset + tensor.offset + tensor.bytes)).buffer,
      ),
    };
  };
  const deltas = new Map<string, { rows: number; columns: number; values: Float64Array }>();
  for (const { name } of tensors.filter((tensor) => tensor.name.endsWith('.lora_a'))) {
    const weight = name.replace(/\.lora_a$/, '');
    const [a, b] = [read(name), read(`${weight}.lora_b`)];
    const rank = b.ne[0]!;
    // llama_adapter_lora_weight::get_scale: an alpha of 0 counts as none.
    const scale = alpha === 0 ? 1 : alpha / rank;
    const embedding = weight === 'token_embd.weight';
    const [left, right] = embedding ? [a, b] : [b, a];
    const [rows, columns] = [left.ne[1]!, embedding ? b.ne[1]! : a.ne[0]!];
    const values = new Float64Array(rows * columns);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < rank; k++) {
          sum +=
            left.values[i * rank + k]! * (embedding ? right.values[j * rank + k]! : right.values[k * columns + j]!);
        }
        values[i * columns + j] = scale * sum;
      }
    }
    deltas.set(weight, { rows, columns, values });
  }
  return deltas;
}

/** A base that is known by its shapes only: hidden size 32, 4 heads of 16 (2 for keys), 2 layers, 100 tokens. */
export function shapedTarget(
  architecture: Architecture,
  {
    tied = false,
    more = {},
  }: { readonly tied?: boolean; readonly more?: Readonly<Record<string, readonly number[]>> } = {},
): AdapterTarget {
  const layer = {
    'self_attn.q_proj': [64, 32],
    'self_attn.k_proj': [32, 32],
    'self_attn.v_proj': [32, 32],
    'self_attn.o_proj': [32, 64],
    'mlp.gate_proj': [48, 32],
    'mlp.up_proj': [48, 32],
    'mlp.down_proj': [32, 48],
  };
  const shapes = new Map<string, { shape: readonly number[] }>([
    ['model.embed_tokens.weight', { shape: [100, 32] }],
    ['model.norm.weight', { shape: [32] }],
  ]);
  for (const index of [0, 1]) {
    Object.entries(layer).forEach(([module, shape]) => shapes.set(`model.layers.${index}.${module}.weight`, { shape }));
    shapes.set(`model.layers.${index}.self_attn.q_proj.bias`, { shape: [64] });
  }
  if (!tied) {
    shapes.set('lm_head.weight', { shape: [100, 32] });
  }
  Object.entries(more).forEach(([name, shape]) => shapes.set(name, { shape }));
  const config: ModelConfig = {
    className: architecture.classes[0]!,
    raw: {},
    layers: 2,
    mtpLayers: 0,
    hiddenSize: 32,
    feedForward: 48,
    heads: 4,
    kvHeads: 2,
    headDim: 16,
    hasHeadDim: true,
    vocabSize: 100,
    contextLength: 128,
    rmsNormEps: 1e-6,
    ropeTheta: 10_000,
    tiedEmbeddings: tied,
    experts: 0,
    expertsUsed: 0,
  };
  return { path: 'base', architecture, config, shapes: () => shapes, stored: () => undefined, tied };
}
