import type { ByteString } from '../../golang/byteString';
import {
  ANY,
  INT,
  mapOf,
  pointerTo,
  sliceOf,
  STRING,
  structOf,
  UINT8,
  type GoType,
  type Method,
  type StructField,
  BYTES,
  boolValue,
  bytesData,
  intValue,
  stringValue,
  Value,
  type Data,
  type GoSequence,
} from '../reflect/value';
import { marshalJsonOrNothing, marshalString } from '../reflect/marshalJson';
import { sprint } from '../format/print';
import { typeScriptType } from './typeScriptType';

/** Methods print what they were given: their output is counted where it is written. */
const UNCOUNTED = { charge: (): void => undefined, showAddress: (): void => undefined };

function method(params: readonly GoType[], results: readonly string[], call: Method['call']): Method {
  return { params, results, call };
}

/** A method that templates cannot call for its results. */
function uncallable(params: readonly GoType[], results: readonly string[]): Method {
  return method(params, results, () => boolValue(false));
}

function stringMethod(text: (receiver: Value) => ByteString): ReadonlyMap<string, Method> {
  return new Map([['String', method([], ['string'], (receiver) => stringValue(text(receiver)))]]);
}

function field(name: string, type: GoType, json?: string): StructField {
  if (json === undefined) {
    return { name, type };
  }
  const [key, option] = json.split(',');
  return { name, type, json: { name: key ?? '', omitEmpty: option === 'omitempty' } };
}

export const STRINGS = sliceOf(STRING);
export const ANY_SLICE = sliceOf(ANY);
export const ANY_MAP = mapOf(ANY);
export const IMAGE = sliceOf(UINT8, 'api.ImageData');
export const IMAGES = sliceOf(IMAGE);

/** `api.PropertyType`: one name, or several. */
export const PROPERTY_TYPE = sliceOf(STRING, 'api.PropertyType', {
  methods: new Map([
    ['String', method([], ['string'], (receiver) => stringValue(propertyTypeText(receiver)))],
    ['MarshalJSON', method([], ['[]uint8', 'error'], (receiver) => bytesValue(marshalPropertyType(receiver)))],
  ]),
  marshalJson: marshalPropertyType,
});

function bytesValue(bytes: ByteString): Value {
  return new Value(BYTES, bytesData(bytes));
}

function propertyTypeText(receiver: Value): ByteString {
  switch (receiver.length) {
    case 0:
      return '';
    case 1:
      return receiver.index(0).string;
    default:
      return sprint([new Value(STRINGS, receiver.data)], UNCOUNTED);
  }
}

/** One name is written as a string, others as a list; nil as null. */
function marshalPropertyType(receiver: Value): ByteString {
  return receiver.length === 1
    ? marshalString(receiver.index(0).string)
    : marshalJsonOrNothing(new Value(STRINGS, receiver.data));
}

/** The fields are added below, for properties contain properties. */
const propertyFields: StructField[] = [];

/** `api.ToolProperty`. */
export const TOOL_PROPERTY: GoType = {
  ...structOf('api.ToolProperty', propertyFields, {
    methods: new Map([
      ['ToTypeScriptType', method([], ['string'], (receiver) => stringValue(typeScriptType(receiver)))],
    ]),
  }),
  size: 136,
  comparable: false,
};

const PROPERTY_MAP = mapOf(TOOL_PROPERTY);
const ORDERED_MAP = structOf('orderedmap.Map[string,github.com/ollama/ollama/api.ToolProperty]', []);
const SEQUENCE: GoType = {
  kind: 'func',
  name: 'iter.Seq2[string,github.com/ollama/ollama/api.ToolProperty]',
  size: 8,
  comparable: false,
};

/** The hidden content of an `api.ToolPropertiesMap`: its entries in order, null where JSON had null. */
export function toolPropertiesData(entries: ReadonlyMap<ByteString, Data> | null): Data {
  return [entries === null ? null : { target: [entries] }];
}

/** The entries behind a pointer to an `api.ToolPropertiesMap`, or in one; null if there are none. */
function entriesOf(receiver: Value): ReadonlyMap<ByteString, Data> | null {
  const struct = receiver.kind === 'pointer' ? receiver.elem() : receiver;
  const hidden = (struct?.data as readonly Data[] | undefined)?.[0];
  return hidden === undefined || hidden === null
    ? null
    : ((hidden as { target: readonly Data[] }).target[0] as ReadonlyMap<ByteString, Data>);
}

