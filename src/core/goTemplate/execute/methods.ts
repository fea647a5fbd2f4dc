import { type GoType, type Method, elemType, type Value } from '../reflect/value';
import { CallFailure } from './failures';

/** Something that can be called: a function, or a method with its receiver. */
export interface Callable {
  readonly params: readonly GoType[];
  readonly variadic: boolean;
  readonly results?: readonly string[];
  readonly call: (args: readonly (Value | undefined)[]) => Value | undefined;
}

function bound(method: Method, call: Callable['call']): Callable {
  return { params: method.params, variadic: false, results: method.results, call };
}

/** The method of that name, its receiver bound; of a value that lies somewhere also those of a pointer to it. */
export function findMethod(receiver: Value, name: string): Callable | undefined {
  if (receiver.kind === 'pointer') {
    return methodOfNil(receiver, name);
  }
  const method =
    receiver.type.methods?.get(name) ?? (receiver.addressable ? receiver.type.pointerMethods?.get(name) : undefined);
  return method === undefined ? undefined : bound(method, (args) => method.call(receiver, args));
}

/** Methods of a nil pointer: those of the pointer work, those of what it should point to panic. */
function methodOfNil(pointer: Value, name: string): Callable | undefined {
  const target = elemType(pointer.type);
  const own = target.pointerMethods?.get(name);
  if (own !== undefined) {
    return bound(own, (args) => own.call(pointer, args));
  }
  const method = target.methods?.get(name);
  return method === undefined
    ? undefined
    : bound(method, () => {
        const short = target.name.slice(target.name.lastIndexOf('.') + 1);
        throw new CallFailure(
          `value method github.com/ollama/ollama/${target.name}.${name} called using nil *${short} pointer`,
        );
      });
}
