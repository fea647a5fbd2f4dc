import { StudioError } from '../../errors';
import { toLower } from '../../golang/toLower';
import type { ChatMessage, TemplateValues, Tool, ToolCall, ToolProperties, ToolProperty } from './conversation';
import type { OrderedJson } from './orderedJson';

type JsonMap = ReadonlyMap<string, OrderedJson>;

function fail(where: string, expected: string): never {
  throw new StudioError(
    'template/values',
    `${where === '' ? 'The conversation' : where} must be ${expected}, as in Ollama's API. Correct the conversation and try again.`,
    {
      detail: { where, expected },
    },
  );
}

function isMap(value: OrderedJson): value is JsonMap {
  return value instanceof Map;
}

function isList(value: OrderedJson): value is readonly OrderedJson[] {
  return Array.isArray(value);
}

/** Names that `encoding/json` takes for the same: the long s and the Kelvin sign are letters as well. */
function fold(name: string): string {
  return name.toLowerCase().replaceAll('\u017f', 's').replaceAll('\u212a', 'k');
}

/** One JSON object read as Go reads a struct: names in any case, null and absence leave zero. */
class Fields {
  private readonly byName = new Map<string, OrderedJson>();

  constructor(
    value: OrderedJson,
    private readonly where: string,
  ) {
    if (value !== null && !isMap(value)) {
      fail(where, 'an object');
    }
    for (const [name, member] of value ?? []) {
      // A null is no value: what stood before it under another spelling stays.
      const folded = fold(name);
      if (member !== null || !this.byName.has(folded)) {
        this.byName.set(folded, member);
      }
    }
  }

  has(name: string): boolean {
    return this.byName.has(fold(name));
  }

  json(name: string): OrderedJson {
    return this.byName.get(fold(name)) ?? null;
  }

  path(name: string): string {
    return this.where === '' ? name : `${this.where}.${name}`;
  }

  string(name: string): string {
    const value = this.json(name);
    return value === null ? '' : typeof value === 'string' ? value : fail(this.path(name), 'a string');
  }

  boolean(name: string): boolean {
    const value = this.json(name);
    return value === null ? false : typeof value === 'boolean' ? value : fail(this.path(name), 'true or false');
  }

  integer(name: string): number {
    const value = this.json(name);
    return value === null ? 0 : Number.isSafeInteger(value) ? (value as number) : fail(this.path(name), 'an integer');
  }

  list<T>(name: string, read: (item: OrderedJson, where: string) => T): T[] | null {
    const value = this.json(name);
    if (value === null) {
      return null;
    }
    return isList(value)
      ? value.map((item, index) => read(item, `${this.path(name)}[${index}]`))
      : fail(this.path(name), 'a list');
  }

  strings(name: string): string[] | null {
    return this.list(name, (item, where) =>
      item === null ? '' : typeof item === 'string' ? item : fail(where, 'a string'),
    );
  }

  map(name: string): JsonMap | null {
    const value = this.json(name);
    return value === null || isMap(value) ? value : fail(this.path(name), 'an object');
  }
}

function decodeImage(item: OrderedJson, where: string): string | null {
  if (item === null) {
    return null;
  }
  if (isList(item)) {
    // Go takes a list of numbers for bytes, too.
    return item
      .map((byte) =>
        String.fromCharCode(
          Number.isInteger(byte) && Number(byte) >= 0 && Number(byte) < 256
            ? Number(byte)
            : byte === null
              ? 0
              : fail(where, 'base64'),
        ),
      )
      .join('');
  }
  const text = typeof item === 'string' ? item.replace(/[\r\n]/g, '') : '!';
  if (text.length % 4 !== 0 || /[^A-Za-z0-9+/=]|=[^=]|={3}/.test(text)) {
    fail(where, 'base64');
  }
  return atob(text);
}

function decodeToolCall(item: OrderedJson, where: string): ToolCall {
  const call = new Fields(item, where);
  const inner = new Fields(call.json('function'), call.path('function'));
  return {
    id: call.string('id'),
    index: inner.integer('index'),
    name: inner.string('name'),
    arguments: inner.map('arguments'),
  };
}

function decodeMessage(item: OrderedJson, where: string): ChatMessage {
  const message = new Fields(item, where);
  return {
    role: toLower(message.string('role')),
    content: message.string('content'),
    thinking: message.string('thinking'),
    images: message.list('images', decodeImage),
    toolCalls: message.list('tool_calls', decodeToolCall),
    toolName: message.string('tool_name'),
    toolCallId: message.string('tool_call_id'),
  };
}

function decodeProperties(fields: Fields): ToolProperties | null {
  const value = fields.map('properties');
  const where = fields.path('properties');
  return value === null
    ? null
    : new Map(Array.from(value, ([name, member]) => [name, decodeProperty(member, `${where}.${name}`)]));
}

function decodeProperty(item: OrderedJson, where: string): ToolProperty {
  const property = new Fields(item, where);
  const type = property.has('type') ? (property.json('type') ?? '') : null;
  return {
    anyOf: property.list('anyOf', decodeProperty),
    // Go reads a null as an empty name here.
    type: typeof type === 'string' ? [type] : property.strings('type'),
    typeIsList: typeof type !== 'string',
    items: property.json('items'),
    description: property.string('description'),
    enum: property.list('enum', (member) => member),
    properties: decodeProperties(property),
    required: property.strings('required'),
  };
}

function decodeTool(item: OrderedJson, where: string): Tool {
  const tool = new Fields(item, where);
  const inner = new Fields(tool.json('function'), tool.path('function'));
  const parameters = new Fields(inner.json('parameters'), inner.path('parameters'));
  return {
    type: tool.string('type'),
    items: tool.json('items'),
    name: inner.string('name'),
    description: inner.string('description'),
    parameters: {
      type: parameters.string('type'),
      defs: parameters.json('$defs'),
      items: parameters.json('items'),
      required: parameters.strings('required'),
      properties: decodeProperties(parameters),
    },
  };
}

/**
 * The values of one conversation: `{messages, tools?, prompt?, suffix?, think?, thinkLevel?, isThinkSet?}` with messages
 * and tools as in Ollama's API. Throws `template/values` where something has another type.
 */
export function decodeConversation(json: OrderedJson): TemplateValues {
  const fields = new Fields(json, '');
  return {
    messages: fields.list('messages', decodeMessage) ?? [],
    tools: fields.list('tools', decodeTool),
    prompt: fields.string('prompt'),
    suffix: fields.string('suffix'),
    think: fields.boolean('think'),
    thinkLevel: fields.string('thinkLevel'),
    isThinkSet: fields.boolean('isThinkSet'),
  };
}
