import { isDeepStrictEqual } from 'node:util';
import { CONVERSATIONS } from '../goTemplate/conversations';
import { EXECUTIONS } from '../goTemplate/executions';
import { FAULTS } from '../goTemplate/faults';
import { SHAPES } from '../goTemplate/shapes';
import { answerTemplate, comparable, type Rendered, type TemplateAnswer } from './compareTemplate';
import { ConversationGenerator } from './conversationGenerator';
import type { FuzzKind, Verdict } from './fuzz';
import type { GoOracle } from './goOracle';
import { Random } from './random';
import { mutateTemplate, TemplateGenerator } from './templateGenerator';

interface Question {
  readonly text: string;
  readonly values: readonly unknown[];
}

type OracleTemplateAnswer = TemplateAnswer & {
  readonly timeout?: true;
  readonly panic?: string;
  readonly failure?: string;
};

const SECONDS = 5;
const WRITTEN = [...SHAPES, ...SHAPES, ...EXECUTIONS, ...FAULTS];
const CONVERSATION_LIST = Object.values(CONVERSATIONS);
const WITH_TOOLS = {
  messages: [{ role: 'user', content: 'é\n' }],
  tools: [
    {
      type: 'function',
      function: { name: 'f', parameters: { type: 'object', properties: { a: { type: 'string' } } } },
    },
  ],
};

/** Generated templates with generated conversations, single expressions, and mutations of both and of templates written by hand. */
export const templateKind: FuzzKind<Question> = {
  name: 'templates',
  make: (seed) => question(new Random(seed)),
  compare: compareTemplates,
  pieces: ({ text }) => Array.from(text),
  withPieces: ({ values }, pieces) => ({ text: pieces.join(''), values }),
  show: ({ text, values }) => ({ text, values }),
};

function question(random: Random): Question {
  const kind = random.below(10);
  if (kind < 4) {
    const text = new TemplateGenerator(random, 0.0005).template();
    const values = random.times(1, 2, () => new ConversationGenerator(random).values());
    return { text: random.chance(0.03) ? mutateTemplate(random, text) : text, values };
  }
  if (kind < 6) {
    return {
      text: `{{ if .Messages }}${new TemplateGenerator(random, 0).expression()}{{ end }}`,
      values: [WITH_TOOLS],
    };
  }
  if (kind < 8) {
    return {
      text: mutateTemplate(random, random.pick(WRITTEN)),
      values: [random.pick(CONVERSATION_LIST), new ConversationGenerator(random).values()],
    };
  }
  const text = new TemplateGenerator(random, 0.03).template();
  return { text: random.chance(0.6) ? mutateTemplate(random, text) : text, values: [random.pick(CONVERSATION_LIST)] };
}

async function compareTemplates({ text, values }: Question, oracle: GoOracle): Promise<Verdict> {
  const theirs = (await oracle.ask({
    op: 'template',
    text,
    values,
    seconds: SECONDS,
  })) as unknown as OracleTemplateAnswer;
  if (theirs.timeout === true) {
    return { outcomes: ['no verdict in time'] };
  }
  const ours = answerTemplate(text, values);
  if (!ours.ok || !theirs.ok) {
    const same = !ours.ok && !theirs.ok && ours.error === theirs.error;
    return { outcomes: ['refused'], ...(same ? {} : { difference: { ours, theirs } }) };
  }
  if (!isDeepStrictEqual(ours.vars, theirs.vars)) {
    return { outcomes: [], difference: { ours: ours.vars, theirs: theirs.vars } };
  }
  const results = ours.rendered.map((mine, index) => compareRendered(mine, theirs.rendered[index]));
  const different = results.find(({ difference }) => difference !== undefined);
  return { ...different, outcomes: results.flatMap(({ outcomes }) => outcomes) };
}

function compareRendered(mine: Rendered, other: Rendered | undefined): Verdict {
  if (other === undefined) {
    return { outcomes: [], difference: { ours: mine, theirs: 'nothing' } };
  }
  const pair = comparable(mine, other);
  if (pair === undefined) {
    return { outcomes: ['not comparable'] };
  }
  const [ours, theirs] = pair;
  return {
    outcomes: [theirs.ok ? 'rendered' : 'failed'],
    ...(isDeepStrictEqual(ours, theirs) ? {} : { difference: { ours, theirs } }),
  };
}
