import type { PlannedTensor } from '../../core/engine/buildPlan';
import type { ErrorJson } from '../../core/errors';

/** Slots of the shared control array (Int32). */
export const CONTROL = { nextUnit: 0, nextTensor: 1, cancelled: 2, currentTensor: 3, slots: 4 } as const;

/** What a worker is started with. */
export interface EngineWorkerData {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly tensors: readonly PlannedTensor[];
  /** Int32Array of CONTROL.slots. */
  readonly control: SharedArrayBuffer;
  /** One byte a unit: 1 for those that an earlier run finished. */
  readonly finished: SharedArrayBuffer;
  /** Float32 importance data of the plan. */
  readonly importance: SharedArrayBuffer | undefined;
}

export type WorkerMessage =
  | { readonly kind: 'unit'; readonly unit: number; readonly checksum: number; readonly nonFinite: number }
  | { readonly kind: 'unitsDone' }
  | { readonly kind: 'hash'; readonly tensor: number; readonly sha256: string }
  | { readonly kind: 'hashesDone' }
  | { readonly kind: 'failed'; readonly error: ErrorJson };

/** Sent to workers: begin hashing the finished output. */
export const HASH_REQUEST = 'hash';