function marshalToolProperties(receiver: Value, marshal: (value: Value) => ByteString): ByteString {
  const entries = entriesOf(receiver);
  if (entries === null) {
    return 'null';
  }
  // Keys come from another library, which has no short form for \b and \f.
  return `{${Array.from(entries, ([key, data]) => `${marshalString(key, false)}:${marshal(new Value(TOOL_PROPERTY, data))}`).join(',')}}`;
}

function sequenceOf(receiver: Value): Value {
  const pairs = Array.from(
    entriesOf(receiver) ?? [],
    ([key, data]) => [stringValue(key), new Value(TOOL_PROPERTY, data)] as const,
  );
  return new Value(SEQUENCE, { pairs } satisfies GoSequence);
}

/** `api.ToolPropertiesMap`, which keeps the order of its keys. */
export const TOOL_PROPERTIES_MAP = structOf('api.ToolPropertiesMap', [field('om', pointerTo(ORDERED_MAP))], {
  methods: new Map([
    ['MarshalJSON', method([], ['[]uint8', 'error'], (receiver) => bytesValue(marshalJsonOrNothing(receiver)))],
  ]),
  pointerMethods: new Map([
    ['All', method([], [SEQUENCE.name], sequenceOf)],
    ['Get', uncallable([STRING], ['api.ToolProperty', 'bool'])],
    ['Len', method([], ['int'], (receiver) => intValue(entriesOf(receiver)?.size ?? 0))],
    ['Set', uncallable([STRING, TOOL_PROPERTY], [])],
    ['ToMap', method([], [PROPERTY_MAP.name], (receiver) => new Value(PROPERTY_MAP, entriesOf(receiver)))],
  ]),
  marshalJson: (receiver, marshal) => marshalToolProperties(receiver, marshal),
});

export const TOOL_PROPERTIES_POINTER = pointerTo(TOOL_PROPERTIES_MAP);

propertyFields.push(
  field('AnyOf', sliceOf(TOOL_PROPERTY), 'anyOf,omitempty'),
  field('Type', PROPERTY_TYPE, 'type,omitempty'),
  field('Items', ANY, 'items,omitempty'),
  field('Description', STRING, 'description,omitempty'),
  field('Enum', ANY_SLICE, 'enum,omitempty'),
  field('Properties', TOOL_PROPERTIES_POINTER, 'properties,omitempty'),
  field('Required', STRINGS, 'required,omitempty'),
);

/** A String method that gives the JSON. */
const jsonString = stringMethod(marshalJsonOrNothing);
/** The same for maps, which print `{}` when they are nil. */
const jsonMapString = stringMethod((receiver) => (receiver.isNil ? '{}' : marshalJsonOrNothing(receiver)));

export const TEMPLATE_ARGS = mapOf(ANY, 'template.templateArgs', { methods: jsonMapString });
export const TEMPLATE_PROPERTIES = mapOf(TOOL_PROPERTY, 'template.templateProperties', { methods: jsonMapString });

export const TOOL_PARAMETERS = structOf('template.templateToolFunctionParameters', [
  field('Type', STRING, 'type'),
  field('Defs', ANY, '$defs,omitempty'),
  field('Items', ANY, 'items,omitempty'),
  field('Required', STRINGS, 'required,omitempty'),
  field('Properties', TEMPLATE_PROPERTIES, 'properties'),
]);

export const TOOL_FUNCTION = structOf('template.templateToolFunction', [
  field('Name', STRING, 'name'),
  field('Description', STRING, 'description'),
  field('Parameters', TOOL_PARAMETERS, 'parameters'),
]);

export const TEMPLATE_TOOL = structOf(
  'template.templateTool',
  [field('Type', STRING, 'type'), field('Items', ANY, 'items,omitempty'), field('Function', TOOL_FUNCTION, 'function')],
  { methods: jsonString },
);

export const TEMPLATE_TOOLS = sliceOf(TEMPLATE_TOOL, 'template.templateTools', { methods: jsonString });

export const TOOL_CALL = structOf('template.templateToolCall', [
  field('ID', STRING),
  field(
    'Function',
    structOf('template.templateToolCallFunction', [
      field('Index', INT),
      field('Name', STRING),
      field('Arguments', TEMPLATE_ARGS),
    ]),
  ),
]);

export const TOOL_CALLS = sliceOf(TOOL_CALL);

export const MESSAGE = structOf('template.templateMessage', [
  field('Role', STRING),
  field('Content', STRING),
  field('Thinking', STRING),
  field('Images', IMAGES),
  field('ToolCalls', TOOL_CALLS),
  field('ToolName', STRING),
  field('ToolCallID', STRING),
]);

export const MESSAGES = sliceOf(pointerTo(MESSAGE));

/** What `template.Execute` is given: a map by name. */
export const ROOT = ANY_MAP;
