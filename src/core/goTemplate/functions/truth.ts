import { withoutInterface, type Value } from '../reflect/value';

/** Go's `isTrue`: whether a value is not the zero of its type; structs are always true. */
export function isTrue(given: Value | undefined): boolean {
  const value = withoutInterface(given);
  if (value === undefined) {
    return false;
  }
  switch (value.kind) {
    case 'slice':
    case 'map':
    case 'string':
      return value.length > 0;
    case 'bool':
      return value.bool;
    case 'int':
    case 'uint8':
      return value.integer !== 0n;
    case 'float64':
      return value.float !== 0;
    case 'complex128':
      return value.complex.real !== 0 || value.complex.imaginary !== 0;
    case 'struct':
      return true;
    default:
      return !value.isNil;
  }
}
