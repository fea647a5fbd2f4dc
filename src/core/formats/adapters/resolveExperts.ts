import { append } from '../../append';
import { StudioError } from '../../errors';
import type { TensorRef } from '../tensorRef';
import { type Adapter, type AdapterPart, EXPERT_PARAMETERS, type ExpertParameter } from './adapter';

type ExpertsPart = Extract<AdapterPart, { kind: 'experts' }>;

/** One way to read a pair of factors: the parameter that it changes, and whether PEFT took it for [in, out]. */
interface Reading {
  readonly parameter: ExpertParameter;
  readonly transposed: boolean;
}

interface Widths {
  readonly hidden: number;
  readonly feedForward: number;
}

/** An adapter whose parts on fused experts are one part an expert and weight. */
export interface ResolvedAdapter {
  readonly adapter: Adapter;
  readonly problems: readonly StudioError[];
}

/**
 * Finds out which parameter each pair of factors on fused experts changes, from the shapes of a base, and splits it into the
 * weights that files hold one by one. PEFT 0.19 and later: A [experts * rank, d2], B [d1, rank * experts] for a parameter
 * [experts, d1, d2]; 0.17 and 0.18: A [experts * rank, d1], B [d2, rank * experts]. Where a weight is square, the
 * version and the list of target_parameters decide, and else it is refused.
 */
export function resolveExperts(
  adapter: Adapter,
  base: ReadonlyMap<string, { readonly shape: readonly number[] }>,
): ResolvedAdapter {
  if (!adapter.parts.some((part) => part.kind === 'experts')) {
    return { adapter, problems: [] };
  }
  const parts: AdapterPart[] = [];
  const problems: StudioError[] = [];
  for (const part of adapter.parts) {
    if (part.kind !== 'experts') {
      parts.push(part);
      continue;
    }
    const gate = base.get(`${part.target}.0.gate_proj.weight`)?.shape;
    if (gate?.length !== 2) {
      problems.push(
        problem(
          adapter,
          part,
          'adapter/unmatched',
          `changes the experts of ${part.target}, which the base does not have`,
        ),
      );
      continue;
    }
    const experts = countExperts(part.target, base);
    if (!EXPERT_PARAMETERS.some((parameter) => trainedExperts(part, parameter) === experts)) {
      problems.push(
        problem(
          adapter,
          part,
          'adapter/base-mismatch',
          `was trained on layers of ${trainedExperts(part, 'gate_up_proj')} experts, and the base has ${experts} (${part.target})`,
        ),
      );
      continue;
    }
    const widths = { feedForward: gate[0]!, hidden: gate[1]! };
    const readings = readingsOf(adapter, part, widths, experts);
    const [reading] = readings;
    if (reading === undefined) {
      problems.push(
        problem(
          adapter,
          part,
          'adapter/base-mismatch',
          `was trained on experts of other widths than the base's (${part.target}: A [${part.a.shape.join(', ')}], B [${part.b.shape.join(', ')}]; the base has ${widths.feedForward} x ${widths.hidden})`,
        ),
      );
    } else if (readings.length > 1) {
      problems.push(
        problem(
          adapter,
          part,
          'adapter/unsupported',
          `changes experts whose weights are square (${part.target}), and neither peft_version nor target_parameters in adapter_config.json tells which way round its factors are`,
        ),
      );
    } else {
      append(parts, expertParts(part, reading, widths, experts));
    }
  }
  return { adapter: { ...adapter, parts }, problems };
}

function countExperts(target: string, base: ReadonlyMap<string, unknown>): number {
  let experts = 0;
  while (base.has(`${target}.${experts}.gate_proj.weight`)) {
    experts++;
  }
  return experts;
}

/** How many experts the factors are for, if they change this parameter. */
function trainedExperts({ a, modules }: ExpertsPart, parameter: ExpertParameter): number {
  return (a.shape[0] ?? 0) / modules[parameter].rank;
}

