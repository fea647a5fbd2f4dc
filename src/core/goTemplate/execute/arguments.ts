import { fromByteString } from '../../golang/byteString';
import { ANY, type GoType, complexValue, floatValue, intValue, withoutInterface, type Value } from '../reflect/value';
import type { NumberNode } from '../syntax/nodes';

/**
 * A number where nothing says of which type it is: the way it is written decides. A text is Go's complaint.
 */
export function idealNumber({ text, value }: NumberNode): Value | string {
  if (value.complex !== undefined) {
    return complexValue(value.complex);
  }
  const hexadecimal = /^0[xX]./.test(text) && !/[pP]/.test(text);
  if (value.float !== undefined && !hexadecimal && !text.startsWith("'") && /[.eEpP]/.test(text)) {
    return floatValue(value.float);
  }
  return value.int === undefined ? `${text} overflows int` : intValue(value.int);
}

/** Go's `AssignableTo` among the types that templates have. */
export function isAssignable(from: GoType, to: GoType): boolean {
  return from === to || (to.kind === 'interface' && to.hasMethods !== true);
}

/** What a parameter of type `interface {}` receives is no interface any more, and nobody can point to it. */
export function passed(value: Value | undefined, type: GoType): Value | undefined {
  return type === ANY ? withoutInterface(value)?.copied() : value;
}

/** Go's `Value.String()`, which shows other things than strings by their type. */
export function reflectedText(value: Value | undefined): string {
  if (value === undefined) {
    return '<invalid Value>';
  }
  return value.kind === 'string' ? fromByteString(value.string) : `<${value.type.name} Value>`;
}
