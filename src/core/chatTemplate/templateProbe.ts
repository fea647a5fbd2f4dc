import { executeTemplate, type TemplateExecution } from '../goTemplate/executeTemplate';
import { NO_VALUES, plainMessage, type ChatMessage, type Tool } from '../goTemplate/ollama/conversation';
import type { ParsedTemplate } from '../goTemplate/parseTemplate';

/** Words that no template holds. */
const SYSTEM = 'qxSystemqx';
const FIRST = 'qxQuestionqx';
const ANSWER = 'qxAnswerqx';
const SECOND = 'qxFollowqx';

/** What a template does with ordinary conversations. */
export interface TemplateProbe {
  /** A question alone. */
  readonly question: TemplateExecution;
  /** System, question, answer, question. */
  readonly chat: TemplateExecution;
  /** The same with tools, where the template names them. */
  readonly tools?: TemplateExecution | undefined;
  readonly printsSystem: boolean;
  /** What stands between an answer and the next question; undefined where the rendering does not show it. */
  readonly afterAnswer?: string | undefined;
  /** The answer runs into the next question: nothing, or only what begins a turn, stands between. */
  readonly runsOn: boolean;
  /** The marker that ends a question, `<|im_end|>`; undefined where the format has none. */
  readonly userEnd?: string | undefined;
}

/** Small, for it runs at every keystroke. */
const BUDGET = { steps: 50_000, depth: 200, bytes: 1024 * 1024 };

const TOOL: Tool = {
  type: 'function',
  items: null,
  name: 'get_weather',
  description: 'The weather of a city',
  parameters: {
    type: 'object',
    defs: null,
    items: null,
    required: ['city'],
    properties: new Map([
      [
        'city',
        {
          anyOf: null,
          type: ['string'],
          typeIsList: false,
          items: null,
          description: 'Name',
          enum: null,
          properties: null,
          required: null,
        },
      ],
    ]),
  },
};

/** Renders a template with a few conversations. */
export function probeTemplate(template: ParsedTemplate): TemplateProbe {
  const run = (messages: readonly ChatMessage[], tools: readonly Tool[] | null = null): TemplateExecution =>
    executeTemplate(template, { ...NO_VALUES, messages, tools }, { budget: BUDGET });
  const question = run([plainMessage('user', FIRST)]);
  const chat = run([
    plainMessage('system', SYSTEM),
    plainMessage('user', FIRST),
    plainMessage('assistant', ANSWER),
    plainMessage('user', SECOND),
  ]);
  const tools = template.vars.includes('tools') ? run(toolConversation(), [TOOL]) : undefined;
  const text = chat.ok ? chat.text : '';
  const answer = text.indexOf(ANSWER);
  const second = text.indexOf(SECOND, answer);
  const afterAnswer = answer >= 0 && second > answer ? text.slice(answer + ANSWER.length, second) : undefined;
  const between = text.slice(text.indexOf(FIRST) + FIRST.length, Math.max(answer, 0));
  const userEnd = MARKER.exec(between)?.[0];
  return {
    question,
    chat,
    tools,
    printsSystem: text.includes(SYSTEM),
    afterAnswer,
    userEnd,
    runsOn: afterAnswer !== undefined && runsOn(afterAnswer, question, userEnd),
  };
}

/** What ends the user's turns must end the assistant's too, where the format has markers at all. */
function runsOn(afterAnswer: string, question: TemplateExecution, userEnd: string | undefined): boolean {
  if (afterAnswer.trim() === '') {
    return true;
  }
  const beforeQuestion = question.ok ? question.text.slice(0, question.text.indexOf(FIRST)) : '';
  const next = MARKER.exec(afterAnswer)?.[0];
  return (
    userEnd !== undefined && next !== undefined && next !== userEnd && beforeQuestion.endsWith(afterAnswer.trimStart())
  );
}

function toolConversation(): ChatMessage[] {
  const call = { id: 'call_1', index: 0, name: TOOL.name, arguments: new Map([['city', 'Oslo']]) };
  return [
    plainMessage('user', FIRST),
    { ...plainMessage('assistant', ''), toolCalls: [call] },
    { ...plainMessage('tool', ANSWER), toolName: TOOL.name, toolCallId: 'call_1' },
    plainMessage('assistant', ANSWER),
    plainMessage('user', SECOND),
  ];
}

/** Markers as models have them: `<|im_end|>`, `</s>`, `<end_of_turn>`, `[INST]`. */
const MARKER = /<\|[^|<>\s]{1,60}\|>|<\/?[A-Za-z_｜][^<>\s]{0,60}>|\[\/?[A-Z_]{2,30}\]/u;

/** The text at which an answer should stop: the first marker behind it, else the first line of what follows. */
export function stopTextOf(afterAnswer: string): string | undefined {
  const marker = MARKER.exec(afterAnswer)?.[0];
  if (marker !== undefined) {
    return marker;
  }
  const line = afterAnswer.trim().split('\n')[0]?.trim();
  return line === undefined || line === '' ? undefined : line;
}

export function looksLikeToken(text: string): boolean {
  return MARKER.exec(text)?.[0] === text;
}
