import { parseTemplate } from '../../../src/core/goTemplate/parseTemplate';
import type { ReportedDifference } from '../../../src/core/chatTemplate/templateReport';
import { markCharacters, markTokens, type MarkedPair } from '../../../src/core/chatTemplate/markDifference';
import { readBaseModel } from '../../../src/core/modelfile/modelFacts';
import { comparedModel } from '../../../src/core/modelfile/rules/ownTemplate';
import type { PromptTokenizer, WorkspaceFacts } from '../../../src/core/modelfile/workspaceFacts';
import type { ModelfileDocument } from './modelfileDocument';

/** One conversation of the standard ones, as the model's own template writes it and as TEMPLATE does. */
export interface ShownDifference {
  readonly conversation: string;
  readonly meaning: string;
  readonly isGrave: boolean;
  readonly characters: MarkedPair;
  /** Undefined where no tokenizer is at hand. */
  readonly tokens?: MarkedPair | undefined;
}

/** TEMPLATE beside the model's own. */
export interface TemplateDifferences {
  /**
   * `compared`; `no-template`: the file has none; `no-model`: what FROM names is not here, or has no template of its own;
   * `unreadable`: TEMPLATE does not parse; `unrendered`: the model's own template renders none of the conversations.
   */
  readonly state: 'compared' | 'no-template' | 'no-model' | 'unreadable' | 'unrendered';
  /** What the model's own is: a sentence's subject. */
  readonly own: string;
  /** Conversations that were compared. */
  readonly compared: number;
  /** Gravest first; none where the prompts are the same. */
  readonly differences: readonly ShownDifference[];
}

/** Of longer prompts the comparison by token is left out; the standard conversations are far shorter. */
const LONGEST = 20_000;

/** Renders the standard conversations by TEMPLATE and by the model's own template, and marks what differs. Waits for the rendering. */
export async function computeTemplateDifferences(
  document: ModelfileDocument,
  facts: WorkspaceFacts,
  signal?: AbortSignal,
): Promise<TemplateDifferences> {
  const { context } = document;
  const none = (state: TemplateDifferences['state']): TemplateDifferences => ({
    state,
    own: '',
    compared: 0,
    differences: [],
  });
  const template = context.last('template')?.command.args ?? '';
  if (template === '') {
    return none('no-template');
  }
  const model = comparedModel(await readBaseModel(context, facts, signal));
  const report = model === undefined ? undefined : await facts.compareTemplate(model, template, signal);
  if (model === undefined || report === undefined) {
    return none(parseTemplate(template).ok ? 'no-model' : 'unreadable');
  }
  if (report.compared === 0) {
    return none('unrendered');
  }
  const tokenizer = report.differences.length === 0 ? undefined : await facts.tokenizer(model, signal);
  return {
    state: 'compared',
    own: report.own,
    compared: report.compared,
    differences: report.differences.map((difference) => shown(difference, tokenizer)),
  };
}

function shown(
  { conversation, meaning, isGrave, expected, found }: ReportedDifference,
  tokenizer: PromptTokenizer | undefined,
): ShownDifference {
  const isShort = Math.max(expected.length, found.length) <= LONGEST;
  return {
    conversation,
    meaning,
    isGrave,
    characters: markCharacters(expected, found),
    tokens:
      tokenizer !== undefined && isShort ? markTokens(tokenizer.encode(expected), tokenizer.encode(found)) : undefined,
  };
}
