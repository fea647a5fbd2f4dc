import type { BaseTensorShape } from './baseTensorShape';
import { StudioError } from '../../errors';
import type { Adapter, AdapterPart } from './adapter';
import { isScoringHead, notText } from '../huggingface/modelPurpose';
import { hiddenSizes, layersOf, nearestNames } from './baseDifferences';
import { resolveExperts } from './resolveExperts';

export interface BaseMatch {
  /** Parts that have their place in this base. */
  readonly matched: readonly AdapterPart[];
  /** Why the adapter cannot be merged into it; the first is the one to show. */
  readonly problems: readonly StudioError[];
}

const EMBEDDING = 'model.embed_tokens.weight';
const HEAD = 'lm_head.weight';

interface Misfit {
  readonly part: AdapterPart;
  readonly wanted: readonly number[];
  readonly found: readonly number[];
}

/**
 * Holds every part of an adapter against a base, whose tensors come by the names that the engine uses (canonical ones).
 * Only vocabulary rows may differ, and only where the adapter brings the whole embedding or head.
 */
export function matchAdapterToBase(given: Adapter, base: ReadonlyMap<string, BaseTensorShape>): BaseMatch {
  const { adapter, problems } = resolveExperts(given, base);
  const brought = new Map<string, readonly number[]>();
  for (const part of adapter.parts) {
    if (part.kind === 'base' || part.kind === 'replace') {
      brought.set(part.target, part.source.shape);
    }
  }
  const matched: AdapterPart[] = [];
  const misfits: Misfit[] = [];
  const homeless: AdapterPart[] = [];
  for (const part of adapter.parts) {
    // A base without a head of its own uses its embedding as one.
    const found = base.get(part.target) ?? (part.target === HEAD ? base.get(EMBEDDING) : undefined);
    if (found === undefined) {
      homeless.push(part);
      continue;
    }
    const isWhole = part.kind === 'base' || part.kind === 'replace';
    const shape = isWhole ? found.shape : (brought.get(part.target) ?? found.shape);
    const wanted = wantedShape(part, shape, adapter.config['fan_in_fan_out'] === true);
    if (wanted === undefined || (isWhole && isResizedVocabulary(part.target, wanted, shape))) {
      matched.push(part);
    } else {
      misfits.push({ part, wanted, found: shape });
    }
  }
  return {
    matched,
    problems: [...problems, ...shapeProblems(adapter, misfits, base), ...nameProblems(adapter, homeless, base)],
  };
}

/** Undefined when the part fits a base tensor of this shape, else the shape that it was trained for. */
function wantedShape(part: AdapterPart, found: readonly number[], fanInFanOut: boolean): readonly number[] | undefined {
  if (part.kind === 'replaceRows') {
    const [rows, columns] = found;
    const highest = part.rows.reduce((most, row) => Math.max(most, row), -1);
    const fits = found.length === 2 && columns === part.source.shape[1] && highest < (rows ?? 0);
    return fits ? undefined : [Math.max(highest + 1, rows ?? 0), part.source.shape[1] ?? 0];
  }
  if (part.kind === 'experts') {
    return undefined;
  }
  if (part.kind !== 'lowRank') {
    return sameShape(part.source.shape, found) ? undefined : part.source.shape;
  }
  const wanted = lowRankShape(part);
  const transposed = fanInFanOut && part.layout === 'peftLinear' && sameShape([wanted[1], wanted[0]], found);
  return sameShape(wanted, found) || transposed ? undefined : wanted;
}

function lowRankShape({ layout, a, b, columns }: Extract<AdapterPart, { kind: 'lowRank' }>): readonly [number, number] {
  switch (layout) {
    case 'peftLinear':
    case 'peftConv1d':
      return [b.shape[0] ?? 0, a.shape[1] ?? 0];
    case 'peftEmbedding':
      return [a.shape[1] ?? 0, b.shape[0] ?? 0];
    case 'mlxLinear':
      return [b.shape[1] ?? 0, a.shape[0] ?? 0];
    case 'mlxEmbedding':
      return [a.shape[0] ?? 0, b.shape[1] ?? 0];
    case 'ggufEmbedding':
      return [a.shape[0] ?? 0, b.shape[0] ?? 0];
    case 'expertLinear':
      return [b.shape[0] ?? 0, a.shape[1] ?? 0];
    case 'expertTransposed':
      return [columns?.rows ?? 0, b.shape[0] ?? 0];
  }
}

