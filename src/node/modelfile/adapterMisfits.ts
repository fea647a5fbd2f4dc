import { stat } from 'node:fs/promises';
import { matchAdapterToBase } from '../../core/formats/adapters/matchBase';
import { canonicalTensorName } from '../../core/formats/huggingface/tensorNames';
import type { Adapter, AdapterPart } from '../../core/formats/adapters/adapter';
import type { GgufDescription } from '../../core/formats/gguf/ggufTypes';
import { describeGguf } from '../../core/formats/gguf/readGguf';
import { openFileSource } from '../files/fileSource';
import { loadAdapter } from '../inputs/loadAdapter';
import { loadHuggingFaceModel } from '../inputs/loadHuggingFaceModel';

/** At most this many differences are told. */
const MAX_MISFITS = 3;

/** Columns and rows of the weights that a delta is added to, by the name that a GGUF gives them (`blk.0.attn_q.weight`). */
type Widths = ReadonlyMap<string, readonly [columns: number, rows: number]>;

/**
 * Why an adapter (folder or GGUF) does not fit a base (folder or GGUF), in sentences; empty where it fits, or where
 * the names of the one say nothing about the other. Headers only are read.
 * @throws what reading them throws
 */
export async function adapterMisfits(adapterPath: string, basePath: string): Promise<string[]> {
  const [adapterIsFolder, baseIsFolder] = await Promise.all(
    [adapterPath, basePath].map(async (path) => (await stat(path)).isDirectory()),
  );
  if (adapterIsFolder === true && baseIsFolder === true) {
    const adapter = await loadAdapter(adapterPath);
    const base = await loadHuggingFaceModel(basePath);
    const shapes = new Map(
      [...base.tensors].map(([name, tensor]) => [canonicalTensorName(name), { shape: tensor.shape }]),
    );
    return matchAdapterToBase(adapter, shapes)
      .problems.slice(0, MAX_MISFITS)
      .map((problem) => problem.message);
  }
  if (adapterIsFolder === true) {
    const deltas = folderDeltas(await loadAdapter(adapterPath));
    const base = await header(basePath);
    const differences = compare(deltas, ggufWeights(base), true);
    return differences.length > 0 ? differences : hiddenSize(deltas, base);
  }
  const adapter = ggufDeltas(await header(adapterPath));
  if (typeof adapter === 'string') {
    return [adapter];
  }
  return baseIsFolder === true
    ? compare(adapter, await folderWeights(basePath), true)
    : compare(adapter, ggufWeights(await header(basePath)), false);
}

async function header(path: string): Promise<GgufDescription> {
  const source = await openFileSource(path);
  return describeGguf(source, { arrays: 'skip' }).finally(() => source.close());
}

/** @param isTranslated the names come from another format: one that the base lacks may be stored otherwise there (fused, or split) */
function compare(adapter: Widths, base: Widths, isTranslated: boolean): string[] {
  const blocks = new Set([...base.keys()].flatMap((name) => /^blk\.\d+\./.exec(name)?.[0] ?? []));
  for (const [name, [columns, rows]] of adapter) {
    const there = base.get(name);
    const block = /^blk\.(\d+)\./.exec(name);
    if (there === undefined && block !== null && blocks.size > 0 && !blocks.has(block[0])) {
      return [
        `it was trained on a model with at least ${Number(block[1]) + 1} layers; this one has ${blocks.size} (${name}).`,
      ];
    }
    if (there === undefined) {
      if (!isTranslated) {
        return [`the base has no tensor ${name}.`];
      }
    } else if (there[0] !== columns || there[1] !== rows) {
      return [
        `it was trained on a model where ${name} is ${rows} × ${columns}; this one has ${there[1]} × ${there[0]}.`,
      ];
    }
  }
  return [];
}

/** The width of the model is the one number that every GGUF names, whatever its weights are called. */
function hiddenSize(deltas: Widths, base: GgufDescription): string[] {
  const architecture = base.metadata.get('general.architecture');
  const width = base.metadata.get(
    `${architecture?.type === 'string' ? architecture.value : ''}.embedding_length`,
  )?.value;
  const [name, widths] = [...deltas].find(([delta]) => /\.(?:attn_[qkv]|ffn_gate|ffn_up)\.weight$/.test(delta)) ?? [];
  return name === undefined || widths === undefined || typeof width !== 'number' || widths[0] === width
    ? []
    : [`it was trained on a model of hidden size ${widths[0]}; this one has ${width} (${name}).`];
}

function ggufWeights(base: GgufDescription): Widths {
  return new Map(base.tensors.map(({ name, shape }) => [name, [shape[0] ?? 0, shape[1] ?? 1]]));
}

/** The deltas of a GGUF adapter, or what is wrong with its pairs. */
function ggufDeltas(adapter: GgufDescription): Widths | string {
  const shapes = new Map(adapter.tensors.map(({ name, shape }) => [name, shape]));
  const deltas = new Map<string, [number, number]>();
  for (const [name, a] of shapes) {
    const target = /^(.*)\.lora_a$/.exec(name)?.[1];
    if (target === undefined) {
      continue;
    }
    const b = shapes.get(`${target}.lora_b`);
    if (b === undefined) {
      return `${name} has no lora_b beside it: the file is incomplete.`;
    }
    // The first factor of an embedding is stored the other way round; llama.cpp tells it by the name.
    const [rank, width] = target === 'token_embd.weight' ? [a[0], a[1]] : [a[1], a[0]];
    if (rank !== b[0]) {
      return `${name} has rank ${rank ?? 0} and its lora_b ${b[0] ?? 0}: the file is damaged.`;
    }
    deltas.set(target, target === 'token_embd.weight' ? [b[1] ?? 0, width ?? 0] : [width ?? 0, b[1] ?? 0]);
  }
  return deltas;
}

const GGUF_NAMES: Readonly<Record<string, string>> = {
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.qkv_proj': 'attn_qkv',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

/** `model.layers.0.self_attn.q_proj.weight` as a GGUF calls it; undefined for names that differ between families. */
function ggufName(name: string): string | undefined {
  const match = /^(?:model\.)?layers\.(\d+)\.(.+)\.weight$/.exec(name);
  const part = GGUF_NAMES[match?.[2] ?? ''];
  return match === null || part === undefined ? undefined : `blk.${match[1] ?? ''}.${part}.weight`;
}

function folderDeltas(adapter: Adapter): Widths {
  return new Map(
    adapter.parts.flatMap((part) => {
      const name = ggufName(part.target);
      const widths = widthsOf(part);
      return name === undefined || widths === undefined ? [] : [[name, widths] as const];
    }),
  );
}

function widthsOf(part: AdapterPart): readonly [number, number] | undefined {
  if (part.kind !== 'lowRank') {
    return undefined;
  }
  const { a, b, layout } = part;
  return layout === 'mlxLinear'
    ? [a.shape[0] ?? 0, b.shape[1] ?? 0]
    : layout === 'peftLinear'
      ? [a.shape[1] ?? 0, b.shape[0] ?? 0]
      : undefined;
}

async function folderWeights(path: string): Promise<Widths> {
  const base = await loadHuggingFaceModel(path);
  return new Map(
    [...base.tensors].flatMap(([name, { shape }]) => {
      const translated = ggufName(canonicalTensorName(name));
      return translated === undefined || shape.length !== 2
        ? []
        : [[translated, [shape[1] ?? 0, shape[0] ?? 0]] as const];
    }),
  );
}
