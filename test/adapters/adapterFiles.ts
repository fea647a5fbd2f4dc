import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { AdapterInput } from '../../src/core/formats/adapters/adapterInput';
import type { SafetensorsDtype, TensorRef } from '../../src/core/formats/tensorRef';
import { SAFETENSORS_DTYPES } from '../../src/core/formats/tensorRef';
import type { JsonObject } from '../../src/core/json';

/** Name to shape, or to dtype and shape; F32 unless said. */
export type Shapes = Readonly<Record<string, readonly number[] | readonly [SafetensorsDtype, readonly number[]]>>;

function entries(shapes: Shapes): { name: string; dtype: SafetensorsDtype; shape: readonly number[]; bytes: number }[] {
  return Object.entries(shapes).map(([name, value]) => {
    const [dtype, shape] =
      typeof value[0] === 'string'
        ? (value as readonly [SafetensorsDtype, readonly number[]])
        : (['F32', value as readonly number[]] as const);
    const bytes = Math.ceil((shape.reduce((product, size) => product * size, 1) * SAFETENSORS_DTYPES[dtype]) / 8);
    return { name, dtype, shape, bytes };
  });
}

/** A safetensors file of zeros (or of `fill`) with these tensors. */
export function safetensorsBytes(shapes: Shapes, metadata?: Record<string, string>, fill = 0): Buffer {
  const header: Record<string, unknown> = metadata === undefined ? {} : { __metadata__: metadata };
  let at = 0;
  for (const { name, dtype, shape, bytes } of entries(shapes)) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes] };
    at += bytes;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(at, fill)]);
}

/** What a reader is given for such a file, without the file. */
export function adapterInput(config: JsonObject, shapes: Shapes): AdapterInput {
  const tensors = new Map<string, TensorRef>();
  let offset = 100;
  for (const { name, dtype, shape, bytes } of entries(shapes)) {
    tensors.set(name, { name, dtype, shape, bytes, offset, file: 'adapter_model.safetensors' });
    offset += bytes;
  }
  return {
    path: 'outputs/checkpoint-500',
    directory: 'outputs/checkpoint-500',
    weightsFile: 'outputs/checkpoint-500/adapter_model.safetensors',
    config,
    tensors,
    hasTokenizer: false,
  };
}

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'studio-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files (text, bytes, or values as JSON) below `folder` and returns it. */
export function writeTree(folder: string, files: Readonly<Record<string, unknown>>): string {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(
      path,
      typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content),
    );
  }
  return folder;
}

export const PEFT_CONFIG: JsonObject = {
  peft_type: 'LORA',
  r: 8,
  lora_alpha: 16,
  base_model_name_or_path: 'Qwen/Qwen3-1.7B',
  target_modules: ['q_proj'],
  task_type: 'CAUSAL_LM',
};
export const MLX_CONFIG: JsonObject = {
  fine_tune_type: 'lora',
  lora_parameters: { rank: 8, scale: 20, dropout: 0 },
  model: 'Qwen/Qwen3-1.7B',
  num_layers: 16,
};
export const Q_PROJ = 'base_model.model.model.layers.0.self_attn.q_proj';

/** A LoRA on one projection of a model with hidden size 32 and 64 query rows. */
export const ONE_PAIR: Shapes = { [`${Q_PROJ}.lora_A.weight`]: [8, 32], [`${Q_PROJ}.lora_B.weight`]: [64, 8] };
/** The base that it fits. */
export const SMALL_BASE = new Map<string, { shape: readonly number[] }>([
  ['model.embed_tokens.weight', { shape: [100, 32] }],
  ['model.layers.0.self_attn.q_proj.weight', { shape: [64, 32] }],
  ['model.layers.0.self_attn.q_proj.bias', { shape: [64] }],
  ['model.layers.0.self_attn.o_proj.weight', { shape: [32, 64] }],
  ['model.layers.0.mlp.down_proj.weight', { shape: [32, 96] }],
  ['model.norm.weight', { shape: [32] }],
]);
