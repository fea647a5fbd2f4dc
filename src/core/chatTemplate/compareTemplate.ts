import { executeTemplate } from '../goTemplate/executeTemplate';
import { parseTemplate } from '../goTemplate/parseTemplate';
import type { ChatFormat, Conversation, JinjaAnswer, JinjaRenderer } from './chatFormat';
import { applies, CHECK_CONVERSATIONS, isPrefill } from './checkConversations';
import { comparableText, jinjaRequest, templateValues } from './conversationValues';

/** A conversation that a TEMPLATE renders otherwise than the model's Jinja template. */
export interface TemplateDifference {
  readonly conversation: string;
  /**
   * `trim`: but for white space at the ends of messages, which the Jinja takes off and no template of Ollama can; `json`: but for
   * spaces or the order of keys in JSON; `text`: anything else; `error`: the TEMPLATE fails.
   */
  readonly kind: 'trim' | 'json' | 'text' | 'error';
  /** Where they part, in characters of the prompt. */
  readonly at: number;
  /** A few characters of both from there on; of an error, its text. */
  readonly expected: string;
  readonly found: string;
}

export interface TemplateComparison {
  /** Names of the conversations that count for this model and that its Jinja template renders. */
  readonly compared: readonly string[];
  readonly differences: readonly TemplateDifference[];
  /** Conversations that the Jinja template refuses, with its words: about them it says nothing. */
  readonly refused: readonly { readonly conversation: string; readonly error: string }[];
}

/** What the Jinja template makes of every conversation that is about something it knows; rendered once, compared with many candidates. */
export interface Expectations {
  readonly now: number;
  readonly cases: readonly { readonly conversation: Conversation; readonly answer: JinjaAnswer }[];
}

export interface ExpectationOptions {
  /** Milliseconds: the moment for templates that write a date. */
  readonly now: number;
  readonly tools: boolean;
  readonly thinking: boolean;
}

/** Renders the check conversations by the model's own template. */
export async function renderExpectations(
  format: ChatFormat & { readonly jinja: string },
  render: JinjaRenderer,
  options: ExpectationOptions,
  signal?: AbortSignal,
): Promise<Expectations> {
  const chosen = CHECK_CONVERSATIONS.filter((conversation) => applies(conversation, options));
  const cases: { conversation: Conversation; answer: JinjaAnswer }[] = [];
  const { jinja, toolJinja = jinja } = format;
  // One call for both kinds where one template serves both.
  for (const template of new Set([jinja, toolJinja])) {
    const own = chosen.filter(({ tools }) => (tools === undefined ? jinja : toolJinja) === template);
    const answers =
      own.length === 0
        ? []
        : await render(
            template,
            own.map((conversation) => jinjaRequest(format, conversation, options.now)),
            signal,
          );
    own.forEach((conversation, index) => {
      const answer = answers[index] ?? { ok: false, error: 'not rendered' };
      cases.push({
        conversation,
        answer: answer.ok ? { ok: true, text: comparableText(answer.text, format, conversation) } : answer,
      });
    });
  }
  return { now: options.now, cases };
}

/** Compares what our evaluator, which is Ollama's, makes of a Go template with what the Jinja template made. */
export function compareTemplate(text: string, expectations: Expectations): TemplateComparison {
  const parsed = parseTemplate(text);
  const compared: string[] = [];
  const differences: TemplateDifference[] = [];
  const refused: { conversation: string; error: string }[] = [];
  for (const { conversation, answer } of expectations.cases) {
    if (!answer.ok) {
      refused.push({ conversation: conversation.name, error: answer.error });
      continue;
    }
    compared.push(conversation.name);
    const run = parsed.ok
      ? executeTemplate(parsed.template, templateValues(conversation), {
          now: new Date(expectations.now),
          budget: BUDGET,
        })
      : parsed;
    const found = run.ok ? comparableEnd(run.text, conversation) : run.error;
    if (!run.ok || found !== answer.text) {
      differences.push(difference(conversation, answer.text, found, run.ok));
    }
  }
  return { compared, differences, refused };
}

const BUDGET = { steps: 200_000, depth: 300, bytes: 1024 * 1024 };
const SHOWN = 60;

/** A prefill's last white space stands before what the model goes on with, and nobody compares that. */
function comparableEnd(text: string, conversation: Conversation): string {
  return isPrefill(conversation) ? text.trimEnd() : text;
}

function difference(
  { name, messages }: Conversation,
  expected: string,
  found: string,
  rendered: boolean,
): TemplateDifference {
  let at = 0;
  while (at < expected.length && expected[at] === found[at]) {
    at += 1;
  }
  const shown = (text: string): string => text.slice(Math.max(at - 10, 0), at + SHOWN);
  if (!rendered) {
    return { conversation: name, kind: 'error', at: 0, expected: expected.slice(0, SHOWN), found };
  }
  const trimmed = (text: string): string =>
    messages.reduce(
      (all, { content }) => all.replace(new RegExp(`\\s*${escaped(content.trim())}\\s*`, 'g'), content.trim()),
      text,
    );
  const kind =
    messages.some(({ content }) => content !== content.trim()) && trimmed(found) === trimmed(expected)
      ? 'trim'
      : sameButJson(expected, found)
        ? 'json'
        : 'text';
  return { conversation: name, kind, at, expected: shown(expected), found: shown(found) };
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Whether texts are the same once white space and the order of keys in their JSON are left out of account. */
function sameButJson(a: string, b: string): boolean {
  const characters = (text: string): string =>
    Array.from(
      text
        .replace(/\\u003c/g, '<')
        .replace(/\\u003e/g, '>')
        .replace(/\\u0026/g, '&')
        .replace(/[\s,]/g, ''),
    )
      .sort()
      .join('');
  return (
    a.includes('{') &&
    a.replace(/[{[][\s\S]*[\]}]/, '') === b.replace(/[{[][\s\S]*[\]}]/, '') &&
    characters(a) === characters(b)
  );
}
