import { Value } from '../reflect/value';
import type { Operand } from '../syntax/nodes';

/** What comes from the left of a `|`; MISSING where nothing does. undefined is the invalid value. */
export type Piped = Value | undefined;

export const MISSING = new Value({ kind: 'struct', name: 'template.missingValType', size: 0, comparable: true }, []);
export const NO_ARGS: readonly Operand[] = [];
