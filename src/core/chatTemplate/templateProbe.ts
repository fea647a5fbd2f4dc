import { executeTemplate, type TemplateExecution } from '../goTemplate/executeTemplate';
import { NO_VALUES, plainMessage, type ChatMessage, type Tool } from '../goTemplate/ollama/conversation';
import type { ParsedTemplate } from '../goTemplate/parseTemplate';
import { BEGIN_MARKERS, END_MARKERS, isFimMarker, markersIn } from './turnMarkers';

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
  /** The system message stands in the prompt more than once. */
  readonly repeatsSystem: boolean;
  /** What stands between a question and its answer in the history; undefined where the rendering does not show it. */
  readonly pastHeader?: string | undefined;
  /** What the prompt writes behind the last question: where the answer is to begin. */
  readonly answerHeader?: string | undefined;
  /** What stands between an answer and the next question; undefined where the rendering does not show it. */
  readonly afterAnswer?: string | undefined;
  /** The marker that ends an answer as the template writes it, `<|im_end|>`; undefined where none does. */
  readonly turnEnd?: string | undefined;
  /** Where nothing ends an answer: the marker that ends the other turns, and should end answers too. */
  readonly missingEnd?: string | undefined;
  /** The answer runs into the next question: nothing, or only what begins a turn, stands between. */
  readonly runsOn: boolean;
  /** The template has no turns: `bare` writes the prompt and no more, `fim` is for completion in the middle of a text. */
  readonly completion?: 'bare' | 'fim' | undefined;
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
  return { question, chat, tools, ...turnsOf(question, chat) };
}

type Turns = Omit<TemplateProbe, 'question' | 'chat' | 'tools'>;

function turnsOf(question: TemplateExecution, chat: TemplateExecution): Turns {
  const text = chat.ok ? chat.text : '';
  const first = text.indexOf(FIRST);
  const answer = text.indexOf(ANSWER, Math.max(first, 0));
  const second = text.indexOf(SECOND, Math.max(answer, 0));
  const printsSystem = text.includes(SYSTEM);
  const repeatsSystem = text.indexOf(SYSTEM) !== text.lastIndexOf(SYSTEM);
  const completion = completionOf(question);
  const answerHeader = second < 0 ? undefined : text.slice(second + SECOND.length);
  if (answer < 0 || second < answer) {
    return { printsSystem, repeatsSystem, answerHeader, runsOn: false, completion };
  }
  const afterAnswer = text.slice(answer + ANSWER.length, second);
  const pastHeader = first >= 0 && first < answer ? text.slice(first + FIRST.length, answer) : undefined;
  const turns = { printsSystem, repeatsSystem, pastHeader, answerHeader, afterAnswer };
  // Whoever ends answers has turns, with or without words between them.
  if (completion !== undefined && (completion === 'fim' || markersIn(afterAnswer).length === 0)) {
    return { ...turns, completion, runsOn: false };
  }
  const opening = question.ok ? question.text.slice(0, Math.max(question.text.indexOf(FIRST), 0)) : '';
  const questionEnd = endOfQuestion(pastHeader ?? answerHeader ?? '', opening);
  const turnEnd = endOfAnswer(afterAnswer, opening, questionEnd);
  const runsOn = turnEnd === undefined && (afterAnswer.trim() === '' || questionEnd !== undefined);
  return { ...turns, turnEnd, runsOn, missingEnd: runsOn ? questionEnd : undefined };
}

/** Whether a template writes the prompt alone, or markers for completion in the middle only. */
function completionOf(question: TemplateExecution): 'bare' | 'fim' | undefined {
  if (!question.ok || !question.text.includes(FIRST)) {
    return undefined;
  }
  const around = question.text.replaceAll(FIRST, '');
  const markers = markersIn(around);
  const turns = markers.filter((marker) => !BEGIN_MARKERS.has(marker));
  if (turns.length > 0) {
    return turns.every(isFimMarker) ? 'fim' : undefined;
  }
  const rest = markers.reduce((left, marker) => left.replace(marker, ''), around);
  return rest.trim() === '' ? 'bare' : undefined;
}

/**
 * The marker that ends a question, as opposed to the one that begins its answer: known as such, or the first of several. Between
 * `<｜User｜>…<｜Assistant｜>` there is none.
 */
function endOfQuestion(header: string, opening: string): string | undefined {
  const [marker, ...others] = markersIn(header);
  if (marker === undefined || isFimMarker(marker) || BEGIN_MARKERS.has(marker)) {
    return undefined;
  }
  const isFirstOfSeveral = others.length > 0 && !others.includes(marker) && !markersIn(opening).includes(marker);
  return END_MARKERS.has(marker) || (isFirstOfSeveral && !isTag(marker)) ? marker : undefined;
}

/** `<context>` and `</context>` stand around contents; they are no markers of turns. */
function isTag(marker: string): boolean {
  return /^<\/?[a-z][a-z-]*>$/.test(marker) && !END_MARKERS.has(marker);
}

/** The first marker behind an answer, unless all that stands there begins the next question. */
function endOfAnswer(afterAnswer: string, opening: string, questionEnd: string | undefined): string | undefined {
  const after = markersIn(afterAnswer);
  const [marker] = after;
  if (marker === undefined || isFimMarker(marker) || BEGIN_MARKERS.has(marker)) {
    return undefined;
  }
  if (END_MARKERS.has(marker) || marker === questionEnd) {
    return marker;
  }
  const begins = markersIn(opening);
  return begins.slice(-after.length).join('\n') === after.join('\n') ? undefined : marker;
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

/** The text at which an answer should stop: the first marker behind it, else the first line of what follows. */
export function stopTextOf({ turnEnd, afterAnswer, completion, runsOn }: TemplateProbe): string | undefined {
  if (afterAnswer === undefined || completion !== undefined || runsOn) {
    return undefined;
  }
  const [marker] = markersIn(afterAnswer);
  if (turnEnd !== undefined || marker !== undefined) {
    return turnEnd ?? marker;
  }
  const line = afterAnswer.trim().split('\n')[0]?.trim();
  return line === undefined || line === '' ? undefined : line;
}
