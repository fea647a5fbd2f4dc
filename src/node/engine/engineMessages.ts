import type { WorkerLayout } from '../../core/engine/workerLayout';
import type { ErrorJson } from '../../core/errors';
import type { SharedTensors } from './sharedTensors';

/** Slots of the shared control array (Int32). */
export const CONTROL = { nextUnit: 0, nextTensor: 1, cancelled: 2, currentTensor: 3, slots: 4 } as const;

/** What a worker is started with. */
export interface EngineWorkerData {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly tensors: SharedTensors;
  /** Float64, four numbers a unit. */
  readonly units: SharedArrayBuffer;
  readonly layout: WorkerLayout;
  /** Int32Array of CONTROL.slots. */
  readonly control: SharedArrayBuffer;
  /** One byte a unit: 1 for those that an earlier run finished. */
  readonly finished: SharedArrayBuffer;
  /** Float32 importance data of the plan. */
  readonly importance: SharedArrayBuffer | undefined;
}

export type WorkerMessage =
  /** Three numbers for each finished unit: its index, the CRC-32 of its output, how many of its values are NaN or infinite. */
  | { readonly kind: 'units'; readonly finished: readonly number[] }
  | { readonly kind: 'unitsDone' }
  | { readonly kind: 'hashes'; readonly hashes: readonly (readonly [tensor: number, sha256: string])[] }
  | { readonly kind: 'hashesDone' }
  | { readonly kind: 'failed'; readonly error: ErrorJson };

/** Sent to workers: begin hashing the finished output. */
export const HASH_REQUEST = 'hash';
