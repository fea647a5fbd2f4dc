import type { StudioError } from '../../errors';
import type { SafetensorsDtype } from '../tensorRef';

/** One entry of a safetensors header, with its span counted from the start of the file. */
export interface SafetensorsTensor {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  /** Slowest dimension first. */
  readonly shape: readonly number[];
  /** First byte, from the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

/** A validated safetensors header. */
export interface SafetensorsHeader {
  /** `__metadata__`; empty when there is none. */
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of the data. */
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  /** First byte of the data. */
  readonly dataOffset: number;
  readonly fileBytes: number;
}

/** A safetensors header that was read although something about the file is wrong. */
export interface SafetensorsDescription extends SafetensorsHeader {
  /** What is wrong; empty for a file that the strict reader accepts. */
  readonly problems: readonly StudioError[];
}
