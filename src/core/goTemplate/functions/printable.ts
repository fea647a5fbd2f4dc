import { stringValue, indirect, withoutInterface, type Value } from '../reflect/value';

/** A value as the printer takes it, or that it cannot be printed: a function. */
export type Printable =
  { readonly ok: true; readonly value: Value | undefined } | { readonly ok: false; readonly type: string };

/** Go's `printableValue`: pointers are followed, and what is not there reads `<no value>`. */
export function printableValue(given: Value | undefined): Printable {
  const value = given?.kind === 'pointer' ? indirect(given).value : given;
  if (value === undefined) {
    return { ok: true, value: stringValue('<no value>') };
  }
  return value.kind === 'func' ? { ok: false, type: value.type.name } : { ok: true, value: withoutInterface(value) };
}
