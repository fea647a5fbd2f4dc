import { largest } from '../extremes';
import { append } from '../append';
import { refuseOtherPurposes } from './refuseOtherPurposes';
import { StudioError } from '../errors';
import type { Adapter, AdapterPart, FactorLayout } from '../formats/adapters/adapter';
import { matchAdapterToBase } from '../formats/adapters/matchBase';
import { GGML_TYPES, type GgmlTypeName } from '../formats/gguf/ggmlTypes';
import { f32, type GgufEntry, string, u32 } from '../formats/gguf/ggufValue';
import { encodeGgufHeader } from '../formats/gguf/writeGguf';
import { idToTitle } from '../formats/huggingface/modelName';
import type { TensorRef } from '../formats/tensorRef';
import type { AdapterTarget } from './adapterTarget';
import { adapterScales, type ModuleScale } from './adapterScales';
import { refuseUnfitForGguf } from './adapterGgufRefusals';
import type { RowRun, TensorMapping } from './architectures/architecture';
import { mapTensor } from './architectures/tensorTable';
import type { PlanNote, PlannedOutput } from './buildPlan';
import { leaveOutOtherParts } from './leaveOut';
import { accountText, UsedTensors } from './usedTensors';

/** Types that an adapter is written in, as llama.cpp's own converter offers them. */
export const ADAPTER_TYPES = ['F16', 'F32', 'BF16', 'Q8_0'] as const satisfies readonly GgmlTypeName[];
export type AdapterType = (typeof ADAPTER_TYPES)[number];

type LowRankPart = Extract<AdapterPart, { kind: 'lowRank' }>;

/** One stored factor on its way into the file: read, widened, multiplied, turned, its rows put in order. */
export interface FactorSlice {
  readonly source: TensorRef;
  /** Its values times this; exactly 1 for most. */
  readonly factor: number;
  readonly transposed: boolean;
  /** Rotary pairs of this many heads from halves to neighbours, along the rows. */
  readonly permuteHeads?: number | undefined;
  /** Rows that are kept, in the order of the file; all of them where undefined. */
  readonly runs?: readonly RowRun[] | undefined;
}

/** One tensor of the adapter file: `NAME.lora_a` [columns, rank] or `NAME.lora_b` [rank, rows], fastest dimension first. */
export interface PlannedFactor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: GgmlTypeName;
  /** Of each slice, after it was turned. */
  readonly rows: number;
  readonly columns: number;
  /** One, or one an expert. */
  readonly slices: readonly FactorSlice[];
  /** From the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

/** A copy of a base weight that the adapter carries along; it must be the base's own. */
export interface CarriedWeight {
  readonly target: string;
  readonly source: TensorRef;
}

/** Everything that writing a GGUF adapter does, decided before a byte is written. */
export interface AdapterGgufPlan {
  readonly kind: 'gguf';
  readonly output: string;
  readonly outputs: readonly PlannedOutput[];
  readonly metadata: readonly GgufEntry[];
  readonly tensors: readonly PlannedFactor[];
  readonly type: AdapterType;
  readonly adapter: Adapter;
  readonly weight: number;
  readonly target: AdapterTarget;
  readonly scales: ReturnType<typeof adapterScales>;
  readonly carried: readonly CarriedWeight[];
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Most values of one stored factor: what is held in memory at a time. */
  readonly largestFactor: number;
  readonly checks: readonly PlanNote[];
  readonly warnings: readonly PlanNote[];
}

export interface AdapterGgufRequest {
  readonly adapter: Adapter;
  /** Multiplies the whole adapter; 1 for as it was trained. */
  readonly weight: number;
  readonly target: AdapterTarget;
  readonly type: AdapterType;
  readonly output: string;
}

interface MappedModule {
  readonly part: LowRankPart;
  readonly mapping: TensorMapping;
  readonly scale: ModuleScale;
}

/**
 * Plans a GGUF LoRA with the names, shapes, types and metadata of llama.cpp's `convert_lora_to_gguf.py` (v0.5.0). Other than there,
 * every module keeps the scale that it was trained with: llama.cpp applies alpha / rank with one alpha for the file and the rank of each
 * tensor, so the file's alpha is chosen for most modules and the rest of a scale is multiplied into B.
 * @throws StudioError adapter/no-gguf-form for what such a file cannot hold, adapter/…, model/…
 */
