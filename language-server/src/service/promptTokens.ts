import { estimateTokens } from '../../../src/core/modelfile/estimateTokens';
import type { BaseModel } from '../../../src/core/modelfile/modelFacts';
import { contextLimit } from '../../../src/core/modelfile/rules/conversation';
import { comparedModel } from '../../../src/core/modelfile/rules/ownTemplate';
import type { WorkspaceFacts } from '../../../src/core/modelfile/workspaceFacts';
import type { ModelfileDocument } from './modelfileDocument';

/** How long a prompt is, beside what the model can be given. */
export interface PromptTokens {
  readonly count: number;
  /** Counted by the model's own tokenizer; else estimated. */
  readonly isExact: boolean;
  /** Tokens of the context, and who says so: `num_ctx`, `Ollama’s default`. */
  readonly limit: number;
  readonly source: string;
  /** Messages from the start of the conversation that Ollama leaves out because the prompt is too long; the system message stays. */
  readonly dropped: number;
}

/** Beyond this many messages nobody renders a conversation for every one that may be left out. */
const MAX_RENDERINGS = 200;

/**
 * Counts a prompt, and what of it Ollama leaves out: from the oldest message on, until the rest fits; never the last.
 * @param messages of the conversation, the system message apart
 * @param renderFrom the prompt without the first `dropped` messages; undefined where it cannot be rendered
 */
export async function countPrompt(
  { context }: ModelfileDocument,
  base: BaseModel,
  facts: WorkspaceFacts,
  { messages, renderFrom }: { readonly messages: number; readonly renderFrom: (dropped: number) => string | undefined },
  signal?: AbortSignal,
): Promise<PromptTokens | undefined> {
  const whole = renderFrom(0);
  if (whole === undefined) {
    return undefined;
  }
  const model = comparedModel(base);
  const tokenizer = model === undefined ? undefined : await facts.tokenizer(model, signal);
  const count = (text: string): number =>
    tokenizer === undefined ? estimateTokens(text) : tokenizer.encode(text).length + (tokenizer.addsBos ? 1 : 0);
  const { limit, source } = contextLimit(context.last('num_ctx'), {
    contextLength: base.contextLength,
    numCtx: base.installed?.numCtx,
  });
  const tokens = { count: count(whole), isExact: tokenizer !== undefined, limit, source };
  let dropped = 0;
  if (tokens.count > limit) {
    const most = Math.min(messages - 1, MAX_RENDERINGS);
    while (dropped < most && count(renderFrom(dropped) ?? '') > limit) {
      signal?.throwIfAborted();
      dropped += 1;
    }
  }
  return { ...tokens, dropped };
}
