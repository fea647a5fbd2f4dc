import { elementCount } from '../formats/tensorRef';
import type { GgmlTypeName } from '../formats/gguf/ggmlTypes';
import type { WeightedAdapter } from './applyAdapters';
import type {
  BuildPlan,
  Contribution,
  PlannedAdapter,
  PlannedTensor,
  PlanNote,
  RowSource,
  StoredMatrix,
} from './buildPlan';
import { TOKEN_TYPE } from '../formats/gguf/tokenType';
import { isQuantised, type FileTypeName } from './fileTypes';
import type { GgufLayout } from './layOutGguf';
import { storedRowBytes } from './storedMatrix';
import { accountText, type AdapterAccount, UsedTensors } from './usedTensors';
import { workerLayout } from './workerLayout';

export interface PlanParts {
  readonly kind: BuildPlan['kind'];
  readonly fileType: FileTypeName;
  readonly output: string;
  readonly inputs: readonly string[];
  readonly layout: GgufLayout;
  readonly base: {
    readonly path: string;
    readonly takenBecause?: string | undefined;
    readonly architecture: string;
    readonly label: string;
    readonly dtype: string;
    readonly template?: string | undefined;
  };
  readonly adapters: readonly WeightedAdapter[];
  readonly checks: readonly PlanNote[];
  readonly warnings: readonly PlanNote[];
}

/** Models below this lose too much at four bits. */
const SMALL_MODEL = 1e9;

/** Adds up what a plan costs and writes its summary. */
export function finishPlan(parts: PlanParts): BuildPlan {
  const { layout } = parts;
  // A plan whose rows do not fit a worker is refused here, not in the middle of a run.
  workerLayout(layout.tensors);
  const parameters = layout.tensors.reduce((sum, tensor) => sum + elementCount(tensor.shape), 0);
  const used = UsedTensors.ofPlan(layout.tensors, parts.inputs);
  const accounts = parts.adapters.map(({ adapter }) => used.account(adapter));
  const weightBytes = layout.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const tensorTypes: Partial<Record<GgmlTypeName, number>> = {};
  for (const tensor of layout.tensors) {
    tensorTypes[tensor.type] = (tensorTypes[tensor.type] ?? 0) + 1;
  }
  return {
    kind: parts.kind,
    fileType: parts.fileType,
    inputs: parts.inputs,
    output: parts.output,
    outputs: layout.outputs,
    metadata: layout.metadata,
    tensors: layout.tensors,
    importance: layout.importance,
    bytesRead: bytesRead(layout.tensors),
    bytesWritten: layout.outputs.reduce((sum, output) => sum + output.bytes, 0),
    checks: [...planChecks(parts, layout, accounts), ...parts.checks],
    warnings: [...parts.warnings, ...planWarnings(parts, layout.tensors, parameters)],
    summary: {
      base: { ...parts.base, parameters },
      adapters: parts.adapters.map((adapter, index) => plannedAdapter(adapter, accounts[index]!)),
      route: route(parts),
      bitsPerWeight: parameters === 0 ? 0 : (weightBytes * 8) / parameters,
      tensorTypes,
    },
  };
}

function route(parts: PlanParts): string {
  if (parts.kind === 'safetensors') {
    return 'one pass into a merged folder';
  }
  return 'one pass, nothing in between';
}

function plannedAdapter({ adapter, weight }: WeightedAdapter, tensors: AdapterAccount): PlannedAdapter {
  const modules = new Set(adapter.parts.map((part) => part.target)).size;
  const leftOut = (adapter.leftOut ?? []).filter(({ what }) => what !== 'value head');
  return {
    path: adapter.path,
    weightsFile: adapter.weightsFile,
    takenBecause: adapter.takenBecause,
    format: adapter.format,
    method: adapter.method,
    weight,
    rank: adapter.rank,
    scale: adapter.scale,
    // All but those that were left out: applyAdapters refuses a plan in which another has no place.
    modulesMatched: modules,
    modules: modules + leftOut.reduce((sum, left) => sum + left.modules, 0),
    tensors,
    baseName: adapter.baseName,
  };
}

function planChecks(parts: PlanParts, layout: GgufLayout, accounts: readonly AdapterAccount[]): PlanNote[] {
  const checks: PlanNote[] = [
    { code: 'check/shapes', message: parts.adapters.length > 0 ? 'shapes fit this base' : 'shapes fit config.json' },
  ];
  if (parts.adapters.length > 0) {
    checks.push({ code: 'check/adapter-tensors', message: accountText(accounts) });
  }
  const keys = new Map(layout.metadata);
  const { tokens, rows } = vocabularyOf(layout);
  if (tokens > 0 && tokens <= rows) {
    checks.push({
      code: 'check/vocabulary',
      message:
        tokens === rows ? `${tokens} tokens = ${rows} embedding rows` : `${tokens} tokens in ${rows} embedding rows`,
    });
  }
  const pre = keys.get('tokenizer.ggml.pre');
  if (pre?.type === 'string') {
    checks.push({ code: 'check/pre-tokenizer', message: `pre-tokenizer ${pre.value}` });
  }
  return checks;
}

