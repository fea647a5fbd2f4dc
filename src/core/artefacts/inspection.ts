import { ERROR_CODES } from '../errorCodes';
import type { ErrorJson } from '../errors';
import type { GgufDescription, GgufValue } from '../formats/gguf/ggufTypes';
import type { SafetensorsDescription } from '../formats/safetensors/safetensorsTypes';
import type { Artefact, ArtefactProblem } from './artefact';
import type { FileFacts } from './readFileFacts';

/** One tensor in a listing; shape as the format has it (GGUF: fastest dimension first). */
export interface ListedTensor {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** From the start of the file. */
  readonly offset: number;
}

/** What `inspect` answers for one path. */
export type Inspection =
  | (Artefact & { readonly ok: true } & InspectionDetails)
  /** Damaged, foreign or missing; what could be told of it all the same is there too. */
  | (Partial<Artefact> & { readonly path: string; readonly ok: false; readonly error: ErrorJson } & InspectionDetails)
  /** A folder that is nothing itself. */
  | { readonly path: string; readonly ok: true; readonly kind: 'folder'; readonly artefacts: readonly Artefact[] };

export interface InspectionDetails {
  /** Keys of the header; arrays of a GGUF as element type and length. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly tensorList?: readonly ListedTensor[] | undefined;
  /** What else lies in the folder. */
  readonly artefacts?: readonly Artefact[] | undefined;
}

/** Problems that mean that a file is not what it should be, not only that something is missing beside it. */
const DAMAGE = /^(?:gguf|safetensors|input|json|internal)\/|^index\/(?:unsafe-name|mismatch|limit)$/;

/** An artefact as an answer: refused where it is damaged. */
export function inspectionOf(artefact: Artefact, details: InspectionDetails): Inspection {
  const damage = artefact.problems.find((problem) => DAMAGE.test(problem.code));
  return damage === undefined
    ? { ...artefact, ok: true, ...details }
    : { ...artefact, ok: false, error: errorOf(damage, artefact.path), ...details };
}

function errorOf(problem: ArtefactProblem, path: string): ErrorJson {
  return { code: problem.code in ERROR_CODES ? problem.code : 'internal/unexpected', message: problem.message, path };
}

/** Metadata and tensors of a file's header; nothing for files that have none. */
export function detailsOf(facts: FileFacts | undefined): InspectionDetails {
  if (facts?.format === 'gguf') {
    return ggufDetails(facts.description);
  }
  return facts?.format === 'safetensors' ? safetensorsDetails(facts.description) : {};
}

function ggufDetails(file: GgufDescription): InspectionDetails {
  const metadata = Object.create(null) as Record<string, unknown>;
  for (const [key, entry] of file.metadata) {
    metadata[key] = plainValue(entry);
  }
  return {
    metadata,
    tensorList: file.tensors.map(({ name, type, shape, bytes, offset }) => ({
      name,
      type,
      shape,
      bytes,
      offset: file.dataOffset + offset,
    })),
  };
}

/** 64-bit integers become numbers where they fit, else decimal text; NaN and infinities become text as well. */
function plainValue(entry: GgufValue): unknown {
  if (entry.type === 'array') {
    const values = Array.from(entry.value as ArrayLike<string | number | boolean | bigint>, plainScalar);
    return {
      elements: entry.elements,
      count: entry.skipped ?? values.length,
      ...(entry.skipped === undefined && values.length <= 64 ? { values } : {}),
    };
  }
  return plainScalar(entry.value);
}

function plainScalar(value: string | number | boolean | bigint): string | number | boolean {
  if (typeof value === 'bigint') {
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(value)
      : value.toString();
  }
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function safetensorsDetails(file: SafetensorsDescription): InspectionDetails {
  const metadata = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of file.metadata) {
    metadata[key] = value;
  }
  return {
    metadata,
    tensorList: [...file.tensors.values()].map(({ name, dtype, shape, bytes, offset }) => ({
      name,
      type: dtype,
      shape,
      bytes,
      offset,
    })),
  };
}
