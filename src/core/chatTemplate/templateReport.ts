import { executeTemplate } from '../goTemplate/executeTemplate';
import { parseTemplate } from '../goTemplate/parseTemplate';
import type { Conversation } from './chatFormat';
import { isPrefill } from './checkConversations';
import type { Expectations } from './compareTemplate';
import { templateValues } from './conversationValues';
import { barePrompt, explainDifference, type Explanation } from './explainDifference';

/** One conversation that two templates write otherwise. */
export interface ReportedDifference extends Explanation {
  readonly conversation: string;
  /** The prompts themselves, without outer white space and BOS. */
  readonly expected: string;
  readonly found: string;
}

/** A TEMPLATE beside the template that the model was trained with. */
export interface TemplateReport {
  /** Differences that mean something, gravest first, one of each kind; none where the prompts are the same. */
  readonly differences: readonly ReportedDifference[];
  /** Conversations that were compared. */
  readonly compared: number;
  /** What the model's own is: a sentence's subject. */
  readonly own: string;
}

/** Odd conversations (empty, white space at the ends, text that looks like a template) say more of the engines than of a template. */
const TELLING = /^(?:one question|system and question|several turns|system and several turns|thinking in the history)$/;
const BUDGET = { steps: 200_000, depth: 300, bytes: 1024 * 1024 };

/**
 * What a Go template writes otherwise than the model's own template, over the standard conversations without tools.
 * @param bos text of the token that begins a text, where it is known
 */
export function templateReport(
  text: string,
  expectations: Expectations,
  { bos, own }: { readonly bos?: string | undefined; readonly own: string },
): TemplateReport | undefined {
  const parsed = parseTemplate(text);
  if (!parsed.ok) {
    return undefined;
  }
  const found: ReportedDifference[] = [];
  let compared = 0;
  for (const { conversation, answer } of expectations.cases) {
    if (!answer.ok || !isTelling(conversation)) {
      continue;
    }
    compared += 1;
    const run = executeTemplate(parsed.template, templateValues(conversation), {
      now: new Date(expectations.now),
      budget: BUDGET,
    });
    const expected = barePrompt(answer.text, bos);
    if (!run.ok) {
      const meaning = `it fails: ${run.error}`;
      found.push({
        conversation: conversation.name,
        kind: 'error',
        meaning,
        isGrave: true,
        at: 0,
        expected,
        found: '',
      });
      continue;
    }
    const ours = barePrompt(run.text, bos);
    const explanation = explainDifference(expected, ours, conversation);
    if (explanation !== undefined) {
      found.push({ ...explanation, conversation: conversation.name, expected, found: ours });
    }
  }
  return { differences: oneOfEach(found), compared, own };
}

const isTelling = (conversation: Conversation): boolean => TELLING.test(conversation.name) && !isPrefill(conversation);

function oneOfEach(found: readonly ReportedDifference[]): readonly ReportedDifference[] {
  const first = new Map<string, ReportedDifference>();
  for (const difference of found) {
    const key = `${difference.kind} ${difference.kind === 'text' ? difference.meaning : ''}`;
    first.set(key, first.get(key) ?? difference);
  }
  return [...first.values()].sort((a, b) => Number(b.isGrave) - Number(a.isGrave));
}