export function planAdapterGguf(request: AdapterGgufRequest): AdapterGgufPlan {
  const { target, type } = request;
  refuseOtherPurposes([{ adapter: request.adapter, weight: 1 }]);
  const { adapter, notes } = leaveOutOtherParts(request.adapter, target.architecture, target.config);
  const [refusal] = adapter.refusals;
  if (refusal !== undefined) {
    throw refusal;
  }
  if (adapter.format === 'gguf') {
    throw new StudioError(
      'adapter/unsupported',
      `${adapter.path} is a GGUF adapter already. Name it in ADAPTER of a Modelfile as it is, or give the folder that it was made from.`,
      { path: adapter.path },
    );
  }
  const shapes = target.shapes(adapter.parts.map((part) => part.target));
  refuseUnfitForGguf(adapter, target, shapes);
  const [problem] = matchAdapterToBase(adapter, shapes).problems;
  if (problem !== undefined) {
    throw problem;
  }
  const lowRank = adapter.parts
    .filter((part): part is LowRankPart => part.kind === 'lowRank')
    .sort((a, b) => compareText(a.a.name, b.a.name));
  const scales = adapterScales(
    lowRank.map((part) => ({ module: part.target, rank: part.rank, scale: part.scale * request.weight })),
  );
  if (!Number.isFinite(scales.alpha)) {
    throw new StudioError(
      'adapter/config',
      `${adapter.path}: its scale is beyond what a GGUF can hold (alpha ${scales.alpha}). adapter_config.json cannot be right: restore it as the training tool wrote it.`,
      { path: adapter.path },
    );
  }
  const drafts = factorDrafts(
    lowRank.flatMap((part, index) =>
      mapModule(part, adapter, target).map((mapping) => ({ part, mapping, scale: scales.modules[index]! })),
    ),
    adapter,
    type,
  );
  const metadata: GgufEntry[] = [
    ['general.architecture', string(target.architecture.name)],
    ['general.type', string('adapter')],
    ['adapter.type', string('lora')],
    ['general.name', string(idToTitle(lastName(adapter.directory)))],
    ['adapter.lora.alpha', f32(scales.alpha)],
    ['general.quantization_version', u32(2)],
  ];
  const { header, tensors, dataBytes } = encodeGgufHeader({ metadata, tensors: drafts });
  const planned = drafts.map((draft, index): PlannedFactor => ({
    ...draft,
    offset: header.length + tensors[index]!.offset,
    bytes: tensors[index]!.bytes,
  }));
  const sources = planned.flatMap((tensor) => tensor.slices.map(({ source }) => source));
  const carried = adapter.parts.flatMap((part) =>
    part.kind === 'base' ? [{ target: part.target, source: part.source }] : [],
  );
  const used = new UsedTensors([...sources, ...carried.map(({ source }) => source)]);
  return {
    kind: 'gguf',
    output: request.output,
    metadata,
    type,
    adapter,
    weight: request.weight,
    target,
    scales,
    carried,
    outputs: [{ name: '', header, bytes: header.length + dataBytes }],
    tensors: planned,
    bytesRead:
      sources.reduce((sum, source) => sum + source.bytes, 0) +
      carried.reduce((sum, { source }) => sum + 2 * source.bytes, 0),
    bytesWritten: header.length + dataBytes,
    largestFactor: largest(
      sources.map(({ shape }) => shape.reduce((product, size) => product * size, 1)),
      0,
    ),
    checks: [
      { code: 'check/shapes', message: 'shapes fit this base' },
      { code: 'check/adapter-tensors', message: accountText([used.account(adapter)]) },
      { code: 'check/scale', message: scales.note },
    ],
    warnings: [...adapter.warnings, ...notes],
  };
}

function mapModule(part: LowRankPart, adapter: Adapter, target: AdapterTarget): readonly TensorMapping[] {
  const places = mapTensor(target.architecture, part.target, target.config);
  if (places === undefined || places === 'drop') {
    throw new StudioError(
      'adapter/unmatched',
      `${adapter.path} changes ${part.target}, which a ${target.architecture.label} model in a GGUF does not have. Train the adapter without it.`,
      { path: adapter.path, detail: { tensor: part.target } },
    );
  }
  return places;
}

type FactorDraft = Omit<PlannedFactor, 'offset' | 'bytes'>;

/** Two tensors a module, in the order of the adapter's own names; experts of a stack become one pair where the last of them stands. */
function factorDrafts(modules: readonly MappedModule[], adapter: Adapter, type: AdapterType): FactorDraft[] {
  const stacks = new Map<string, MappedModule[]>();
  const drafts: FactorDraft[] = [];
  for (const module of modules) {
    const { stack, name } = module.mapping;
    if (stack === undefined) {
      append(drafts, pair(name, [module], type));
      continue;
    }
    const members = [...(stacks.get(name) ?? []), module];
    stacks.set(name, members);
    if (members.length === stack.experts) {
      members.sort((a, b) => (a.mapping.stack?.expert ?? 0) - (b.mapping.stack?.expert ?? 0));
      append(drafts, pair(name, members, type));
    }
  }
  for (const [name, members] of stacks) {
    const experts = members[0]?.mapping.stack?.experts ?? 0;
    const ranks = new Set(members.map(({ part }) => part.rank));
    if (members.length !== experts || ranks.size > 1) {
      const what =
        members.length !== experts
          ? `only ${members.length} of the ${experts} experts`
          : `the experts with different ranks (${[...ranks].join(', ')})`;
      throw new StudioError(
        'adapter/no-gguf-form',
        `${adapter.path} changes ${what} of ${name}, and a GGUF adapter holds all experts as one stack of one rank. Fuse it instead: modelfile-studio build --base DIR --adapter ${adapter.path} --type Q4_K_M --out model.gguf`,
        { path: adapter.path, detail: { reason: 'experts', tensor: name } },
      );
    }
  }
  return drafts;
}

