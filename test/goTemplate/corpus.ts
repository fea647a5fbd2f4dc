import { ConversationGenerator } from '../support/conversationGenerator';
import { Random } from '../support/random';
import { mutateTemplate, TemplateGenerator } from '../support/templateGenerator';
import { CONVERSATIONS } from './conversations';
import { EXECUTIONS } from './executions';
import { FAULTS } from './faults';
import { SHAPES } from './shapes';

/** A question for the oracle: a template and the conversations to render it with. */
export interface Case {
  readonly group: string;
  readonly text: string;
  readonly values: readonly object[];
}

const named = (...names: (keyof typeof CONVERSATIONS)[]): object[] => names.map((name) => CONVERSATIONS[name] ?? {});
const EVERY = Object.values(CONVERSATIONS);

/** Values of every kind that a template can hold, as expressions on the conversation `toolCalls`. */
const VALUES = [
  '1',
  '-42',
  '0',
  "'é'",
  '3.25',
  '-0.5',
  '1e21',
  '2i',
  '1.5-2i',
  'true',
  '"héllo"',
  '"\\xffa\\u2028"',
  '""',
  '`a"b`',
  'nil',
  '.NoSuch',
  '.Tools',
  '(index .Tools 0)',
  '(index .Tools 0).Function',
  '(index .Tools 0).Function.Parameters',
  '(index .Tools 0).Function.Parameters.Required',
  '(index .Tools 0).Function.Parameters.Properties',
  '(index .Tools 0).Function.Parameters.Properties.unit',
  '(index .Tools 0).Function.Parameters.Properties.unit.Type',
  '(index .Tools 0).Function.Parameters.Properties.unit.Enum',
  '(index .Tools 0).Function.Parameters.Properties.city.Type',
  '(index .Tools 0).Function.Parameters.Properties.city.Properties',
  '(index .Messages 1).ToolCalls',
  '(index (index .Messages 1).ToolCalls 0)',
  '(index (index .Messages 1).ToolCalls 0).Function.Arguments',
  '(index (index .Messages 1).ToolCalls 2).Function.Arguments',
  '(index (index .Messages 1).ToolCalls 0).Function.Arguments.city',
  '(index (index .Messages 1).ToolCalls 0).Function.Index',
  '(index "é" 0)',
  '(index .Messages 0).Images',
  '(index .Tools 0).Function.Parameters.Properties.unit.Type.MarshalJSON',
  '(slice "日本" 1 4)',
];
const VERBS = Array.from('vTtbcdoOqxXUeEfFgGspwz');
const FLAGS = ['', '+', '#', ' ', '-8', '08', '+.3', '#.2', '6.1', '# ', '-+5', '+08.3', '.0', '012'];

function printing(): Case[] {
  return VALUES.flatMap((value) =>
    FLAGS.map((flags) => {
      const verbs = VERBS.filter((verb) => verb !== 'p');
      return {
        group: 'printf',
        text: verbs.map((verb) => `{{ printf "%${flags}${verb}" ${value} }}|`).join(''),
        values: named('toolCalls'),
      };
    }),
  );
}

/** Every function on every pair of values. */
function calls(): Case[] {
  const one = [
    'not',
    'len',
    'json',
    'html',
    'js',
    'urlquery',
    'print',
    'println',
    'toTypeScriptType',
    'and',
    'or',
    'call',
    'index',
    'slice',
    'eq',
  ];
  const two = ['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'index', 'slice', 'print'];
  const cases = one.flatMap((name) =>
    VALUES.map((value) => ({ group: 'calls', text: `{{ ${name} ${value} }}`, values: named('toolCalls') })),
  );
  const pairs = VALUES.flatMap((left, at) =>
    [1, 5, 11, 17].map((step) => [left, VALUES[(at + step) % VALUES.length] ?? '1'] as const),
  );
  return [
    ...cases,
    ...pairs.map(([left, right], at) => ({
      group: 'calls',
      text: `{{ ${two[at % two.length] ?? 'eq'} ${left} ${right} }}`,
      values: named('toolCalls'),
    })),
  ];
}

function generated(): Case[] {
  return Array.from({ length: 700 }, (_, at) => {
    const random = new Random(77_000 + at);
    const text = new TemplateGenerator(random, 0.002).template();
    const values = random.times(1, 2, () => new ConversationGenerator(random).values());
    return { group: 'generated', text: random.chance(0.2) ? mutateTemplate(random, text) : text, values };
  });
}

function expressions(): Case[] {
  return Array.from({ length: 500 }, (_, at) => ({
    group: 'expressions',
    text: `{{ if .Messages }}${new TemplateGenerator(new Random(88_000 + at), 0).expression()}{{ end }}`,
    values: named('tools'),
  }));
}

/** Everything that is recorded. */
export function corpus(): Case[] {
  return [
    ...SHAPES.map((text) => ({ group: 'shapes', text, values: EVERY })),
    ...FAULTS.map((text) => ({ group: 'faults', text, values: named('user') })),
    ...EXECUTIONS.map((text) => ({ group: 'executions', text, values: named('turns', 'toolCalls') })),
    ...printing(),
    ...calls(),
    ...generated(),
    ...expressions(),
  ];
}
