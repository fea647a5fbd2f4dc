import type { GgmlTypeName } from '../formats/gguf/ggmlTypes';

/** A target of a build: the `general.file_type` number and the tensor type that most tensors get. */
export interface FileType {
  readonly id: number;
  readonly base: GgmlTypeName;
}

/** The targets that are built in, by the names that llama-quantize uses (llama.h of llama.cpp v0.5.0). */
export const FILE_TYPES = {
  F32: { id: 0, base: 'F32' },
  F16: { id: 1, base: 'F16' },
  BF16: { id: 32, base: 'BF16' },
  Q8_0: { id: 7, base: 'Q8_0' },
  MXFP4_MOE: { id: 38, base: 'MXFP4' },
  Q6_K: { id: 18, base: 'Q6_K' },
  Q5_K_M: { id: 17, base: 'Q5_K' },
  Q5_K_S: { id: 16, base: 'Q5_K' },
  Q5_1: { id: 9, base: 'Q5_1' },
  Q5_0: { id: 8, base: 'Q5_0' },
  Q4_K_M: { id: 15, base: 'Q4_K' },
  Q4_K_S: { id: 14, base: 'Q4_K' },
  Q4_1: { id: 3, base: 'Q4_1' },
  Q4_0: { id: 2, base: 'Q4_0' },
  IQ4_NL: { id: 25, base: 'IQ4_NL' },
  IQ4_XS: { id: 30, base: 'IQ4_XS' },
  Q3_K_L: { id: 13, base: 'Q3_K' },
  Q3_K_M: { id: 12, base: 'Q3_K' },
  Q3_K_S: { id: 11, base: 'Q3_K' },
  Q2_K: { id: 10, base: 'Q2_K' },
} as const satisfies Record<string, FileType>;

export type FileTypeName = keyof typeof FILE_TYPES;

/** Other names that llama-quantize and people use for the same targets. */
const ALIASES: Readonly<Record<string, FileTypeName>> = {
  Q3_K: 'Q3_K_M',
  Q4_K: 'Q4_K_M',
  Q5_K: 'Q5_K_M',
  FP16: 'F16',
  FP32: 'F32',
};

/** The target that a user means, in any case; undefined when there is none of that name. */
export function parseFileType(text: string): FileTypeName | undefined {
  const name = text.trim().toUpperCase();
  return name in FILE_TYPES ? (name as FileTypeName) : ALIASES[name];
}

/** Tensor types that the kernels can write. */
export const WRITABLE_TYPES = [
  'F32',
  'F16',
  'BF16',
  'Q8_0',
  'Q4_0',
  'Q4_1',
  'Q5_0',
  'Q5_1',
  'Q2_K',
  'Q3_K',
  'Q4_K',
  'Q5_K',
  'Q6_K',
  'IQ4_NL',
  'IQ4_XS',
] as const satisfies readonly GgmlTypeName[];

export type WritableType = (typeof WRITABLE_TYPES)[number];

/** A tensor type for `--tensor-type` and its like, in any case (ggml writes `q4_K`). */
export function parseTensorType(text: string): WritableType | undefined {
  const name = text.trim().toUpperCase();
  return WRITABLE_TYPES.find((type) => type === name);
}

/** True for types that store blocks rather than plain numbers. */
export function isQuantised(type: GgmlTypeName): boolean {
  return !['F32', 'F16', 'BF16', 'F64', 'I8', 'I16', 'I32', 'I64'].includes(type);
}

/** The name of a `general.file_type` number, for people; undefined when it is none of ours. */
export function fileTypeName(id: number): FileTypeName | undefined {
  return (Object.keys(FILE_TYPES) as FileTypeName[]).find((name) => FILE_TYPES[name].id === id);
}
