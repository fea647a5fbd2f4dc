import { basename } from 'node:path';
import {
  compareFiles,
  countDifferences,
  type DifferenceCounts,
  type FileComparison,
  type MetadataDifference,
  type TensorDifference,
} from '../../core/viewer/compareFiles';
import type { GgufValue } from '../../core/formats/gguf/ggufTypes';
import { readForViewing } from '../../core/viewer/readForViewing';
import { summarise } from '../../core/viewer/summarise';
import type { TensorTable } from '../../core/viewer/tensorTable';
import { openFileSource, type FileSource } from '../files/fileSource';
import { compareValues, storedValues, type ValueDifference } from './compareValues';
import { ValueReader } from './tensorValues';

export interface CompareTwoOptions {
  /** Also reads every value of the tensors that both have. */
  readonly values: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onTensor?: ((name: string, done: number, total: number) => void) | undefined;
}

/** How one tensor stands in a file. */
export interface ComparedTensor {
  readonly type: string;
  readonly shape: readonly number[];
}

/** How two files differ. `a` and `b` are the files in the order given. */
export interface ComparedFiles {
  readonly a: ComparedFile;
  readonly b: ComparedFile;
  readonly metadata: Readonly<DifferenceCountsJson> & {
    readonly onlyInA: readonly string[];
    readonly onlyInB: readonly string[];
    readonly different: readonly { readonly key: string; readonly a: unknown; readonly b: unknown }[];
  };
  readonly tensors: Readonly<DifferenceCountsJson> & {
    readonly onlyInA: readonly string[];
    readonly onlyInB: readonly string[];
    readonly different: readonly { readonly name: string; readonly a: ComparedTensor; readonly b: ComparedTensor }[];
  };
  /** With `values`: every tensor that both have, in the order of `a`. */
  readonly values?: readonly ComparedValues[] | undefined;
}

interface DifferenceCountsJson {
  readonly same: number;
}

export interface ComparedFile {
  readonly path: string;
  readonly format: string;
  /** Short facts for people. */
  readonly facts: readonly string[];
  readonly problems: readonly { readonly code: string; readonly message: string }[];
}

/** `reason` says why the values of a tensor were not compared; else the figures are there. */
export type ComparedValues =
  { readonly name: string; readonly reason: string } | ({ readonly name: string } & ValueDifference);

/**
 * Compares two files by key and tensor name, with `values` also value by value, dequantised to f32, in bounded memory.
 * @throws StudioError input/… where one of them cannot be read or is no GGUF or safetensors; run/cancelled
 */
export async function compareTwoFiles(
  pathA: string,
  pathB: string,
  options: CompareTwoOptions,
): Promise<ComparedFiles> {
  const sourceA = await openFileSource(pathA, { signal: options.signal });
  try {
    const sourceB = await openFileSource(pathB, { signal: options.signal });
    try {
      return await compareSources([pathA, sourceA], [pathB, sourceB], options);
    } finally {
      await sourceB.close();
    }
  } finally {
    await sourceA.close();
  }
}

type Opened = readonly [path: string, source: FileSource];

async function compareSources(
  [pathA, sourceA]: Opened,
  [pathB, sourceB]: Opened,
  options: CompareTwoOptions,
): Promise<ComparedFiles> {
  const read = { signal: options.signal, arrays: 'keep' } as const;
  const a = await readForViewing(sourceA, basename(pathA), read);
  const b = await readForViewing(sourceB, basename(pathB), read);
  const comparison = compareFiles(a, b);
  const file = (path: string, view: typeof a): ComparedFile => ({
    path,
    format: view.format,
    facts: summarise(view, basename(path)).headline,
    problems: view.problems.map(({ code, message }) => ({ code, message })),
  });
  return {
    a: file(pathA, a),
    b: file(pathB, b),
    metadata: { same: countDifferences(comparison.metadata).same, ...metadataJson(comparison.metadata) },
    tensors: { same: countDifferences(comparison.tensors).same, ...tensorsJson(comparison) },
    ...(options.values ? { values: await allValues(comparison, sourceA, sourceB, options) } : {}),
  };
}

function metadataJson(differences: readonly MetadataDifference[]): Omit<ComparedFiles['metadata'], 'same'> {
  return {
    onlyInA: keysOf(differences, 'onlyHere'),
    onlyInB: keysOf(differences, 'onlyThere'),
    different: differences
      .filter(({ kind }) => kind === 'different')
      .map(({ key, here, there }) => ({ key, a: plain(here!), b: plain(there!) })),
  };
}

function keysOf(differences: readonly MetadataDifference[], kind: keyof DifferenceCounts): string[] {
  return differences.filter((difference) => difference.kind === kind).map(({ key }) => key);
}

function tensorsJson({ tensors, here, there }: FileComparison): Omit<ComparedFiles['tensors'], 'same'> {
  const names = (kind: TensorDifference['kind']): string[] =>
    tensors.filter((difference) => difference.kind === kind).map(({ name }) => name);
  const tensor = (table: TensorTable, index: number): ComparedTensor => ({
    type: table.type(index),
    shape: table.shape(index),
  });
  return {
    onlyInA: names('onlyHere'),
    onlyInB: names('onlyThere'),
    different: tensors
      .filter(({ kind }) => kind === 'different')
      .map(({ name, here: a, there: b }) => ({ name, a: tensor(here.tensors, a!), b: tensor(there.tensors, b!) })),
  };
}

/** Scalars as they are, 64-bit integers that do not fit and numbers that JSON lacks as text; arrays by type, length and beginning. */
function plain(value: GgufValue): unknown {
  const scalar = (one: unknown): unknown =>
    typeof one === 'bigint'
      ? Number.isSafeInteger(Number(one))
        ? Number(one)
        : one.toString()
      : typeof one === 'number' && !Number.isFinite(one)
        ? String(one)
        : one;
  if (value.type !== 'array') {
    return scalar(value.value);
  }
  return {
    elements: value.elements,
    count: value.value.length,
    ...(value.value.length <= 64 ? { values: Array.from(value.value as ArrayLike<unknown>, scalar) } : {}),
  };
}

async function allValues(
  { tensors, here, there }: FileComparison,
  sourceA: FileSource,
  sourceB: FileSource,
  options: CompareTwoOptions,
): Promise<ComparedValues[]> {
  const both = tensors.filter(({ kind }) => kind === 'same' || kind === 'different');
  const reader = await ValueReader.open();
  const compared: ComparedValues[] = [];
  for (const [index, { name, here: a, there: b }] of both.entries()) {
    options.onTensor?.(name, index, both.length);
    const [left, right] = [storedValues(sourceA, here.tensors, a!), storedValues(sourceB, there.tensors, b!)];
    if (typeof left === 'string' || typeof right === 'string') {
      compared.push({ name, reason: typeof left === 'string' ? left : (right as string) });
    } else if (left.count !== right.count) {
      compared.push({ name, reason: 'the two have different numbers of values' });
    } else {
      compared.push({ name, ...(await compareValues(reader, left, right, options.signal)) });
    }
  }
  return compared;
}
