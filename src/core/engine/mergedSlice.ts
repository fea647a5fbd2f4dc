import { StudioError } from '../errors';
import type { AdapterPart } from '../formats/adapters/adapter';
import type { AppliedPart, MergedTensor } from './applyAdapters';
import type { TensorTransform } from './architectures/architecture';
import type { Contribution, PlannedSlice, RowSource } from './buildPlan';
import type { InputFiles } from './inputFiles';
import { storedMatrix } from './storedMatrix';

/** Rows and row length of a tensor: a vector is one row, or one value a row where its values move like rows. */
export function matrixShape(
  shape: readonly number[],
  asColumn: boolean,
): { readonly rows: number; readonly columns: number } {
  const elements = shape.reduce((product, dimension) => product * dimension, 1);
  const columns = asColumn ? 1 : (shape.at(-1) ?? 1);
  return { rows: columns === 0 ? 0 : elements / columns, columns };
}

/** The plan of one merged tensor: where its rows come from and what is added to them. */
export function mergedSlice(tensor: MergedTensor, transform: TensorTransform, files: InputFiles): PlannedSlice {
  const asColumn = tensor.shape.length === 1 && transform.kind === 'permute';
  const { rows, columns } = matrixShape(tensor.shape, asColumn);
  const { source, rest } = chooseSource(tensor, files, asColumn);
  const contributions = rest.map((applied) => contribution(applied, files, rows, columns, asColumn));
  return { source, rows, contributions, transform };
}

/** The base, or what an adapter puts in its place. */
function chooseSource(
  tensor: MergedTensor,
  files: InputFiles,
  asColumn: boolean,
): { readonly source: RowSource; readonly rest: readonly AppliedPart[] } {
  const rest = tensor.parts.filter(({ part }) => part.kind !== 'base');
  const [only] = rest;
  const replaced = rest.length === 1 && only?.part.kind === 'replace' && only.weight === 1;
  const resized = rest.find(
    ({ part }) => part.kind === 'replace' && part.source.shape.join() !== tensor.base.shape.join(),
  );
  const taken = replaced ? only : (tensor.parts.find(({ part }) => part.kind === 'base') ?? resized);
  if (taken !== undefined && 'source' in taken.part) {
    const { source } = taken.part;
    return {
      source: { kind: 'stored', matrix: storedMatrix(source, files.number(source.file), asColumn) },
      rest: rest.filter((applied) => applied !== taken),
    };
  }
  return { source: tensor.base.source(files, asColumn), rest };
}

function contribution(
  { part, weight }: AppliedPart,
  files: InputFiles,
  rows: number,
  columns: number,
  asColumn: boolean,
): Contribution {
  switch (part.kind) {
    case 'lowRank':
      return lowRank(part, weight, files, rows, columns);
    case 'replace':
      return { kind: 'replace', matrix: storedMatrix(part.source, files.number(part.source.file), asColumn), weight };
    case 'replaceRows':
      return {
        kind: 'replaceRows',
        matrix: storedMatrix(part.source, files.number(part.source.file)),
        rows: part.rows,
        weight,
      };
    case 'add':
      return {
        kind: 'add',
        matrix: storedMatrix(part.source, files.number(part.source.file), asColumn),
        scale: part.scale * weight,
      };
    case 'base':
    case 'experts':
      throw new StudioError('internal/unexpected', `${part.target}: a part of kind ${part.kind} is no contribution.`);
  }
}

function lowRank(
  part: Extract<AdapterPart, { kind: 'lowRank' }>,
  weight: number,
  files: InputFiles,
  rows: number,
  columns: number,
): Contribution {
  const magnitude = part.magnitude;
  if (magnitude !== undefined && part.magnitudeAxis === 'column') {
    throw new StudioError(
      'adapter/unsupported',
      `${part.target} was trained with DoRA on an embedding, whose norm runs over the whole vocabulary; that is not merged yet. Merge it with PEFT (merge_and_unload) and build from the merged folder.`,
      { detail: { tensor: part.target } },
    );
  }
  const conv1d = storedInOut(part, rows, columns);
  if (magnitude !== undefined && conv1d) {
    throw new StudioError(
      'adapter/unsupported',
      `${part.target} was trained with DoRA on a weight stored as [in, out] (fan_in_fan_out), whose norms run down its columns; that is not merged yet. Merge it with PEFT (merge_and_unload) and build from the merged folder.`,
      { detail: { tensor: part.target } },
    );
  }
  return {
    kind: 'lowRank',
    a: storedMatrix(part.a, files.number(part.a.file)),
    b: storedMatrix(part.b, files.number(part.b.file)),
    layout: conv1d ? 'peftConv1d' : part.layout,
    rank: part.rank,
    scale: part.scale,
    weight,
    ...(part.columns === undefined ? {} : { columns: part.columns }),
    ...(part.permutedHeads === undefined ? {} : { permutedHeads: part.permutedHeads }),
    magnitude: magnitude === undefined ? undefined : storedMatrix(magnitude, files.number(magnitude.file), true),
  };
}

/** fan_in_fan_out: a base stored [in, out], told by its shape, takes the delta transposed. */
function storedInOut(part: Extract<AdapterPart, { kind: 'lowRank' }>, rows: number, columns: number): boolean {
  const out = part.b.shape[0];
  const into = part.a.shape[1];
  return part.layout === 'peftLinear' && (out !== rows || into !== columns) && out === columns && into === rows;
}