function readingsOf(adapter: Adapter, part: ExpertsPart, { hidden, feedForward }: Widths, experts: number): Reading[] {
  const dimensions: Readonly<Record<ExpertParameter, readonly [number, number]>> = {
    gate_up_proj: [2 * feedForward, hidden],
    down_proj: [hidden, feedForward],
  };
  const [into, out] = [part.a.shape[1], part.b.shape[0]];
  const ofRank = EXPERT_PARAMETERS.filter((parameter) => trainedExperts(part, parameter) === experts);
  const fitting = ofRank.flatMap((parameter): Reading[] => {
    const [d1, d2] = dimensions[parameter];
    return [
      ...(out === d1 && into === d2 ? [{ parameter, transposed: false }] : []),
      ...(into === d1 && out === d2 ? [{ parameter, transposed: true }] : []),
    ];
  });
  const hints: ((reading: Reading) => boolean)[] = [
    ({ parameter }) => namedParameters(adapter).includes(parameter),
    // Where both are trained, the inner wrapper is that of the first.
    ({ parameter }) => !hasBoth(adapter, part) || (parameter === 'gate_up_proj') === part.inner,
    ({ transposed }) => transposedBy(adapter) === undefined || transposed === transposedBy(adapter),
  ];
  return hints.reduce((left, hint) => (left.length > 1 ? left.filter(hint) : left), fitting);
}

function namedParameters(adapter: Adapter): ExpertParameter[] {
  const list: unknown = adapter.config['target_parameters'];
  const names = Array.isArray(list) ? (list as readonly unknown[]).filter((name) => typeof name === 'string') : [];
  const named = EXPERT_PARAMETERS.filter((parameter) =>
    names.some((name) => name === parameter || name.endsWith(`.${parameter}`)),
  );
  return named.length === 0 ? [...EXPERT_PARAMETERS] : named;
}

function hasBoth(adapter: Adapter, part: ExpertsPart): boolean {
  return adapter.parts.filter((other) => other.kind === 'experts' && other.target === part.target).length > 1;
}

/** Whether this version of PEFT took a parameter for [in, out]; undefined where the configuration does not say which it was. */
function transposedBy(adapter: Adapter): boolean | undefined {
  const version = adapter.config['peft_version'];
  const parts = typeof version === 'string' ? /^(\d+)\.(\d+)/.exec(version) : null;
  return parts === null ? undefined : Number(parts[1]) === 0 && Number(parts[2]) < 19;
}

function expertParts(
  part: ExpertsPart,
  { parameter, transposed }: Reading,
  { hidden, feedForward }: Widths,
  experts: number,
): AdapterPart[] {
  const { rank, scale } = part.modules[parameter];
  const weights =
    parameter === 'down_proj'
      ? [{ name: 'down_proj', firstRow: 0, rows: hidden }]
      : [
          { name: 'gate_proj', firstRow: 0, rows: feedForward },
          { name: 'up_proj', firstRow: feedForward, rows: feedForward },
        ];
  return Array.from({ length: experts }, (_, expert) =>
    weights.map(({ name, firstRow, rows }): AdapterPart => ({
      kind: 'lowRank',
      target: `${part.target}.${expert}.${name}.weight`,
      a: rowsOf(part.a, expert * rank, rank),
      b: transposed ? part.b : rowsOf(part.b, firstRow, rows),
      layout: transposed ? 'expertTransposed' : 'expertLinear',
      rank,
      scale,
      columns: { expert, experts, firstRow, rows },
    })),
  ).flat();
}

/** Rows [first, first + count) of a matrix. */
function rowsOf(ref: TensorRef, first: number, count: number): TensorRef {
  const rowBytes = ref.bytes / (ref.shape[0] ?? 1);
  return { ...ref, shape: [count, ref.shape[1] ?? 0], offset: ref.offset + first * rowBytes, bytes: count * rowBytes };
}

function problem(
  adapter: Adapter,
  part: ExpertsPart,
  code: 'adapter/unmatched' | 'adapter/base-mismatch' | 'adapter/unsupported',
  what: string,
): StudioError {
  const next =
    code === 'adapter/unsupported'
      ? 'Merge it with PEFT (merge_and_unload, save_pretrained) and pass the merged folder as the base.'
      : `Pass the base it was trained on: ${adapter.baseName === undefined ? 'adapter_config.json does not name it' : `adapter_config.json names ${adapter.baseName}`}.`;
  return new StudioError(code, `${adapter.path} ${what}. ${next}`, {
    path: adapter.path,
    detail: { tensor: part.a.name, a: part.a.shape, b: part.b.shape },
  });
}
