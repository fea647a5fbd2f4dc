import type { EvaluationOptions } from './evaluationOptions';
import { fromByteString, toByteString, type ByteString } from '../../golang/byteString';
import { quoteText } from '../../golang/quote';
import { findFunction, REFLECT_VALUE, type CallContext, type TemplateFunction } from '../functions/templateFunctions';
import { isTrue } from '../functions/truth';
import {
  ANY,
  canBeNil,
  pointerTo,
  STRING,
  type GoType,
  boolValue,
  elemType,
  indirect,
  stringValue,
  Value,
  withoutInterface,
  zeroData,
} from '../reflect/value';
import {
  withoutParentheses,
  type ChainNode,
  type CommandNode,
  type FieldNode,
  type IdentifierNode,
  type Operand,
  type PipeNode,
  type VariableNode,
} from '../syntax/nodes';
import { expressionText } from '../syntax/nodeText';
import { idealNumber, isAssignable, passed, reflectedText } from './arguments';
import type { BudgetMeter } from './budget';
import { CallFailure, ExecutionFailure, type Place } from './failures';
import { findMethod, type Callable } from './methods';
import { MISSING, NO_ARGS, type Piped } from './piped';
import { VariableStack } from './variableStack';

/**
 * Evaluates expressions as Go's executor does, with its errors at its places. Statements are the walker's; it sets
 * `place`, `templateName` and `variables`.
 */
export class Evaluator {
  /** The node that an error is reported at now. */
  place: Place | undefined;
  templateName: ByteString = '';
  variables = new VariableStack(undefined);
  private readonly context: CallContext;

  constructor(
    readonly meter: BudgetMeter,
    now: Date,
    private readonly options: EvaluationOptions,
  ) {
    this.context = { meter, now };
  }

  fail(text: string): never {
    if (this.place === undefined) {
      throw new Error(text);
    }
    throw new ExecutionFailure(text, this.place, fromByteString(this.templateName));
  }

  /** The value of a pipeline; its variables are declared or assigned. */
  pipeline(dot: Piped, pipe: PipeNode | undefined): Piped {
    if (pipe === undefined) {
      return undefined;
    }
    this.meter.enter();
    const inner = withoutParentheses(pipe);
    this.place = inner;
    let value: Piped = MISSING;
    for (const command of inner.cmds) {
      this.meter.step();
      value = this.command(dot, command, value);
      if (value?.kind === 'interface' && value.type.hasMethods !== true) {
        value = value.elem();
      }
    }
    for (const variable of inner.decl) {
      const name = variable.idents[0] ?? '';
      if (!inner.isAssign) {
        this.variables.push(name, value);
      } else if (!this.variables.set(name, value)) {
        this.fail(`undefined variable: ${name}`);
      }
    }
    this.meter.leave();
    return value;
  }

  private command(dot: Piped, command: CommandNode, final: Piped): Piped {
    const first = command.args[0];
    if (first === undefined) {
      return undefined;
    }
    switch (first.kind) {
      case 'field':
        return this.fieldNode(dot, first, command.args, final);
      case 'chain':
        return this.chainNode(dot, first, command.args, final);
      case 'identifier':
        return this.functionCall(dot, first, command, command.args, final);
      case 'pipe':
        this.notAFunction(command.args, final);
        return this.pipeline(dot, first);
      case 'variable':
        return this.variableNode(dot, first, command.args, final);
      default:
        return this.simpleCommand(dot, command, first, final);
    }
  }

  private simpleCommand(dot: Piped, command: CommandNode, first: Operand, final: Piped): Piped {
    this.place = first;
    this.notAFunction(command.args, final);
    if (first.kind === 'nil') {
      return this.fail('nil is not a command');
    }
    return first.kind === 'dot' ? dot : this.constant(first);
  }

  private notAFunction(args: readonly Operand[], final: Piped): void {
    const [first] = args;
    if (first !== undefined && (args.length > 1 || final !== MISSING)) {
      this.fail(`can't give argument to non-function ${expressionText(first)}`);
    }
  }

  private constant(node: Operand): Value | undefined {
    switch (node.kind) {
      case 'bool':
        return boolValue(node.value);
      case 'string':
        return stringValue(node.value);
      case 'number': {
        this.place = node;
        const value = idealNumber(node);
        return typeof value === 'string' ? this.fail(value) : value;
      }
      default:
        return undefined;
    }
  }

  private fieldNode(dot: Piped, node: FieldNode, args: readonly Operand[], final: Piped): Piped {
    this.place = node;
    return this.fieldChain(dot, dot, node, node.idents, 0, args, final);
  }

