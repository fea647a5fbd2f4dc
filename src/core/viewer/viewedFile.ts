import type { StudioError } from '../errors';
import type { GgufValue } from '../formats/gguf/ggufTypes';
import type { TensorTable } from './tensorTable';

export interface ViewedProblem {
  readonly code: string;
  readonly message: string;
  /** Index in the table, for a problem of one tensor. */
  readonly tensor?: number | undefined;
}

/** A file as far as it could be read. Nothing in it is trusted; whatever is wrong stands in `problems`. */
export interface ViewedFile {
  readonly format: 'gguf' | 'safetensors';
  /** Of a GGUF. */
  readonly version?: number | undefined;
  readonly alignment?: number | undefined;
  /** In file order; a key can be there twice in a damaged file. */
  readonly metadata: readonly (readonly [key: string, value: GgufValue])[];
  readonly tensors: TensorTable;
  /** First byte of tensor data; undefined where the header has no end. */
  readonly dataOffset: number | undefined;
  readonly fileBytes: number;
  readonly problems: readonly ViewedProblem[];
  /** Problems beyond the limit, not listed. */
  readonly moreProblems: number;
  /** False when the header could not be read to its end: there may be more than what is shown. */
  readonly complete: boolean;
}

/** Problems that are listed one by one. */
const PROBLEM_LIMIT = 1000;

/** Collects problems up to a limit, and counts the rest. */
export class ProblemList {
  readonly problems: ViewedProblem[] = [];
  more = 0;

  add(problem: StudioError, tensor?: number): void {
    if (this.problems.length >= PROBLEM_LIMIT) {
      this.more++;
      return;
    }
    this.problems.push({ code: problem.code, message: problem.message, ...(tensor === undefined ? {} : { tensor }) });
  }
}

/** The first value of a key, where it is a text. */
export function textOf(file: ViewedFile, key: string): string | undefined {
  const value = valueOf(file, key);
  return value?.type === 'string' ? value.value : undefined;
}

/** The first value of a key, where it is a finite number. */
export function numberOf(file: ViewedFile, key: string): number | undefined {
  const value = valueOf(file, key);
  const number = typeof value?.value === 'bigint' ? Number(value.value) : value?.value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

export function valueOf(file: ViewedFile, key: string): GgufValue | undefined {
  return file.metadata.find(([name]) => name === key)?.[1];
}
