import { toByteString, type ByteString } from '../../golang/byteString';
import {
  ANY,
  BOOL,
  FLOAT64,
  STRING,
  type GoType,
  sliceData,
  stringValue,
  Value,
  type Data,
  type GoSlice,
} from '../reflect/value';
import type { ChatMessage, Tool, ToolCall, ToolProperties, ToolProperty } from './conversation';
import {
  ANY_MAP,
  ANY_SLICE,
  IMAGE,
  MESSAGES,
  ROOT,
  TEMPLATE_TOOLS,
  TOOL_CALL,
  toolPropertiesData,
  TOOL_PROPERTY,
} from './ollamaTypes';
import type { OrderedJson } from './orderedJson';

/** What `encoding/json` makes of JSON where nothing says what it is: maps, slices, float64, strings, booleans, nil. */
function looseData(json: OrderedJson): Value | null {
  switch (typeof json) {
    case 'boolean':
      return new Value(BOOL, json);
    case 'number':
      return new Value(FLOAT64, json);
    case 'string':
      return stringValue(toByteString(json));
    default:
      if (json === null) {
        return null;
      }
      return json instanceof Map
        ? new Value(ANY_MAP, looseMap(json as ReadonlyMap<string, OrderedJson>))
        : new Value(ANY_SLICE, looseSlice(json as readonly OrderedJson[]));
  }
}

function looseMap(json: ReadonlyMap<string, OrderedJson>): ReadonlyMap<ByteString, Data> {
  return new Map(Array.from(json, ([key, value]) => [toByteString(key), looseData(value)]));
}

function looseSlice(json: readonly OrderedJson[]): GoSlice {
  return sliceData(json.map(looseData), ANY);
}

/** A slice that JSON decoding made, element by element. */
function decodedSlice<T>(list: readonly T[] | null, elem: GoType, data: (item: T) => Data): GoSlice | null {
  return list === null ? null : sliceData(list.map(data), elem);
}

function imageData(bytes: ByteString | null): GoSlice | null {
  return bytes === null ? null : sliceData(Array.from({ length: bytes.length }, (_, at) => bytes.charCodeAt(at)));
}

function toolCallData(call: ToolCall): Data {
  return [
    toByteString(call.id),
    [BigInt(call.index), toByteString(call.name), call.arguments === null ? null : looseMap(call.arguments)],
  ];
}

function messageData(message: ChatMessage, content: string): Data {
  const calls = message.toolCalls ?? [];
  return [
    toByteString(message.role),
    toByteString(content),
    toByteString(message.thinking),
    decodedSlice(message.images, IMAGE, imageData),
    // Ollama copies calls one by one: no calls are a nil slice.
    calls.length === 0 ? null : sliceData(calls.map(toolCallData), TOOL_CALL),
    toByteString(message.toolName),
    toByteString(message.toolCallId),
  ];
}

function propertyData(property: ToolProperty): Data {
  const type = property.type?.map(toByteString) ?? null;
  return [
    decodedSlice(property.anyOf, TOOL_PROPERTY, propertyData),
    type === null ? null : sliceData(type, property.typeIsList ? STRING : undefined),
    looseData(property.items),
    toByteString(property.description),
    property.enum === null ? null : looseSlice(property.enum),
    property.properties === null ? null : { target: toolPropertiesData(propertyEntries(property.properties)) },
    decodedSlice(property.required, STRING, toByteString),
  ];
}

function propertyEntries(properties: ToolProperties): ReadonlyMap<ByteString, Data> {
  return new Map(Array.from(properties, ([name, property]) => [toByteString(name), propertyData(property)]));
}

function toolData(tool: Tool): Data {
  const { type, defs, items, required, properties } = tool.parameters;
  return [
    toByteString(tool.type),
    looseData(tool.items),
    [
      toByteString(tool.name),
      toByteString(tool.description),
      [
        toByteString(type),
        looseData(defs),
        looseData(items),
        decodedSlice(required, STRING, toByteString),
        properties === null ? null : propertyEntries(properties),
      ],
    ],
  ];
}

/** A message with the content that collation gave it. */
export interface CollatedMessage {
  readonly message: ChatMessage;
  readonly content: string;
}

/** `.Messages`: nil if there are none. */
export function messagesValue(messages: readonly CollatedMessage[]): Value {
  const pointers = messages.map(({ message, content }) => ({ target: messageData(message, content) }));
  return new Value(MESSAGES, pointers.length === 0 ? null : sliceData(pointers));
}

/** `.Tools`: nil if the request had none. */
export function toolsValue(tools: readonly Tool[] | null): Value {
  return new Value(TEMPLATE_TOOLS, tools === null ? null : sliceData(tools.map(toolData)));
}

/** The map that a template is executed on. */
export function rootValue(entries: Readonly<Record<string, Value>>): Value {
  return new Value(ROOT, new Map(Object.entries(entries)));
}
