import { dirname } from 'node:path';
import type { Adapter, AdapterPart } from '../../core/formats/adapters/adapter';
import { elementCount, type TensorRef } from '../../core/formats/tensorRef';
import type { ByteSource } from '../../core/bytes';
import { numberOf, type ViewedFile } from '../../core/viewer/viewedFile';
import { storedValues } from './compareValues';
import { loadAdapter } from '../inputs/loadAdapter';
import { widenedType, type StoredValues } from './tensorValues';

/** One factor of a low-rank pair: rank x n values, or n x rank where the rank comes last. */
export interface Factor {
  readonly values: StoredValues;
  readonly rankFirst: boolean;
}

/** A module that an adapter changes by scale * L @ R. */
export interface AdapterModule {
  /** The weight that it changes, as the adapter's format names it. */
  readonly target: string;
  readonly rank: number;
  readonly scale: number;
  readonly left: Factor | undefined;
  readonly right: Factor | undefined;
  /** Rows and columns of the weight. */
  readonly rows: number;
  readonly columns: number;
  /** Why its size cannot be told. */
  readonly problem: string | undefined;
}

export interface AdapterContents {
  readonly modules: readonly AdapterModule[];
  readonly facts: readonly { readonly label: string; readonly value: string }[];
  readonly notes: readonly string[];
  /** What the adapter calls its base. */
  readonly baseName: string | undefined;
  readonly directory: string;
}

const FORMATS = { peft: 'PEFT', mlx: 'mlx-lm', gguf: 'GGUF' } as const;
const METHODS = { lora: 'LoRA', rslora: 'rsLoRA', dora: 'DoRA', full: 'full fine-tune' } as const;

/** The modules of an adapter folder's weights, by its configuration. Throws what {@link loadAdapter} does. */
export async function adapterFolderModules(
  path: string,
  source: ByteSource,
  signal?: AbortSignal,
): Promise<AdapterContents> {
  const adapter = await loadAdapter(path, { signal });
  const parts = adapter.parts.filter((part) => part.kind === 'lowRank');
  const others = adapter.parts.length - parts.length;
  const notes = [
    ...adapter.refusals.map(({ message }) => message),
    ...adapter.warnings.map(({ message }) => message),
    ...(adapter.method === 'dora' ? ['DoRA also rescales every row: the cells show its low-rank part alone.'] : []),
    ...(others > 0
      ? [`${others} ${others === 1 ? 'tensor is' : 'tensors are'} replaced as a whole and not shown here.`]
      : []),
  ];
  return {
    modules: parts.map((part) => folderModule(part, source)),
    facts: folderFacts(adapter),
    notes,
    baseName: adapter.baseName,
    directory: adapter.directory,
  };
}

function folderFacts(adapter: Adapter): { label: string; value: string }[] {
  const fact = (label: string, value: string | number | undefined): { label: string; value: string }[] =>
    value === undefined ? [] : [{ label, value: String(value) }];
  return [
    ...fact('Written by', FORMATS[adapter.format]),
    ...fact('Method', METHODS[adapter.method]),
    ...fact('Rank', adapter.rank),
    ...fact('Alpha', adapter.alpha),
    ...fact('Scale', adapter.scale === undefined ? undefined : Number(adapter.scale.toPrecision(4))),
    ...fact('Modules', adapter.targets.join(' ')),
    ...fact('Trained on', adapter.baseName),
  ];
}

function folderModule(part: Extract<AdapterPart, { kind: 'lowRank' }>, source: ByteSource): AdapterModule {
  const factors = factorsOf(part);
  if (factors === undefined) {
    return {
      target: part.target,
      rank: part.rank,
      scale: part.scale,
      left: undefined,
      right: undefined,
      rows: 0,
      columns: 0,
      problem: 'stored in a way that is not measured here (several experts in one tensor)',
    };
  }
  const [left, right] = factors;
  const rows = elementCount(left.ref.shape) / part.rank;
  const columns = elementCount(right.ref.shape) / part.rank;
  const [leftFactor, rightFactor] = [factor(left, source), factor(right, source)];
  return {
    target: part.target,
    rank: part.rank,
    scale: part.scale,
    left: leftFactor,
    right: rightFactor,
    rows,
    columns,
    problem:
      leftFactor === undefined || rightFactor === undefined
        ? `stored as ${part.a.dtype}, which is not read`
        : undefined,
  };
}

