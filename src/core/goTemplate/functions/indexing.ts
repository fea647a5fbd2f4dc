import { CallFailure } from '../execute/failures';
import { STRING, elemType, indirect, Value, withoutInterface, zeroData } from '../reflect/value';

/** An index as Go takes it from any integer; `capacity` itself passes here. */
function indexArgument(index: Value | undefined, capacity: number): number {
  if (index === undefined) {
    throw new CallFailure('cannot index slice/array with nil');
  }
  if (index.kind !== 'int' && index.kind !== 'uint8') {
    throw new CallFailure(`cannot index slice/array with type ${index.type.name}`);
  }
  const at = index.integer;
  if (at < 0n || at > BigInt(capacity)) {
    throw new CallFailure(`index out of range: ${at.toString()}`);
  }
  return Number(at);
}

function indexMap(map: Value, key: Value | undefined): Value {
  if (key === undefined) {
    throw new CallFailure('value is nil; should be of type string');
  }
  if (key.type !== STRING) {
    throw new CallFailure(`value has type ${key.type.name}; should be string`);
  }
  const elem = elemType(map.type);
  return map.mapIndex(key.string) ?? new Value(elem, zeroData(elem));
}

function indexOnce(item: Value, index: Value | undefined): Value {
  switch (item.kind) {
    case 'slice':
    case 'string': {
      const at = indexArgument(index, item.length);
      if (at === item.length) {
        // The check lets it through, and then reflection panics.
        throw new CallFailure(`reflect: ${item.kind} index out of range`);
      }
      return item.index(at);
    }
    case 'map':
      return indexMap(item, index);
    default:
      throw new CallFailure(`can't index item of type ${item.type.name}`);
  }
}

/** Go's `index x 1 2 3`: x[1][2][3]. */
export function index(args: readonly (Value | undefined)[]): Value {
  const first = withoutInterface(args[0]);
  if (first === undefined) {
    throw new CallFailure('index of untyped nil');
  }
  let item = first;
  for (const arg of args.slice(1)) {
    const target = indirect(item);
    if (target.isNil || target.value === undefined) {
      throw new CallFailure('index of nil pointer');
    }
    item = indexOnce(target.value, withoutInterface(arg));
  }
  return item;
}

/** Go's `slice x 1 2 3`: x[1:2:3]. */
export function slice(args: readonly (Value | undefined)[]): Value {
  const first = withoutInterface(args[0]);
  if (first === undefined) {
    throw new CallFailure('slice of untyped nil');
  }
  const target = indirect(first);
  if (target.isNil || target.value === undefined) {
    throw new CallFailure('slice of nil pointer');
  }
  const indexes = args.slice(1);
  if (indexes.length > 3) {
    throw new CallFailure(`too many slice indexes: ${indexes.length}`);
  }
  return sliceItem(target.value, indexes);
}

function sliceItem(item: Value, indexes: readonly (Value | undefined)[]): Value {
  if (item.kind === 'string' && indexes.length === 3) {
    throw new CallFailure('cannot 3-index slice a string');
  }
  if (item.kind !== 'string' && item.kind !== 'slice') {
    throw new CallFailure(`can't slice item of type ${item.type.name}`);
  }
  const capacity = item.kind === 'string' ? item.length : item.slice.capacity;
  // Unlike `index`, this does not look into interfaces for its indexes.
  const [low = 0, high = item.length, max = capacity] = indexes.map((given) => indexArgument(given, capacity));
  if (low > high) {
    throw new CallFailure(`invalid slice index: ${low} > ${high}`);
  }
  if (high > max) {
    throw new CallFailure(`invalid slice index: ${high} > ${max}`);
  }
  if (item.kind === 'string') {
    return new Value(item.type, item.string.slice(low, high));
  }
  if (item.isNil) {
    return item.copied();
  }
  const { array, offset } = item.slice;
  return new Value(item.type, { array, offset: offset + low, length: high - low, capacity: max - low });
}

/** Go's `len`. */
export function length(arg: Value | undefined): number {
  const { value, isNil } = indirect(arg);
  if (isNil) {
    throw new CallFailure('len of nil pointer');
  }
  if (value === undefined) {
    throw new CallFailure('reflect: call of reflect.Value.Type on zero Value');
  }
  if (value.kind !== 'slice' && value.kind !== 'map' && value.kind !== 'string') {
    throw new CallFailure(`len of type ${value.type.name}`);
  }
  return value.length;
}
