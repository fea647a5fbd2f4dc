import { StudioError } from '../errors';
import type { AdapterPart } from '../formats/adapters/adapter';
import type { MergedTensor } from './applyAdapters';
import type { AppliedPart } from './appliedPart';
import type { TensorMapping, TensorTransform } from './architectures/architecture';
import type { Contribution, PlannedSlice, RowSource } from './buildPlan';
import type { InputFiles } from './inputFiles';
import { rowsOfSlice, rowsOfSource } from './rowsOfSlice';
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

/** GGUF order; dimensions of 1 within a convolution's kernel are left out. */
export function ggufShape(shape: readonly number[], mapping: TensorMapping): readonly number[] {
  if (mapping.matrices === true && mapping.rows !== undefined) {
    const matrix = [mapping.rows[0]?.count ?? 0, shape.at(-1) ?? 0];
    return [...(mapping.transform.kind === 'transpose' ? matrix : matrix.reverse()), mapping.rows.length];
  }
  if (mapping.reshape !== undefined) {
    return mapping.reshape;
  }
  if (mapping.paddedTo !== undefined) {
    return [shape.at(-1) ?? 1, Math.max(shape[0] ?? 0, mapping.paddedTo)];
  }
  const rows = mapping.rows?.reduce((sum, run) => sum + run.count, 0);
  const parts = mapping.within?.[1] ?? 1;
  const own = rows === undefined && parts === 1 ? shape : [(rows ?? shape[0]!) * parts, ...shape.slice(1)];
  const ne = own.length < 3 ? [...own].reverse() : own.filter((size, index) => size !== 1 || index === 0).reverse();
  return mapping.stack === undefined ? ne : [...ne, mapping.stack.experts];
}

/** Whether rows change places: those of a vector are its values then. */
export function movesRows({ transform, rows }: TensorMapping): boolean {
  return transform.kind === 'permute' || rows !== undefined;
}

/**
 * The plan of one merged tensor, run by run where the GGUF has its rows in another order, or some of them.
 * @param inGguf rows of the base in the GGUF's own order, where the base is one
 */
export function mergedSlices(
  tensor: MergedTensor,
  mapping: TensorMapping,
  files: InputFiles,
  inGguf?: RowSource,
): PlannedSlice[] {
  const { slice, ofBase } = sliceOf(tensor, mapping.transform, files, movesRows(mapping));
  const missing = (mapping.paddedTo ?? 0) - (tensor.shape[0] ?? 0);
  if (missing > 0) {
    const source: RowSource = { kind: 'generated', values: new Array<number>(missing * columnsOf(tensor)).fill(0) };
    return [
      { ...slice, matrix: 0 },
      { source, rows: missing, contributions: [], transform: { kind: 'none' }, matrix: 0 },
    ];
  }
  if (mapping.rows === undefined) {
    return [mapping.within === undefined ? slice : { ...slice, matrix: mapping.stack?.expert ?? 0 }];
  }
  const total = mapping.rows.reduce((sum, run) => sum + run.count, 0);
  let at = 0;
  return mapping.rows.map((run, index) => {
    const own = rowsOfSlice(slice, run);
    const source =
      inGguf !== undefined && ofBase ? rowsOfSource(inGguf, total, { first: at, count: run.count }) : own.source;
    at += run.count;
    return {
      ...own,
      ...(mapping.transform.kind === 'transpose' ? { rows: columnsOf(tensor) } : {}),
      source,
      matrix: mapping.matrices === true ? index : (mapping.stack?.expert ?? 0),
    };
  });
}

function columnsOf({ shape }: MergedTensor): number {
  return shape.at(-1) ?? 1;
}

/** The plan of one merged tensor: where its rows come from and what is added to them. */
export function mergedSlice(tensor: MergedTensor, transform: TensorTransform, files: InputFiles): PlannedSlice {
  return sliceOf(tensor, transform, files, transform.kind === 'permute').slice;
}

function sliceOf(
  tensor: MergedTensor,
  transform: TensorTransform,
  files: InputFiles,
  moves: boolean,
): { readonly slice: PlannedSlice; readonly ofBase: boolean } {
  const asColumn = tensor.shape.length === 1 && moves;
  const { rows, columns } = matrixShape(tensor.shape, asColumn);
  const { source, rest, ofBase } = chooseSource(tensor, files, asColumn);
  const contributions = rest.map((applied) => contribution(applied, files, rows, columns, asColumn));
  return { slice: { source, rows, contributions, transform }, ofBase };
}

/** The base, or what an adapter puts in its place. */
function chooseSource(
  tensor: MergedTensor,
  files: InputFiles,
  asColumn: boolean,
): { readonly source: RowSource; readonly rest: readonly AppliedPart[]; readonly ofBase: boolean } {
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
      ofBase: false,
    };
  }
  return { source: tensor.base.source(files, asColumn), rest, ofBase: true };
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
    [part.magnitudeAxis === 'column' ? 'columnMagnitude' : 'magnitude']:
      magnitude === undefined ? undefined : storedMatrix(magnitude, files.number(magnitude.file), true),
  };
}

/** fan_in_fan_out: a base stored [in, out], told by its shape, takes the delta transposed. */
function storedInOut(part: Extract<AdapterPart, { kind: 'lowRank' }>, rows: number, columns: number): boolean {
  const out = part.b.shape[0];
  const into = part.a.shape[1];
  return part.layout === 'peftLinear' && (out !== rows || into !== columns) && out === columns && into === rows;
}