interface RefFactor {
  readonly ref: TensorRef;
  readonly rankFirst: boolean;
}

/** L and R of a part, as `FactorLayout` says that they lie on disk; undefined for those that hold more than one module. */
function factorsOf(
  part: Extract<AdapterPart, { kind: 'lowRank' }>,
): readonly [left: RefFactor, right: RefFactor] | undefined {
  const { a, b } = part;
  switch (part.layout) {
    case 'peftLinear':
      return [
        { ref: b, rankFirst: false },
        { ref: a, rankFirst: true },
      ];
    case 'peftEmbedding':
    case 'peftConv1d':
      return [
        { ref: a, rankFirst: true },
        { ref: b, rankFirst: false },
      ];
    case 'mlxLinear':
      return [
        { ref: b, rankFirst: true },
        { ref: a, rankFirst: false },
      ];
    case 'mlxEmbedding':
      return [
        { ref: a, rankFirst: false },
        { ref: b, rankFirst: true },
      ];
    default:
      return undefined;
  }
}

function factor({ ref, rankFirst }: RefFactor, source: ByteSource): Factor | undefined {
  const type = widenedType(ref.dtype);
  return type === undefined
    ? undefined
    : { values: { source, offset: ref.offset, type, count: elementCount(ref.shape) }, rankFirst };
}

/** The modules of a GGUF adapter: `NAME.lora_a` [n, rank] and `NAME.lora_b` [rank, n] in GGUF order, scaled by alpha over the rank, or 1. */
export function ggufAdapterModules(file: ViewedFile, path: string, source: ByteSource): AdapterContents {
  const alpha = numberOf(file, 'adapter.lora.alpha');
  const indices = new Map<string, number>();
  for (let index = 0; index < file.tensors.length; index++) {
    indices.set(file.tensors.name(index), index);
  }
  const modules: AdapterModule[] = [];
  for (const [name, a] of indices) {
    if (name.endsWith('.lora_a')) {
      modules.push(
        ggufModule(file, source, name.slice(0, -'.lora_a'.length), a, indices.get(`${name.slice(0, -1)}b`), alpha),
      );
    }
  }
  const ranks = [...new Set(modules.map(({ rank }) => rank))].sort((x, y) => x - y);
  const facts = [
    { label: 'Method', value: 'LoRA' },
    { label: 'Rank', value: ranks.length > 3 ? `${ranks[0]} to ${ranks.at(-1)}` : ranks.join(', ') },
    ...(alpha === undefined ? [] : [{ label: 'Alpha', value: String(alpha) }]),
    ...(ranks.length === 1 ? [{ label: 'Scale', value: String(Number((modules[0]?.scale ?? 1).toPrecision(4))) }] : []),
  ];
  return { modules, facts, notes: [], baseName: undefined, directory: dirname(path) };
}

function ggufModule(
  file: ViewedFile,
  source: ByteSource,
  target: string,
  a: number,
  b: number | undefined,
  alpha: number | undefined,
): AdapterModule {
  const shapeA = file.tensors.shape(a);
  const shapeB = b === undefined ? [] : file.tensors.shape(b);
  const rank = shapeA[1] ?? 1;
  const [right, left] = [
    storedValues(source, file.tensors, a),
    b === undefined ? 'its lora_b is missing' : storedValues(source, file.tensors, b),
  ];
  const fits = shapeA.length <= 2 && shapeB.length <= 2 && shapeB[0] === rank && rank > 0;
  const problem =
    typeof right === 'string'
      ? right
      : typeof left === 'string'
        ? left
        : fits
          ? undefined
          : 'its factors do not fit each other';
  return {
    target,
    rank,
    scale: alpha === undefined || alpha === 0 ? 1 : alpha / rank,
    rows: shapeB[1] ?? 1,
    columns: shapeA[0] ?? 1,
    problem,
    left: typeof left === 'string' ? undefined : { values: left, rankFirst: false },
    right: typeof right === 'string' ? undefined : { values: right, rankFirst: true },
  };
}