  private chainNode(dot: Piped, node: ChainNode, args: readonly Operand[], final: Piped): Piped {
    this.place = node;
    const receiver = this.argument(dot, undefined, node.node);
    return this.fieldChain(dot, receiver, node, node.fields, 0, args, final);
  }

  private variableNode(dot: Piped, node: VariableNode, args: readonly Operand[], final: Piped): Piped {
    this.place = node;
    const name = node.idents[0] ?? '';
    if (!this.variables.has(name)) {
      this.fail(`undefined variable: ${name}`);
    }
    const value = this.variables.get(name);
    if (node.idents.length === 1) {
      this.notAFunction(args, final);
      return value;
    }
    return this.fieldChain(dot, value, node, node.idents, 1, args, final);
  }

  /** `.X.Y.Z`, of which only the last may be a method with arguments. */
  private fieldChain(
    dot: Piped,
    receiver: Piped,
    node: Operand,
    names: readonly string[],
    from: number,
    args: readonly Operand[],
    final: Piped,
  ): Piped {
    let value = receiver;
    const last = names.length - 1;
    for (let at = from; at < last; at++) {
      this.meter.step();
      value = this.field(dot, names[at] ?? '', node, NO_ARGS, MISSING, value);
    }
    return this.field(dot, names[last] ?? '', node, args, final, value);
  }

  private functionCall(
    dot: Piped,
    node: IdentifierNode,
    whole: CommandNode | IdentifierNode,
    args: readonly Operand[],
    final: Piped,
  ): Piped {
    this.place = node;
    const found = this.options.isDefined(node.name) ? findFunction(node.name) : undefined;
    if (found === undefined) {
      return this.fail(`${quoteText(node.name)} is not a defined function`);
    }
    if (node.name === 'and' || node.name === 'or') {
      return this.shortCircuit(dot, found, node.name, args, final);
    }
    const call = (values: readonly (Value | undefined)[]): Value | undefined =>
      node.name === 'call' ? this.callValue(args, final, values[0]) : found.call(values, this.context);
    return this.call(dot, { params: found.params, variadic: found.variadic, call }, whole, node.name, args, final);
  }

  /** Go's evalField: a method, a field of a struct, or a key of a map. */
  private field(dot: Piped, name: string, node: Operand, args: readonly Operand[], final: Piped, given: Piped): Piped {
    if (given === undefined) {
      return undefined;
    }
    const { value: receiver, isNil } = indirect(given);
    if (receiver === undefined || (receiver.kind === 'interface' && isNil)) {
      return this.fail(`nil pointer evaluating ${given.type.name}.${name}`);
    }
    const method = findMethod(receiver, name);
    if (method !== undefined) {
      return this.call(dot, method, node, name, args, final);
    }
    const hasArgs = args.length > 1 || final !== MISSING;
    if (receiver.kind === 'struct') {
      const at = (receiver.type.fields ?? []).findIndex((known) => known.name === name);
      if (at >= 0) {
        return this.structField(receiver, at, name, given.type, hasArgs);
      }
    } else if (receiver.kind === 'map') {
      return hasArgs ? this.fail(`${name} is not a method but has arguments`) : this.mapEntry(receiver, name);
    } else if (receiver.kind === 'pointer' && isNil) {
      const target = elemType(receiver.type);
      if (target.kind !== 'struct' || target.fields?.some((known) => known.name === name) === true) {
        this.fail(`nil pointer evaluating ${given.type.name}.${name}`);
      }
    }
    return this.fail(`can't evaluate field ${name} in type ${given.type.name}`);
  }

  private structField(receiver: Value, at: number, name: string, type: GoType, hasArgs: boolean): Value {
    if (name.charAt(0) === name.charAt(0).toLowerCase()) {
      this.fail(`${name} is an unexported field of struct type ${type.name}`);
    }
    if (hasArgs) {
      this.fail(`${name} has arguments but cannot be invoked as function`);
    }
    return receiver.field(at);
  }

  private mapEntry(receiver: Value, name: string): Piped {
    const elem = elemType(receiver.type);
    return (
      receiver.mapIndex(toByteString(name)) ??
      (this.options.missingKeyIsZero ? new Value(elem, zeroData(elem)) : undefined)
    );
  }

  private checkCount(callee: Callable | TemplateFunction, name: string, given: number, total: number): void {
    const { params, variadic } = callee;
    if (variadic && total < params.length - 1) {
      this.fail(`wrong number of args for ${name}: want at least ${params.length - 1} got ${given}`);
    }
    if (!variadic && total !== params.length) {
      this.fail(`wrong number of args for ${name}: want ${params.length} got ${total}`);
    }
  }