/** Tokens that have a name of their own, and rows that there are for them: rows to spare are called `[PAD640]` and unused. */
function vocabularyOf({ metadata, tensors }: GgufLayout): { readonly tokens: number; readonly rows: number } {
  const keys = new Map(metadata);
  const tokens = keys.get('tokenizer.ggml.tokens');
  const types = keys.get('tokenizer.ggml.token_type');
  const rows = tensors.find((tensor) => tensor.name === 'token_embd.weight')?.shape[1] ?? 0;
  let named = 0;
  for (let id = 0; tokens?.type === 'array' && id < tokens.value.length; id++) {
    const isUnused = types?.type === 'array' && types.value[id] === TOKEN_TYPE.unused;
    named += isUnused && tokens.value[id] === `[PAD${id}]` ? 0 : 1;
  }
  return { tokens: named, rows };
}

function planWarnings(parts: PlanParts, tensors: readonly PlannedTensor[], parameters: number): PlanNote[] {
  const warnings: PlanNote[] = [];
  const bits = /^I?Q([2-5])/.exec(parts.fileType)?.[1];
  if (bits !== undefined && parameters < SMALL_MODEL) {
    warnings.push({
      code: 'quantize/small-model',
      message: `${(parameters / 1e6).toFixed(1)} M parameters: models under about 1 B lose too much at ${bits} bits; Q8_0 or BF16 is the usual choice (--type Q8_0)`,
    });
  }
  const fallen = tensors.filter((tensor) => tensor.requestedType !== undefined);
  const [first] = fallen;
  if (first !== undefined) {
    warnings.push({
      code: 'quantize/fallback',
      message: `${fallen.length} tensors cannot have the type of this mixture, since their rows do not divide into its blocks (${first.name}: ${first.columns} columns, ${first.requestedType ?? ''} becomes ${first.type})`,
    });
  }
  return warnings;
}

/** Bytes that a run reads: base, adapters, and nothing twice but an adapter's factors once a worker. */
function bytesRead(tensors: readonly PlannedTensor[]): number {
  let bytes = 0;
  for (const tensor of tensors) {
    for (const slice of tensor.slices) {
      bytes += sourceBytes(slice.source);
      for (const part of slice.contributions) {
        bytes += contributionBytes(part);
      }
    }
  }
  return bytes;
}

function sourceBytes(source: RowSource): number {
  switch (source.kind) {
    case 'stored':
      return matrixBytes(source.matrix);
    case 'affine':
      return source.words.rows * source.words.rowBytes + matrixBytes(source.scales) + matrixBytes(source.biases);
    case 'mxfp4':
      return source.words.rows * source.words.rowBytes + source.scales.rows * source.scales.rowBytes;
    case 'scaled':
      return source.levels.rows * source.levels.rowBytes + source.scales.rows * source.scales.rowBytes;
    case 'generated':
      return 0;
  }
}

function contributionBytes(part: Contribution): number {
  if (part.kind === 'lowRank') {
    const magnitude = part.magnitude ?? part.columnMagnitude;
    return matrixBytes(part.a) + matrixBytes(part.b) + (magnitude === undefined ? 0 : matrixBytes(magnitude));
  }
  return matrixBytes(part.matrix);
}

function matrixBytes(matrix: StoredMatrix): number {
  return matrix.rows * storedRowBytes(matrix.type, matrix.columns);
}

/** Peak memory that a run takes: the process, the vocabulary while it is planned, a thread's own needs, and the workers' buffers. */
export function peakMemory(plan: BuildPlan, workers: number): number {
  const process = 90e6;
  const thread = 12e6;
  // Measured: text, tables and merges of tokenizer.json while they are read.
  const token = 800;
  const tokens = plan.metadata.find(([key]) => key === 'tokenizer.ggml.tokens')?.[1];
  const vocabulary = tokens?.type === 'array' ? tokens.value.length * token : 0;
  return (
    process +
    vocabulary +
    workers * (thread + workerLayout(plan.tensors).memoryBytes) +
    (plan.importance?.byteLength ?? 0)
  );
}

/** Measured on one core of a 2023 server, in values a second: enough to tell seconds from minutes. */
const SPEED: Readonly<Partial<Record<GgmlTypeName, number>>> = {
  Q2_K: 75e6,
  Q3_K: 150e6,
  Q4_K: 75e6,
  Q5_K: 85e6,
  Q6_K: 150e6,
  IQ4_NL: 120e6,
  IQ4_XS: 120e6,
};

/** Seconds that a run will take, roughly. */
export function estimatedSeconds(plan: BuildPlan, workers: number): number {
  const compute = plan.tensors.reduce((sum, tensor) => {
    const values = elementCount(tensor.shape);
    const merge = tensor.slices.some((slice) => slice.contributions.length > 0) ? values / 300e6 : 0;
    return sum + merge + values / (isQuantised(tensor.type) ? (SPEED[tensor.type] ?? 300e6) : 800e6);
  }, 0);
  return 0.3 + compute / workers + (plan.bytesRead + plan.bytesWritten) / 2e9;
}
