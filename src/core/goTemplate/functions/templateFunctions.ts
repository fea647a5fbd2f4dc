import type { ByteString } from '../../golang/byteString';
import type { BudgetMeter } from '../execute/budget';
import { CallFailure } from '../execute/failures';
import { sprint, sprintf, sprintln } from '../format/print';
import type { GoFunction, OllamaFunction } from '../functionNames';
import { typeScriptType } from '../ollama/typeScriptType';
import { TOOL_PROPERTY } from '../ollama/ollamaTypes';
import { ANY, STRING, type GoType, boolValue, intValue, stringValue, type Value } from '../reflect/value';
import { marshalJsonOrNothing } from '../reflect/marshalJson';
import { eq, le, lt } from './compare';
import { escapeHtml, escapeJavaScript, escapeQuery } from './escape';
import { index, length, slice } from './indexing';
import { printableValue } from './printable';
import { isTrue } from './truth';

/** Go's `reflect.Value` as the type of a parameter: it takes every value as it is. */
export const REFLECT_VALUE: GoType = { kind: 'struct', name: 'reflect.Value', size: 24, comparable: false };

/** What functions may use besides their arguments. */
export interface CallContext {
  readonly meter: BudgetMeter;
  readonly now: Date;
}

/** The arguments of a call: of type `interface {}` without their interface; undefined is nil or the invalid Value. */
export type Arguments = readonly (Value | undefined)[];

export interface TemplateFunction {
  readonly params: readonly GoType[];
  /** Whether the last parameter stands for any number of arguments. */
  readonly variadic: boolean;
  /** Throws {@link CallFailure} where Go's function returns an error or panics. */
  readonly call: (args: Arguments, context: CallContext) => Value | undefined;
}

function take(params: readonly GoType[], call: TemplateFunction['call']): TemplateFunction {
  return { params, variadic: false, call };
}

function takeAny(params: readonly GoType[], call: TemplateFunction['call']): TemplateFunction {
  return { params, variadic: true, call };
}

/** A text that was made outside of a printer: counted here. */
function counted(bytes: ByteString, { meter }: CallContext): Value {
  meter.charge(bytes.length);
  return stringValue(bytes);
}

/** The text of arguments for the escaping functions: pointers followed, one string as it is. */
function textOf(args: Arguments, { meter }: CallContext): ByteString {
  const [only] = args;
  if (args.length === 1 && only?.type === STRING) {
    return only.string;
  }
  const shown = args.map((arg) => {
    const printable = printableValue(arg);
    return printable.ok ? printable.value : arg;
  });
  return sprint(shown, meter);
}

function escaping(escape: (bytes: ByteString) => ByteString): TemplateFunction {
  return takeAny([ANY], (args, context) => counted(escape(textOf(args, context)), context));
}

function ordering(holds: (args: Arguments, meter: BudgetMeter) => boolean): TemplateFunction {
  return take([REFLECT_VALUE, REFLECT_VALUE], (args, { meter }) => boolValue(holds(args, meter)));
}

/** and, or and call are evaluated where their arguments are. */
function elsewhere(params: readonly GoType[]): TemplateFunction {
  return takeAny(params, () => {
    throw new CallFailure('unreachable');
  });
}

function dateText(now: Date, daysBack: number): ByteString {
  const date = new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysBack);
  const two = (value: number): string => value.toString().padStart(2, '0');
  return `${date.getFullYear().toString().padStart(4, '0')}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Every function that a template of Ollama can call. */
export const TEMPLATE_FUNCTIONS: Readonly<Record<GoFunction | OllamaFunction, TemplateFunction>> = {
  and: elsewhere([REFLECT_VALUE, REFLECT_VALUE]),
  or: elsewhere([REFLECT_VALUE, REFLECT_VALUE]),
  call: elsewhere([REFLECT_VALUE, REFLECT_VALUE]),
  not: take([REFLECT_VALUE], ([arg]) => boolValue(!isTrue(arg))),
  len: take([REFLECT_VALUE], ([arg]) => intValue(length(arg))),
  index: takeAny([REFLECT_VALUE, REFLECT_VALUE], index),
  slice: takeAny([REFLECT_VALUE, REFLECT_VALUE], slice),
  html: escaping(escapeHtml),
  js: escaping(escapeJavaScript),
  urlquery: escaping(escapeQuery),
  print: takeAny([ANY], (args, { meter }) => stringValue(sprint(args, meter))),
  println: takeAny([ANY], (args, { meter }) => stringValue(sprintln(args, meter))),
  printf: takeAny([STRING, ANY], ([format, ...args], { meter }) =>
    stringValue(sprintf(format?.string ?? '', args, meter)),
  ),
  eq: takeAny([REFLECT_VALUE, REFLECT_VALUE], (args, { meter }) => boolValue(eq(args, meter))),
  ne: ordering((args, meter) => !eq(args, meter)),
  lt: ordering(lt),
  le: ordering(le),
  gt: ordering((args, meter) => !le(args, meter)),
  ge: ordering((args, meter) => !lt(args, meter)),
  json: take([ANY], ([arg], context) => counted(marshalJsonOrNothing(arg), context)),
  currentDate: takeAny([STRING], (_args, { now }) => stringValue(dateText(now, 0))),
  yesterdayDate: takeAny([STRING], (_args, { now }) => stringValue(dateText(now, 1))),
  toTypeScriptType: take([ANY], ([arg], context) =>
    counted(arg?.type === TOOL_PROPERTY ? typeScriptType(arg) : 'any', context),
  ),
};

/** The function of a name, if there is one. */
export function findFunction(name: string): TemplateFunction | undefined {
  return Object.hasOwn(TEMPLATE_FUNCTIONS, name) ? TEMPLATE_FUNCTIONS[name as GoFunction | OllamaFunction] : undefined;
}
