import type { Conversation, JinjaMessage, JinjaObject } from '../../src/core/chatTemplate/chatFormat';
import type { Random } from './random';

const CONTENTS = [
  'Hello',
  'Who won?',
  'A longer text, with\ntwo lines',
  'Ünïcödé 图书馆 🏉',
  '{"a": [1, 2]}',
  '<b>bold</b> & "quoted"',
  '{{ .Content }} {% if %}',
  "it's",
  'a\n\n\nb',
  '12345',
  '<|im_x|> [x] </x>',
  '### Heading\n- item',
  '\\n \\t \\u0041',
];
const WORDS = ['Oslo', 'a b', 'ä', '"x"', 'back\\slash', 'tab\there', 'new\nline', ''];

/** A conversation that nobody thought of: turns in the order in which clients send them. */
export function randomConversation(
  random: Random,
  abilities: { readonly tools: boolean; readonly thinking: boolean; readonly system: boolean },
): Conversation {
  const content = (): string => random.pick(CONTENTS);
  const withTools = abilities.tools && random.chance(0.5);
  const messages: JinjaMessage[] =
    abilities.system && random.chance(0.5) ? [{ role: 'system', content: content() }] : [];
  const turns = random.below(4);
  for (let turn = 0; turn <= turns; turn += 1) {
    if (turn > 0 && abilities.system && random.chance(0.15)) {
      messages.push({ role: 'system', content: content() });
    }
    messages.push({ role: 'user', content: content() });
    if (withTools && random.chance(0.4)) {
      messages.push(...calls(random, turn, content));
    } else if (turn === turns) {
      break;
    }
    if (turn < turns || random.chance(0.3)) {
      messages.push({
        role: 'assistant',
        content: content(),
        ...(abilities.thinking && random.chance(0.4) ? { reasoning_content: content() } : {}),
      });
    }
  }
  const think = abilities.thinking && random.chance(0.5) ? random.chance(0.5) : undefined;
  return {
    name: 'random',
    messages,
    tools: withTools ? [tool('look_up'), tool('add')].slice(0, 1 + random.below(2)) : undefined,
    think,
  };
}

function calls(random: Random, turn: number, content: () => string): JinjaMessage[] {
  const values = (): JinjaObject => ({
    a: random.pick(WORDS),
    b: random.below(5000) - 5,
    c: random.chance(0.5),
    d: [1, random.pick(WORDS)],
    e: { f: null, g: { h: random.pick(WORDS) } },
  });
  const id = `call0000${turn}`;
  return [
    {
      role: 'assistant',
      content: random.chance(0.3) ? content() : '',
      tool_calls: [{ type: 'function', id, function: { name: 'look_up', arguments: values() } }],
    },
    { role: 'tool', content: content(), tool_call_id: id, name: 'look_up' },
  ];
}

function tool(name: string): JinjaObject {
  return {
    type: 'function',
    function: {
      name,
      description: `What ${name} does: "this" and that`,
      parameters: {
        type: 'object',
        properties: {
          a: { type: 'string', description: 'text' },
          d: { type: 'array', items: { type: 'string' } },
          k: { type: 'string', enum: ['x', 'y'] },
        },
        required: ['a'],
      },
    },
  };
}
