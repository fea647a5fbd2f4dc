import { append } from '../../append';
import type { ChatFormat, Conversation, JinjaMessage, JinjaObject, JinjaRenderer } from '../chatFormat';
import { comparableText, jinjaRequest } from '../conversationValues';
import { HOLE, MARKS } from './marks';

/** A tool that no model was ever told of. */
function tool(number: number): JinjaObject {
  return {
    type: 'function',
    function: {
      name: MARKS.tool(number),
      description: `qxDescription${number}qx`,
      parameters: {
        type: 'object',
        properties: {
          amount: { type: 'number', description: `qxAmount${number}qx` },
          kind: { type: 'string', description: `qxKind${number}qx`, enum: ['qxOneqx', 'qxTwoqx'] },
        },
        required: ['amount', 'kind'],
      },
    },
  };
}

export const PROBE_TOOLS: readonly JinjaObject[] = [tool(1), tool(2)];

/** Arguments of the calls in probes. */
export function probeArguments(number: number): JinjaObject {
  return { city: MARKS.argument(number) };
}

const user = (turn: number): JinjaMessage => ({ role: 'user', content: MARKS.user(turn) });
const answer = (turn: number): JinjaMessage => ({ role: 'assistant', content: MARKS.assistant(turn) });
const thoughtful = (turn: number): JinjaMessage => ({ ...answer(turn), reasoning_content: MARKS.thinking });
const calls = (content: string, count: number, thought?: string): JinjaMessage => ({
  role: 'assistant',
  content,
  ...(thought === undefined ? {} : { reasoning_content: thought }),
  tool_calls: Array.from({ length: count }, (_, index) => ({
    type: 'function' as const,
    id: MARKS.callId(index + 1),
    function: { name: MARKS.tool(index + 1), arguments: probeArguments(index + 1) },
  })),
});
const result = (number: number): JinjaMessage => ({
  role: 'tool',
  content: MARKS.result(number),
  tool_call_id: MARKS.callId(number),
  name: MARKS.tool(number),
});

export interface Probe {
  readonly messages: readonly JinjaMessage[];
  readonly system: boolean;
  readonly tools: boolean;
  /** Whether the answer is to be begun. */
  readonly generate: boolean;
  readonly think?: boolean | undefined;
  /** The Jinja template for tools, where a model has one of its own. */
  readonly text?: string | undefined;
}

/** All that is asked of a template: each is rendered once. */
const SHAPES = {
  question: { messages: [user(1)], generate: true },
  openQuestion: { messages: [user(1)], generate: false },
  answered: { messages: [user(1), answer(1)], generate: false },
  second: { messages: [user(1), answer(1), user(2)], generate: true },
  secondAnswered: { messages: [user(1), answer(1), user(2), answer(2)], generate: false },
  third: { messages: [user(1), answer(1), user(2), answer(2), user(3)], generate: true },
  laterSystem: { messages: [user(1), answer(1), { role: 'system', content: MARKS.system }, user(2)], generate: true },
  twoSystems: {
    messages: [
      { role: 'system', content: MARKS.system },
      user(1),
      answer(1),
      { role: 'system', content: MARKS.laterSystem },
      user(2),
    ],
    generate: true,
  },
  thoughtBefore: { messages: [user(1), thoughtful(1), user(2)], generate: true },
  thoughtLast: { messages: [user(1), thoughtful(1)], generate: false },
  call: { messages: [user(1), calls('', 1)], generate: false },
  callWithText: { messages: [user(1), calls(MARKS.assistant(1), 1)], generate: false },
  thoughtAndCall: { messages: [user(1), calls('', 1, MARKS.thinking), result(1)], generate: true },
  textAndCallThenResult: { messages: [user(1), calls(MARKS.assistant(1), 1), result(1)], generate: true },
  thoughtTextAndCall: { messages: [user(1), calls(MARKS.assistant(1), 1, MARKS.thinking), result(1)], generate: true },
  callBefore: { messages: [user(1), calls(MARKS.assistant(1), 1), result(1), answer(2), user(2)], generate: true },
  twoCalls: { messages: [user(1), calls('', 2)], generate: false },
  result: { messages: [user(1), calls('', 1), result(1)], generate: true },
  openResult: { messages: [user(1), calls('', 1), result(1)], generate: false },
  twoResults: { messages: [user(1), calls('', 2), result(1), result(2)], generate: true },
  resultAnswered: { messages: [user(1), calls('', 1), result(1), answer(1)], generate: false },
  resultAnsweredAndOn: { messages: [user(1), calls('', 1), result(1), answer(1), user(2)], generate: true },
} as const satisfies Record<string, { readonly messages: readonly JinjaMessage[]; readonly generate: boolean }>;

