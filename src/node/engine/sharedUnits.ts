import type { WorkUnit } from '../../core/engine/workUnits';
import { shareBytes } from './shareBytes';

/** The units of a run as its threads share them: Float64, four numbers each. */
export function shareUnits(units: readonly WorkUnit[]): SharedArrayBuffer {
  const numbers = new Float64Array(4 * units.length);
  units.forEach(({ tensor, slice, row, rows }, index) => {
    numbers.set([tensor, slice, row, rows], 4 * index);
  });
  return shareBytes([new Uint8Array(numbers.buffer)]);
}

/** One unit of the shared ones. */
export function unitAt(units: Float64Array, index: number): WorkUnit {
  const at = 4 * index;
  return { tensor: units[at]!, slice: units[at + 1]!, row: units[at + 2]!, rows: units[at + 3]! };
}