  private checkResults(results: readonly string[], name: string): void {
    if (results.length === 2 && results[1] !== 'error') {
      this.fail(`invalid function signature for ${name}: second return value should be error; is ${results[1] ?? ''}`);
    }
    if (results.length !== 1 && results.length !== 2) {
      this.fail(`function ${name} has ${results.length} return values; should be 1 or 2`);
    }
  }

  /** Go's evalCall. `args` begins with the function itself, if it is not empty. */
  private call(dot: Piped, callee: Callable, node: Place, name: string, args: readonly Operand[], final: Piped): Piped {
    const given = args.length === 0 ? 0 : args.length - 1;
    const total = given + (final === MISSING ? 0 : 1);
    this.checkCount(callee, name, given, total);
    this.checkResults(callee.results ?? ['any'], name);
    const typeAt = (at: number): GoType => callee.params[Math.min(at, callee.params.length - 1)] ?? ANY;
    const values: (Value | undefined)[] = [];
    for (let at = 1; at < args.length; at++) {
      this.meter.step();
      const arg = args[at];
      if (arg !== undefined) {
        const type = typeAt(at - 1);
        values.push(passed(this.argument(dot, type, arg), type));
      }
    }
    if (final !== MISSING) {
      const type = typeAt(given);
      values.push(passed(this.validated(final, type), type));
    }
    try {
      return callee.call(values);
    } catch (thrown) {
      if (!(thrown instanceof CallFailure)) {
        throw thrown;
      }
      this.place = node;
      return this.fail(`error calling ${name}: ${thrown.message}`);
    }
  }

  private shortCircuit(
    dot: Piped,
    callee: TemplateFunction,
    name: 'and' | 'or',
    args: readonly Operand[],
    final: Piped,
  ): Piped {
    const given = args.length - 1;
    this.checkCount(callee, name, Math.max(given, 0), Math.max(given, 0) + (final === MISSING ? 0 : 1));
    let value: Piped;
    for (const arg of args.slice(1)) {
      this.meter.step();
      value = this.argument(dot, REFLECT_VALUE, arg);
      if (isTrue(value) === (name === 'or')) {
        return value;
      }
    }
    return final === MISSING ? value : final;
  }

  /** The `call` function: none of the functions that values can hold may be called. */
  private callValue(args: readonly Operand[], final: Piped, callee: Value | undefined): never {
    const fn = withoutInterface(callee);
    if (fn === undefined) {
      throw new CallFailure('call of nil');
    }
    const named = args[1];
    const name = named === undefined ? reflectedText(final) : expressionText(named);
    throw new CallFailure(
      fn.kind === 'func'
        ? `function ${name} has 0 return values; should be 1 or 2`
        : `non-function ${name} of type ${fn.type.name}`,
    );
  }

  /** Go's validateType; `type` is undefined where any will do. */
  private validated(given: Piped, type: GoType | undefined): Piped {
    if (given === undefined) {
      return type === undefined || type === REFLECT_VALUE || canBeNil(type)
        ? undefined
        : this.fail(`invalid value; expected ${type.name}`);
    }
    if (type === undefined || type === REFLECT_VALUE || isAssignable(given.type, type)) {
      return given;
    }
    let value = given;
    if (value.kind === 'interface' && !value.isNil) {
      value = value.elem() ?? value;
      if (isAssignable(value.type, type)) {
        return value;
      }
    }
    if (value.kind === 'pointer' && isAssignable(elemType(value.type), type)) {
      return value.elem() ?? this.fail(`dereference of nil pointer of type ${type.name}`);
    }
    if (value.addressable && isAssignable(pointerTo(value.type), type)) {
      return value.address();
    }
    return this.fail(`wrong type for value; expected ${type.name}; got ${value.type.name}`);
  }

  /** Go's evalArg. */
  private argument(dot: Piped, type: GoType | undefined, node: Operand): Piped {
    this.place = node;
    switch (node.kind) {
      case 'dot':
        return this.validated(dot, type);
      case 'nil':
        return type === REFLECT_VALUE || (type !== undefined && canBeNil(type))
          ? undefined
          : this.fail(`cannot assign nil to ${type?.name ?? ''}`);
      case 'field':
        return this.validated(this.fieldNode(dot, node, NO_ARGS, MISSING), type);
      case 'variable':
        return this.validated(this.variableNode(dot, node, NO_ARGS, MISSING), type);
      case 'pipe':
        return this.validated(this.pipeline(dot, node), type);
      case 'identifier':
        return this.validated(this.functionCall(dot, node, node, NO_ARGS, MISSING), type);
      case 'chain':
        return this.validated(this.chainNode(dot, node, NO_ARGS, MISSING), type);
      default:
        if (type === STRING) {
          return node.kind === 'string'
            ? stringValue(node.value)
            : this.fail(`expected string; found ${expressionText(node)}`);
        }
        return this.constant(node);
    }
  }
}
