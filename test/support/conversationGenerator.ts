import type { Random } from './random';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const TEXTS = [
  '',
  'Hello',
  'Why is the sky blue?',
  'é日本 🦙',
  'line\nline',
  '<b>&"\'',
  '{{ .x }}',
  '\u2028\u0000\u0007',
  'a\\b',
  '%d',
  ' spaced ',
  '日',
  '\b\f\t',
  'x'.repeat(30),
  '\u00ad\ufeff',
  '=+<script>',
];
const NAMES = ['get_weather', 'f', 'é', '', 'a b', '<x>', 'om'];
const KEYS = ['city', 'unit', 'a', 'b', '10', '9', 'é', '<k>', 'z"q', '', '\b', 'Zed', '\u2028'];
const TYPES = ['string', 'number', 'integer', 'boolean', 'array', 'object', 'null', 'other', ''];

/** Conversations of Ollama's API: every field, in every shape that it accepts. */
export class ConversationGenerator {
  constructor(private readonly random: Random) {}

  values(): Record<string, Json> {
    const { random } = this;
    const values: Record<string, Json> = {
      messages: random.times(random.chance(0.8) ? 3 : 0, 5, () => this.message()),
    };
    if (random.chance(0.85)) {
      values['tools'] = random.times(random.chance(0.9) ? 1 : 0, 2, () => this.tool());
    }
    if (random.chance(0.15)) {
      values['prompt'] = random.pick(TEXTS);
      values['suffix'] = random.pick(TEXTS);
    }
    if (random.chance(0.3)) {
      values['think'] = random.chance(0.5);
      values['thinkLevel'] = random.pick(['', 'high', 'low']);
      values['isThinkSet'] = random.chance(0.7);
    }
    return values;
  }

  private message(): Json {
    const { random } = this;
    const message: Record<string, Json> = {
      role: random.pick(['user', 'user', 'assistant', 'assistant', 'system', 'tool', 'User', 'other', '']),
      content: random.pick(TEXTS),
    };
    const maybe = (name: string, make: () => Json): void => {
      if (random.chance(0.2)) {
        message[name] = random.chance(0.05) ? null : make();
      }
    };
    maybe('thinking', () => random.pick(TEXTS));
    maybe('images', () => random.times(0, 2, () => random.pick(['', 'AA==', 'aGVsbG8=', '/w=='])));
    maybe('tool_calls', () => random.times(0, 2, () => this.toolCall()));
    maybe('tool_name', () => random.pick(NAMES));
    maybe('tool_call_id', () => random.pick(NAMES));
    return message;
  }

  private toolCall(): Json {
    const { random } = this;
    const inner: Record<string, Json> = { name: random.pick(NAMES) };
    if (random.chance(0.9)) {
      inner['arguments'] = random.chance(0.05) ? null : this.object(2);
    }
    if (random.chance(0.3)) {
      inner['index'] = random.below(4) - 1;
    }
    return random.chance(0.5) ? { function: inner } : { id: random.pick(NAMES), function: inner };
  }

  private tool(): Json {
    const { random } = this;
    const parameters: Record<string, Json> = { type: 'object' };
    if (random.chance(0.9)) {
      parameters['properties'] = random.chance(0.05) ? null : this.properties(1);
    }
    if (random.chance(0.6)) {
      parameters['required'] = random.times(0, 3, () => random.pick(KEYS));
    }
    if (random.chance(0.15)) {
      parameters['$defs'] = this.json(2);
    }
    if (random.chance(0.15)) {
      parameters['items'] = this.json(2);
    }
    const tool: Record<string, Json> = {
      type: 'function',
      function: { name: random.pick(NAMES), description: random.pick(TEXTS), parameters },
    };
    if (random.chance(0.1)) {
      tool['items'] = this.json(2);
    }
    return tool;
  }

  private properties(depth: number): Json {
    return Object.fromEntries(this.random.times(0, 4, () => [this.random.pick(KEYS), this.property(depth)]));
  }

  private property(depth: number): Json {
    const { random } = this;
    const property: Record<string, Json> = {};
    const maybe = (probability: number, name: string, make: () => Json): void => {
      if (random.chance(probability)) {
        property[name] = make();
      }
    };
    maybe(0.9, 'type', () =>
      random.chance(0.7)
        ? random.pick(TYPES)
        : random.chance(0.05)
          ? null
          : random.times(0, 3, () => random.pick(TYPES)),
    );
    maybe(0.7, 'description', () => random.pick(TEXTS));
    maybe(0.3, 'enum', () => random.times(0, 5, () => this.json(1)));
    maybe(0.15, 'items', () => this.json(2));
    maybe(0.15, 'required', () => random.times(0, 3, () => random.pick(KEYS)));
    if (depth > 0) {
      maybe(0.15, 'anyOf', () => random.times(0, 3, () => this.property(depth - 1)));
      maybe(0.2, 'properties', () => (random.chance(0.1) ? null : this.properties(depth - 1)));
    }
    return property;
  }

  private object(depth: number): Json {
    return Object.fromEntries(this.random.times(0, 4, () => [this.random.pick(KEYS), this.json(depth - 1)]));
  }

  private json(depth: number): Json {
    const { random } = this;
    switch (random.below(depth > 0 ? 9 : 6)) {
      case 0:
        return random.chance(0.5);
      case 1:
        return random.pick([0, 1, -1, 2.5, 1e21, 1e-7, 123456789, 1e20, 0.1, 9007199254740993, 5e-324, 1e-6]);
      case 2:
        return null;
      case 6:
        return random.times(0, 4, () => this.json(depth - 1));
      case 7:
      case 8:
        return this.object(depth);
      default:
        return random.pick(TEXTS);
    }
  }
}
