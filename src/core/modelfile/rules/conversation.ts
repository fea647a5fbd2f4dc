import { edit, fix } from '../diagnostic';
import { estimateTokens } from '../estimateTokens';
import type { Entry, LintContext } from '../lintContext';
import { DEFAULT_CONTEXT } from '../ollamaFeatures';
import { readParameter } from '../parameterValue';

/** SYSTEM and MESSAGE: repetitions, order, and whether they fit into the context. */
export function conversationRules(context: LintContext): void {
  systemRules(context);
  messageRules(context);
}

function systemRules(context: LintContext): void {
  const systems = context.all('system');
  const last = systems.at(-1);
  for (const entry of systems) {
    if (entry !== last && last !== undefined) {
      const fixes = [fix('Remove this SYSTEM', false, edit(context.linesOf(entry.instruction), ''))];
      context.report('modelfile/system-duplicate', entry.instruction.keywordSpan, { line: last.line }, { fixes, tag: 'unnecessary' });
    } else if (entry.command.args === '') {
      const fixes = [fix('Remove this line', true, edit(context.linesOf(entry.instruction), ''))];
      context.report('modelfile/system-empty', entry.instruction.span, {}, { fixes, tag: 'unnecessary' });
    }
  }
}

function messageRules(context: LintContext): void {
  let before: string | undefined;
  let seen = false;
  for (const entry of context.all('message')) {
    const { args } = entry.command;
    const cut = args.indexOf(': ');
    const role = cut < 0 ? args : args.slice(0, cut);
    const span = entry.instruction.name?.span ?? entry.instruction.keywordSpan;
    if (cut < 0 || args.length === cut + 2) {
      context.report('modelfile/message-empty', entry.instruction.span);
    }
    const reason = orderProblem(role, before, seen);
    if (reason !== undefined) {
      context.report('modelfile/message-order', span, { reason });
    }
    seen ||= role !== 'system';
    before = role;
  }
  const last = context.last('message');
  if (before === 'user' && last !== undefined) {
    const reason = 'The last message is of the user: the user’s next one follows it without an answer, and the two are joined.';
    context.report('modelfile/message-order', last.instruction.name?.span ?? last.instruction.keywordSpan, { reason });
  }
}

function orderProblem(role: string, before: string | undefined, seen: boolean): string | undefined {
  if (role === 'assistant' && !seen) {
    return 'The conversation begins with the assistant; most templates expect the user first.';
  }
  if (role === before && role !== 'system') {
    return `Two messages of the ${role} in a row are joined into one.`;
  }
  return role === 'system' && seen ? 'A system message in mid-conversation: most templates put it at the start, or drop it.' : undefined;
}

/** What the file sends with every conversation, against the context that it will have. */
export function contextOverflow(context: LintContext, modelLimit: number | undefined): void {
  const system = context.last('system');
  const messages = context.all('message');
  const first = system ?? messages[0];
  if (first === undefined) {
    return;
  }
  const tokens = [...(system === undefined ? [] : [system]), ...messages].reduce((sum, entry) => sum + estimateTokens(entry.command.args), 0);
  const { limit, source } = contextLimit(context.last('num_ctx'), modelLimit);
  if (tokens <= limit) {
    return;
  }
  const what = messages.length === 0 ? 'SYSTEM' : system === undefined ? 'All MESSAGEs together' : 'SYSTEM with the MESSAGEs';
  const suggestion = 2 ** Math.ceil(Math.log2(tokens + 1024));
  context.report('modelfile/context-overflow', first.instruction.keywordSpan, { what, tokens, limit, source, suggestion });
}

function contextLimit(numCtx: Entry | undefined, modelLimit: number | undefined): { limit: number; source: string } {
  const read = numCtx === undefined ? undefined : readParameter('num_ctx', numCtx.command.args);
  const asked = read?.kind === 'value' && read.value.type === 'int' ? Number(read.value.value) : undefined;
  const own = asked !== undefined && asked > 0 ? { limit: asked, source: 'num_ctx' } : { limit: DEFAULT_CONTEXT, source: 'Ollama’s default' };
  return modelLimit !== undefined && modelLimit > 0 && modelLimit < own.limit ? { limit: modelLimit, source: 'all that the model has' } : own;
}