export type ShapeName = keyof typeof SHAPES;

const LEADS: readonly ShapeName[] = ['question', 'answered', 'second', 'secondAnswered', 'third'];
const TOOL_SHAPES: readonly ShapeName[] = [
  'call',
  'callWithText',
  'thoughtAndCall',
  'textAndCallThenResult',
  'thoughtTextAndCall',
  'callBefore',
  'twoCalls',
  'result',
  'openResult',
  'twoResults',
  'resultAnswered',
  'resultAnsweredAndOn',
];

export interface ProbeKey {
  readonly shape: ShapeName;
  readonly system?: boolean | undefined;
  readonly tools?: boolean | undefined;
  readonly think?: boolean | undefined;
}

/** What a template renders of the probes; undefined where it refuses. */
export interface ProbeAnswers {
  text(key: ProbeKey): string | undefined;
  /** The template knows tools: it renders with them, and otherwise than without. */
  readonly knowsTools: boolean;
  readonly knowsThinking: boolean;
}

function keyText({ shape, system = false, tools = false, think }: ProbeKey): string {
  return `${shape}/${system}/${tools}/${think}`;
}

function wanted(withTools: boolean, withThinking: boolean): ProbeKey[] {
  const flags = [false, true];
  const keys: ProbeKey[] = LEADS.flatMap((shape) =>
    flags.flatMap((system) => (withTools ? flags : [false]).map((tools) => ({ shape, system, tools }))),
  );
  keys.push(
    { shape: 'openQuestion' },
    { shape: 'laterSystem' },
    { shape: 'twoSystems' },
    { shape: 'thoughtBefore' },
    { shape: 'thoughtLast' },
  );
  if (withTools) {
    append(
      keys,
      TOOL_SHAPES.map((shape) => ({ shape, tools: true })),
    );
  }
  if (withThinking) {
    append(
      keys,
      flags.flatMap((think) =>
        flags.flatMap((system) =>
          (withTools ? flags : [false]).map((tools) => ({ shape: 'question' as const, system, tools, think })),
        ),
      ),
    );
    if (withTools) {
      keys.push({ shape: 'result', tools: true, think: false }, { shape: 'result', tools: true, think: true });
    }
  }
  return keys;
}

/** Renders all probes of a model's template, in two calls of the renderer at most. */
export async function probeJinja(
  format: ChatFormat & { readonly jinja: string },
  render: JinjaRenderer,
  signal?: AbortSignal,
): Promise<ProbeAnswers> {
  const { jinja, toolJinja } = format;
  const knowsThinking = /enable_thinking|\bthinking\b|reasoning_content|<\/?think>/.test(jinja);
  const mentionsTools = toolJinja !== undefined || /\btools?\b|tool_call/.test(jinja);
  const keys = wanted(mentionsTools, knowsThinking);
  const texts = new Map<string, string>();
  const forTools = toolJinja ?? jinja;
  for (const template of new Set([jinja, forTools])) {
    const own = keys.filter(({ tools = false }) => (tools ? forTools : jinja) === template);
    const answers =
      own.length === 0
        ? []
        : await render(
            template,
            own.map((key) => request(format, key)),
            signal,
          );
    answers.forEach((answer, index) => {
      const key = own[index];
      if (answer.ok && key !== undefined) {
        texts.set(
          keyText(key),
          punched(comparableText(answer.text, format, { name: '', messages: [{ role: 'user', content: '' }] })),
        );
      }
    });
  }
  const text = (key: ProbeKey): string | undefined => texts.get(keyText(key));
  const withTools = text({ shape: 'question', tools: true });
  return { text, knowsTools: withTools !== undefined && withTools !== text({ shape: 'question' }), knowsThinking };
}

function request(format: ChatFormat, key: ProbeKey): ReturnType<typeof jinjaRequest> {
  const { messages, generate } = SHAPES[key.shape];
  const conversation: Conversation = {
    name: key.shape,
    messages: key.system === true ? [{ role: 'system', content: MARKS.system }, ...messages] : messages,
    tools: key.tools === true ? PROBE_TOOLS : undefined,
    think: key.think,
  };
  return jinjaRequest(format, conversation, { before: HOLE.dateStart, after: HOLE.dateEnd }, generate);
}

/** Marks of system, thoughts, calls and results become placeholders; those of turns stay, for texts are cut there. */
function punched(text: string): string {
  return text.replaceAll(MARKS.system, HOLE.system).replaceAll(MARKS.thinking, HOLE.thinking);
}
