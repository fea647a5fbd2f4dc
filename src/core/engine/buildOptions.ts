import type { Imatrix } from '../formats/gguf/importanceMatrix';
import type { FileTypeName, WritableType } from './fileTypes';

/** What the user chose for a GGUF. */
export interface BuildOptions {
  readonly fileType: FileTypeName;
  /** Final path of the result. */
  readonly output: string;
  /**
   * `converter`: keys and tensors in the order of llama.cpp's converter. `quantised`: as llama-quantize writes them,
   * which Ollama stores unchanged.
   */
  readonly layout: 'converter' | 'quantised';
  readonly imatrix?: { readonly path: string; readonly data: Imatrix } | undefined;
  readonly outputTensorType?: WritableType | undefined;
  readonly tokenEmbeddingType?: WritableType | undefined;
  readonly tensorTypes?: readonly { readonly pattern: string; readonly type: WritableType }[] | undefined;
  readonly pure?: boolean | undefined;
  readonly leaveOutputTensor?: boolean | undefined;
  readonly allowRequantize?: boolean | undefined;
}

/** Hashing comes from outside: core has no cryptography of its own. */
export type Sha256 = (bytes: Uint8Array) => string;
