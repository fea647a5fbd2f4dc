import type { ByteString } from '../../golang/byteString';
import { isStringer, STRING, BYTES, stringOfBytes, Value } from '../reflect/value';
import { Formatter } from './formatter';
import { OutputBuffer, type ByteMeter } from './outputBuffer';

const NIL = '<nil>';
/** Addresses differ from run to run, in Go 1.26 from its first digit on; ours never do. */
const SOME_ADDRESS = 0x3b11b5001000n;
/** Values nested deeper than this are not printed: no JSON that we read is. */
const MAX_DEPTH = 2_000;

/** Keys of a map in the order in which Go prints and ranges over them. */
export function sortedKeys(value: Value): ByteString[] {
  return [...value.map.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Go's `fmt` printer for the values of templates. `undefined` is a nil interface. */
export class Printer {
  readonly out: OutputBuffer;
  readonly format: Formatter;
  /** While a wrong verb is reported, methods are not called. */
  private erroring = false;
  /** What a wrong verb shows: an argument, or a value inside one. */
  private subject: { readonly value: Value; readonly isArgument: boolean } | undefined;

  constructor(meter: ByteMeter) {
    this.out = new OutputBuffer(meter);
    this.format = new Formatter(this.out);
  }

  /** An argument, by one verb. */
  printArgument(argument: Value | undefined, verb: string): void {
    if (argument === undefined) {
      this.subject = undefined;
      if (verb === 'T' || verb === 'v') {
        this.format.pad(NIL);
      } else {
        this.badVerb(verb);
      }
      return;
    }
    this.subject = { value: argument, isArgument: true };
    if (verb === 'T') {
      this.format.string(argument.type.name);
    } else if (verb === 'p') {
      this.pointer(argument, verb);
    } else if (argument.type === BYTES) {
      this.bytes(argument, verb, '[]byte');
    } else if (!this.callsMethod(argument, verb)) {
      this.printValue(argument, verb, 0);
    }
  }

  /** A `reflect.Value` as an argument: the thing inside, at depth 0. */
  printReflected(value: Value | undefined, verb: string): void {
    if (value === undefined) {
      this.out.write('<invalid reflect.Value>');
      return;
    }
    const inner = value.kind === 'interface' ? value.elem() : value;
    this.subject = inner === undefined ? undefined : { value: inner, isArgument: true };
    if (inner === undefined || !this.callsMethod(inner, verb)) {
      this.printValue(value, verb, 0);
    }
  }

  badVerb(verb: string): void {
    const { subject } = this;
    this.erroring = true;
    this.out.write(`%!${verb}(`);
    if (subject === undefined) {
      this.out.write(NIL);
    } else {
      this.out.write(`${subject.value.type.name}=`);
      if (subject.isArgument) {
        this.printArgument(subject.value, 'v');
      } else {
        this.printValue(subject.value, 'v', 0);
      }
    }
    this.out.write(')');
    this.erroring = false;
  }

  /** Prints by the value's String method if the verb takes text; false if there is none to call. */
  private callsMethod(value: Value, verb: string): boolean {
    if (this.erroring) {
      return false;
    }
    if (verb === 'w') {
      this.badVerb(verb);
      return true;
    }
    if (this.format.sharpV || !'vsxXq'.includes(verb) || !isStringer(value.type)) {
      return false;
    }
    const method = value.type.methods?.get('String');
    if (method === undefined) {
      return false;
    }
    this.string(method.call(value, []).string, verb);
    return true;
  }

  private printValue(value: Value | undefined, verb: string, depth: number): void {
    if (depth > MAX_DEPTH) {
      this.out.meter.charge(Infinity);
    }
    if (depth > 0 && value !== undefined) {
      const inner = value.kind === 'interface' ? value.elem() : value;
      this.subject = inner === undefined ? undefined : { value: inner, isArgument: true };
      if (inner !== undefined && this.callsMethod(inner, verb)) {
        return;
      }
    }
    this.subject = value === undefined ? undefined : { value, isArgument: false };
    if (value === undefined) {
      this.out.write(NIL);
      return;
    }
    this.printKind(value, verb, depth);
  }

  private printKind(value: Value, verb: string, depth: number): void {
    switch (value.kind) {
      case 'bool':
        return verb === 't' || verb === 'v' ? this.format.boolean(value.bool) : this.badVerb(verb);
      case 'int':
      case 'uint8':
        return this.integer(value.integer, value.kind === 'int', verb);
      case 'float64':
        return this.float(value.float, verb);
      case 'complex128':
        return this.complex(value, verb);
      case 'string':
        return this.string(value.string, verb);
      case 'map':
        return this.map(value, verb, depth);
      case 'struct':
        return this.struct(value, verb, depth);
      case 'interface':
        return this.interfaceValue(value, verb, depth);
      case 'slice':
        return this.slice(value, verb, depth);
      case 'pointer':
        return this.pointerValue(value, verb, depth);
      case 'func':
        return this.pointer(value, verb);
    }
  }

  private integer(value: bigint, signed: boolean, verb: string): void {
    switch (verb) {
      case 'v':
        return this.format.sharpV && !signed ? this.format.hex0x(value, true) : this.format.integer(value, 10, verb);
      case 'd':
        return this.format.integer(value, 10, verb);
      case 'b':
        return this.format.integer(value, 2, verb);
      case 'o':
      case 'O':
        return this.format.integer(value, 8, verb);
      case 'x':
        return this.format.integer(value, 16, verb);
      case 'X':
        return this.format.integer(value, 16, verb, true);
      case 'c':
        return this.format.character(value);
      case 'q':
        return this.format.quotedCharacter(value);
      case 'U':
        return this.format.unicode(value);
      default:
        return this.badVerb(verb);
    }
  }

  private float(value: number, verb: string): void {
    switch (verb) {
      case 'v':
        return this.format.float(value, 'g', -1);
      case 'b':
      case 'g':
      case 'G':
      case 'x':
      case 'X':
        return this.format.float(value, verb, -1);
      case 'f':
      case 'e':
      case 'E':
        return this.format.float(value, verb, 6);
      case 'F':
        return this.format.float(value, 'f', 6);
      default:
        return this.badVerb(verb);
    }
  }

  private complex(value: Value, verb: string): void {
    if (!'vbgGxXfFeE'.includes(verb)) {
      this.badVerb(verb);
      return;
    }
    const { plus } = this.format;
    this.out.write('(');
    this.float(value.complex.real, verb);
    // The imaginary part always has a sign.
    this.format.plus = true;
    this.float(value.complex.imaginary, verb);
    this.out.write('i)');
    this.format.plus = plus;
  }

  private string(bytes: ByteString, verb: string): void {
    switch (verb) {
      case 'v':
        return this.format.sharpV ? this.format.quoted(bytes) : this.format.string(bytes);
      case 's':
        return this.format.string(bytes);
      case 'x':
        return this.format.hexString(bytes, false);
      case 'X':
        return this.format.hexString(bytes, true);
      case 'q':
        return this.format.quoted(bytes);
      default:
        return this.badVerb(verb);
    }
  }

  private bytes(value: Value, verb: string, typeName: string): void {
    switch (verb) {
      case 'v':
      case 'd':
        return this.byteList(value, typeName, verb);
      case 's':
      case 'x':
      case 'X':
      case 'q':
        return this.string(stringOfBytes(value), verb);
      default:
        return this.printValue(value.type === BYTES ? value : new Value(BYTES, value.data), verb, 0);
    }
  }

  private byteList(value: Value, typeName: string, verb: string): void {
    const go = this.format.sharpV;
    if (go && value.isNil) {
      this.out.write(`${typeName}(nil)`);
      return;
    }
    this.out.write(go ? `${typeName}{` : '[');
    for (let at = 0; at < value.length; at++) {
      this.out.write(at === 0 ? '' : go ? ', ' : ' ');
      const byte = value.index(at).integer;
      if (go) {
        this.format.hex0x(byte, true);
      } else {
        this.format.integer(byte, 10, verb);
      }
    }
    this.out.write(go ? '}' : ']');
  }

  private map(value: Value, verb: string, depth: number): void {
    const go = this.format.sharpV;
    if (go && value.isNil) {
      this.out.write(`${value.type.name}(nil)`);
      return;
    }
    this.out.write(go ? `${value.type.name}{` : 'map[');
    sortedKeys(value).forEach((key, index) => {
      this.out.write(index === 0 ? '' : go ? ', ' : ' ');
      this.printValue(new Value(STRING, key), verb, depth + 1);
      this.out.write(':');
      this.printValue(value.mapIndex(key), verb, depth + 1);
    });
    this.out.write(go ? '}' : ']');
  }

  private struct(value: Value, verb: string, depth: number): void {
    const go = this.format.sharpV;
    this.out.write(go ? `${value.type.name}{` : '{');
    (value.type.fields ?? []).forEach(({ name }, index) => {
      this.out.write(index === 0 ? '' : go ? ', ' : ' ');
      if (go || this.format.plusV) {
        this.out.write(`${name}:`);
      }
      const field = value.field(index);
      this.printValue(field.kind === 'interface' && !field.isNil ? field.elem() : field, verb, depth + 1);
    });
    this.out.write('}');
  }

  private interfaceValue(value: Value, verb: string, depth: number): void {
    if (value.isNil) {
      this.out.write(this.format.sharpV ? `${value.type.name}(nil)` : NIL);
      return;
    }
    this.printValue(value.elem(), verb, depth + 1);
  }

  private slice(value: Value, verb: string, depth: number): void {
    if ('sqxX'.includes(verb) && value.type.elem?.kind === 'uint8') {
      this.bytes(value, verb, value.type.name);
      return;
    }
    const go = this.format.sharpV;
    if (go && value.isNil) {
      this.out.write(`${value.type.name}(nil)`);
      return;
    }
    this.out.write(go ? `${value.type.name}{` : '[');
    for (let at = 0; at < value.length; at++) {
      this.out.write(at === 0 ? '' : go ? ', ' : ' ');
      this.printValue(value.index(at), verb, depth + 1);
    }
    this.out.write(go ? '}' : ']');
  }

  private pointerValue(value: Value, verb: string, depth: number): void {
    const target = depth === 0 ? value.elem() : undefined;
    if (target !== undefined && (target.kind === 'slice' || target.kind === 'struct' || target.kind === 'map')) {
      this.out.write('&');
      this.printValue(target, verb, depth + 1);
      return;
    }
    this.pointer(value, verb);
  }

  private pointer(value: Value, verb: string): void {
    if (!['func', 'map', 'pointer', 'slice'].includes(value.kind)) {
      this.badVerb(verb);
      return;
    }
    const address = value.isNil ? 0n : SOME_ADDRESS;
    if (!value.isNil) {
      this.out.meter.showAddress();
    }
    if (verb === 'p') {
      this.format.hex0x(address, !this.format.sharp);
    } else if (verb === 'v') {
      this.addressValue(value, address);
    } else if ('bodxX'.includes(verb)) {
      this.integer(address, false, verb);
    } else {
      this.badVerb(verb);
    }
  }

  private addressValue(value: Value, address: bigint): void {
    if (this.format.sharpV) {
      this.out.write(`(${value.type.name})(`);
      if (address === 0n) {
        this.out.write('nil');
      } else {
        this.format.hex0x(address, true);
      }
      this.out.write(')');
    } else if (address === 0n) {
      this.format.pad(NIL);
    } else {
      this.format.hex0x(address, !this.format.sharp);
    }
  }
}
