import { fromByteString } from '../../golang/byteString';
import type { BudgetMeter } from '../execute/budget';
import { CallFailure } from '../execute/failures';
import { sprintReflected } from '../format/print';
import { canBeNil, withoutInterface, type Data, type Value } from '../reflect/value';

type BasicKind = 'bool' | 'complex' | 'int' | 'float' | 'string' | 'uint' | 'none';

const BAD_TYPE = 'invalid type for comparison';

function basicKind(value: Value | undefined): BasicKind {
  switch (value?.kind) {
    case 'bool':
    case 'int':
    case 'string':
      return value.kind;
    case 'uint8':
      return 'uint';
    case 'float64':
      return 'float';
    case 'complex128':
      return 'complex';
    default:
      return 'none';
  }
}

function mixesSigns(a: BasicKind, b: BasicKind): boolean {
  return (a === 'int' && b === 'uint') || (a === 'uint' && b === 'int');
}

function incompatible(a: Value, b: Value): CallFailure {
  return new CallFailure(`incompatible types for comparison: ${a.type.name} and ${b.type.name}`);
}

function isNilValue(value: Value | undefined): boolean {
  return value === undefined || (canBeNil(value.type) && value.isNil);
}

/** Values of kinds that have no order: nil, pointers and structs can be equal. */
function equalOthers(a: Value | undefined, b: Value | undefined, meter: BudgetMeter): boolean {
  const show = (value: Value | undefined, verb: 's' | 'v'): string =>
    fromByteString(sprintReflected(value, verb, meter));
  if (a !== undefined && b !== undefined && a.kind !== b.kind) {
    throw new CallFailure(`non-comparable types ${show(a, 's')}: ${a.type.name}, ${b.type.name}: ${show(b, 'v')}`);
  }
  if (a === undefined || b === undefined || isNilValue(a) || isNilValue(b)) {
    return isNilValue(a) === isNilValue(b);
  }
  if (!b.type.comparable) {
    throw new CallFailure(`non-comparable type ${show(b, 's')}: ${b.type.name}`);
  }
  return a.type === b.type && sameData(a, b);
}

function sameData(a: Value, b: Value): boolean {
  if (a.kind !== 'struct') {
    return a.data === b.data;
  }
  const left = a.data as readonly Data[];
  const right = b.data as readonly Data[];
  return left.every((field, index) => field === right[index]);
}

function equalBasic(a: Value, b: Value, kind: BasicKind, meter: BudgetMeter): boolean {
  switch (kind) {
    case 'bool':
      return a.bool === b.bool;
    case 'complex':
      return a.complex.real === b.complex.real && a.complex.imaginary === b.complex.imaginary;
    case 'float':
      return a.float === b.float;
    case 'string':
      meter.step(Math.min(a.length, b.length) >> 8);
      return a.string === b.string;
    default:
      return a.integer === b.integer;
  }
}

/** Go's `eq`: whether the first equals any of the others. */
export function eq(args: readonly (Value | undefined)[], meter: BudgetMeter): boolean {
  if (args.length < 2) {
    throw new CallFailure('missing argument for comparison');
  }
  const first = withoutInterface(args[0]);
  const firstKind = basicKind(first);
  return args.slice(1).some((arg) => {
    const other = withoutInterface(arg);
    const otherKind = basicKind(other);
    if (firstKind !== otherKind && !mixesSigns(firstKind, otherKind)) {
      if (first !== undefined && other !== undefined) {
        throw incompatible(first, other);
      }
      return false;
    }
    return first === undefined || other === undefined || firstKind === 'none'
      ? equalOthers(first, other, meter)
      : equalBasic(first, other, firstKind, meter);
  });
}

/** Go's `lt`. */
export function lt(args: readonly (Value | undefined)[], meter: BudgetMeter): boolean {
  const a = withoutInterface(args[0]);
  const b = withoutInterface(args[1]);
  const kindA = basicKind(a);
  const kindB = basicKind(b);
  if (a === undefined || b === undefined || kindA === 'none' || kindB === 'none') {
    throw new CallFailure(BAD_TYPE);
  }
  if (kindA !== kindB && !mixesSigns(kindA, kindB)) {
    throw incompatible(a, b);
  }
  switch (kindA) {
    case 'bool':
    case 'complex':
      throw new CallFailure(BAD_TYPE);
    case 'float':
      return a.float < b.float;
    case 'string':
      meter.step(Math.min(a.length, b.length) >> 8);
      return a.string < b.string;
    default:
      return a.integer < b.integer;
  }
}

/** Go's `le`: less, or equal by the rules of `eq`. */
export function le(args: readonly (Value | undefined)[], meter: BudgetMeter): boolean {
  return lt(args, meter) || eq(args, meter);
}