function pair(name: string, members: readonly MappedModule[], type: AdapterType): FactorDraft[] {
  const [{ part, mapping }] = members as readonly [MappedModule];
  const { left, right } = factorsOf(part);
  const permuteHeads = mapping.transform.kind === 'permute' ? mapping.transform.heads : undefined;
  const rank = part.rank;
  const runs = mapping.rows;
  const rows = runs === undefined ? lengthOf(left) : runs.reduce((sum, run) => sum + run.count, 0);
  const columns = lengthOf(right);
  // The embedding is looked up by row, so its A lies the other way round (llm_build_inp_embd).
  const embedding = name === 'token_embd.weight';
  const tensor = (suffix: string, height: number, width: number, slices: readonly FactorSlice[]): FactorDraft => ({
    name: `${name}.${suffix}`,
    rows: height,
    columns: width,
    slices,
    shape: members[0]!.mapping.stack === undefined ? [width, height] : [width, height, members.length],
    // As the converter does where rows do not divide into blocks: they are as long as the rank in B.
    type: width % GGML_TYPES[type].block === 0 ? type : 'F16',
  });
  const lefts = members.map((member): FactorSlice => ({
    ...sliceOf(factorsOf(member.part).left, false),
    factor: 1,
    permuteHeads,
    runs: member.mapping.rows,
  }));
  const rights = members.map((member): FactorSlice => ({
    ...sliceOf(factorsOf(member.part).right, embedding),
    factor: 1,
  }));
  const scaled = (slices: readonly FactorSlice[]): FactorSlice[] =>
    slices.map((slice, index) => ({ ...slice, factor: members[index]!.scale.factor }));
  return embedding
    ? [tensor('lora_a', rows, rank, lefts), tensor('lora_b', columns, rank, scaled(rights))]
    : [tensor('lora_a', rank, columns, rights), tensor('lora_b', rows, rank, scaled(lefts))];
}

/** A factor as it is stored: `rankFirst` when its first dimension is the rank. */
interface StoredFactor {
  readonly source: TensorRef;
  readonly rankFirst: boolean;
  /** The wanted form has the rank first (R) or last (L). */
  readonly side: 'left' | 'right';
}

/** What can come this far: other layouts are refused before. */
const STORED: Readonly<
  Partial<
    Record<
      FactorLayout,
      { readonly left: readonly ['a' | 'b', boolean]; readonly right: readonly ['a' | 'b', boolean] }
    >
  >
> = {
  peftLinear: { left: ['b', false], right: ['a', true] },
  peftEmbedding: { left: ['a', true], right: ['b', false] },
  peftConv1d: { left: ['a', true], right: ['b', false] },
  mlxLinear: { left: ['b', true], right: ['a', false] },
  mlxEmbedding: { left: ['a', false], right: ['b', true] },
};

function factorsOf(part: LowRankPart): { readonly left: StoredFactor; readonly right: StoredFactor } {
  const stored = STORED[part.layout];
  if (stored === undefined) {
    throw new StudioError(
      'internal/unexpected',
      `${part.target}: factors of the layout ${part.layout} have no form of their own.`,
    );
  }
  const { left, right } = stored;
  return {
    left: { source: part[left[0]], rankFirst: left[1], side: 'left' },
    right: { source: part[right[0]], rankFirst: right[1], side: 'right' },
  };
}

/** L is wanted as [rows, rank], R as [rank, columns], or as [columns, rank] for an embedding. */
function sliceOf(
  factor: StoredFactor,
  rankLast: boolean,
): { readonly source: TensorRef; readonly transposed: boolean } {
  const wantsRankFirst = factor.side === 'right' && !rankLast;
  return { source: factor.source, transposed: factor.rankFirst !== wantsRankFirst };
}

/** The dimension of a factor that is not the rank. */
function lengthOf(factor: StoredFactor): number {
  return factor.source.shape[factor.rankFirst ? 1 : 0]!;
}

function lastName(path: string): string {
  return (
    path
      .replace(/[\\/]+$/, '')
      .split(/[\\/]/)
      .pop() ?? path
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
