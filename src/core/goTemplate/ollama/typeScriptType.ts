import type { ByteString } from '../../golang/byteString';
import type { Value } from '../reflect/value';

const NAMES: ReadonlyMap<ByteString, ByteString> = new Map([
  ['string', 'string'],
  ['number', 'number'],
  ['integer', 'number'],
  ['boolean', 'boolean'],
  ['array', 'any[]'],
  ['object', 'Record<string, any>'],
  ['null', 'null'],
]);

function fieldOf(property: Value, name: string): Value {
  return property.field((property.type.fields ?? []).findIndex((field) => field.name === name));
}

function elements(list: Value): Value[] {
  return Array.from({ length: list.length }, (_, at) => list.index(at));
}

/** Ollama's `ToolProperty.ToTypeScriptType`: the alternatives joined by ` | `. */
export function typeScriptType(property: Value): ByteString {
  const alternatives = elements(fieldOf(property, 'AnyOf'));
  if (alternatives.length > 0) {
    return alternatives.map(typeScriptType).join(' | ');
  }
  const types = elements(fieldOf(property, 'Type'));
  return types.length === 0 ? 'any' : types.map((type) => NAMES.get(type.string) ?? 'any').join(' | ');
}