function isResizedVocabulary(target: string, brought: readonly number[], found: readonly number[]): boolean {
  return (
    (target === EMBEDDING || target === HEAD) && brought.length === 2 && found.length === 2 && brought[1] === found[1]
  );
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, index) => size === b[index]);
}

function shapeProblems(
  adapter: Adapter,
  misfits: readonly Misfit[],
  base: ReadonlyMap<string, BaseTensorShape>,
): StudioError[] {
  const [first] = misfits;
  if (first === undefined) {
    return [];
  }
  const module = first.part.target.replace(/\.(?:weight|bias)$/, '');
  const hidden = hiddenSizes(
    misfits.map(({ part, wanted }) => [part.target, wanted]),
    base,
  );
  const difference =
    hidden === undefined
      ? `was trained on a model where ${module} is [${first.wanted.join(', ')}]; base has [${first.found.join(', ')}].`
      : `was trained on a model with hidden size ${hidden.adapter}; base has ${hidden.base} (${hidden.module}).`;
  return [
    new StudioError('adapter/base-mismatch', `${adapter.path} ${difference} ${baseHint(adapter)}`, {
      path: adapter.path,
      detail: {
        tensor: first.part.target,
        expected: first.wanted,
        found: first.found,
        misfits: misfits.length,
        parts: adapter.parts.length,
      },
    }),
  ];
}

function nameProblems(
  adapter: Adapter,
  homeless: readonly AdapterPart[],
  base: ReadonlyMap<string, BaseTensorShape>,
): StudioError[] {
  const [first] = homeless;
  if (first === undefined) {
    return [];
  }
  const names = [...new Set(homeless.map((part) => part.target))];
  if (adapter.purpose !== undefined && isScoringHead(first.target)) {
    return [notText(adapter.purpose.purpose, adapter.path, adapter.purpose.seenBy, adapter.path)];
  }
  const detail = { tensors: names.slice(0, 50), count: names.length };
  const layers = { adapter: layersOf(adapter.parts.map((part) => part.target)), base: layersOf(base.keys()) };
  if (layers.base > 0 && layers.adapter > layers.base) {
    return [
      new StudioError(
        'adapter/base-mismatch',
        `${adapter.path} was trained on a model with at least ${layers.adapter} layers; base has ${layers.base} (${names[0]!}). ${baseHint(adapter)}`,
        { path: adapter.path, detail },
      ),
    ];
  }
  if (first.kind === 'add' || first.target.endsWith('.bias')) {
    return [
      new StudioError(
        'adapter/unmatched',
        `${adapter.path} changes ${first.target}, and the base has no such bias${names.length === 1 ? '' : ` (nor ${names.length - 1} others)`}. ${first.kind === 'add' ? 'PEFT cannot merge lora_bias into such a base either: train without it.' : baseHint(adapter)}`,
        { path: adapter.path, detail },
      ),
    ];
  }
  const shown = names.slice(0, 3).join(', ');
  const nearest = nearestNames(first.target, base.keys());
  return [
    new StudioError(
      'adapter/unmatched',
      `${adapter.path} changes ${names.length} ${names.length === 1 ? 'weight' : 'weights'} that the base does not have: ${shown}${names.length > 3 ? ', …' : ''}. ${nearest.length === 0 ? '' : `Nearest in the base: ${nearest.join(', ')}. `}${baseHint(adapter)}`,
      {
        path: adapter.path,
        detail: { ...detail, nearest },
      },
    ),
  ];
}

function baseHint(adapter: Adapter): string {
  const says =
    adapter.baseName === undefined
      ? 'adapter_config.json does not name it'
      : `adapter_config.json names ${adapter.baseName}`;
  return `Pass the base it was trained on: ${says}.`;
}
