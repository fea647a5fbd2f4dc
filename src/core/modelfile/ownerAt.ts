import type { Instruction } from './modelfileTypes';

/** The last instruction that begins at or before `offset`; undefined if there is none. Instructions are in the order of the text. */
export function instructionBefore(instructions: readonly Instruction[], offset: number): Instruction | undefined {
  let low = 0;
  let high = instructions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((instructions[middle]?.span.start ?? 0) <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return instructions[low - 1];
}

/** The instruction in whose span `offset` lies. */
export function ownerAt(instructions: readonly Instruction[], offset: number): Instruction | undefined {
  const before = instructionBefore(instructions, offset);
  return before !== undefined && offset <= before.span.end ? before : undefined;
}
