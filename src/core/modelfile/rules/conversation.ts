import { familyOf, markersIn } from '../../chatTemplate/turnMarkers';
import { edit, fix, type Fix } from '../diagnostic';
import { estimateTokens } from '../estimateTokens';
import type { Entry, LintContext } from '../lintContext';
import { readParameter } from '../parameterValue';
import { offsetInDocument } from '../scanValue';

/** What Ollama sets when the file names none, in tokens: on small GPUs and the CPU (more with more memory). */
const DEFAULT_CONTEXT = 4096;

/** SYSTEM and MESSAGE: repetitions, order, and whether they fit into the context. */
export function conversationRules(context: LintContext): void {
  systemRules(context);
  systemMarkers(context);
  messageRules(context);
}

function systemRules(context: LintContext): void {
  const systems = context.all('system');
  const last = systems.at(-1);
  for (const entry of systems) {
    if (entry !== last && last !== undefined) {
      const span = entry.instruction.keywordSpan;
      if (!context.isEnough('modelfile/system-duplicate', span)) {
        const fixes = [context.removal(entry.instruction, false, 'Remove this SYSTEM')];
        context.report('modelfile/system-duplicate', span, { line: last.line }, { fixes, tag: 'unnecessary' });
      }
    } else if (entry.command.args === '') {
      const fixes = [context.removal(entry.instruction, true)];
      context.report('modelfile/system-empty', entry.instruction.span, {}, { fixes, tag: 'unnecessary' });
    }
  }
}

/** A conversation that was written into SYSTEM with the markers of its turns. */
function systemMarkers(context: LintContext): void {
  const entry = context.last('system');
  const text = entry?.command.args ?? '';
  if (entry === undefined || text.length > LONGEST_SEARCHED) {
    return;
  }
  const marker = markersIn(text).find((one) => familyOf(one) !== undefined);
  if (marker !== undefined) {
    const start = offsetInDocument(entry.value, text.indexOf(marker));
    const span = { start, end: offsetInDocument(entry.value, text.indexOf(marker) + marker.length) };
    context.report('modelfile/system-markers', span, { marker, family: familyOf(marker)?.name });
  }
}

/** A SYSTEM of more characters is searched for nothing but its length. */
const LONGEST_SEARCHED = 256 * 1024;

function messageRules(context: LintContext): void {
  let before: string | undefined;
  let seen = false;
  for (const entry of context.all('message')) {
    const { args } = entry.command;
    const cut = args.indexOf(': ');
    const role = cut < 0 ? args : args.slice(0, cut);
    const span = entry.instruction.name?.span ?? entry.instruction.keywordSpan;
    if (cut < 0 || args.length === cut + 2) {
      context.report(
        'modelfile/message-empty',
        entry.instruction.span,
        {},
        { fixes: [context.removal(entry.instruction, false)] },
      );
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
    const reason =
      'The last message is of the user: the user’s next one follows it without an answer, and the two are joined.';
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
  return role === 'system' && seen
    ? 'A system message in mid-conversation: most templates put it at the start, or drop it.'
    : undefined;
}

/**
 * What the file sends with every conversation, against the context that it will have.
 * @param base the context length of the model and the num_ctx that it brings, where they are known
 */
export function contextOverflow(
  context: LintContext,
  base: { readonly contextLength?: number | undefined; readonly numCtx?: number | undefined } = {},
): void {
  const system = context.last('system');
  const messages = context.all('message');
  const first = system ?? messages[0];
  if (first === undefined) {
    return;
  }
  const tokens = [...(system === undefined ? [] : [system]), ...messages].reduce(
    (sum, entry) => sum + estimateTokens(entry.command.args),
    0,
  );
  const numCtx = context.last('num_ctx');
  const { limit, source } = contextLimit(numCtx, base);
  if (tokens <= limit) {
    return;
  }
  const what =
    messages.length === 0 ? 'SYSTEM' : system === undefined ? 'All MESSAGEs together' : 'SYSTEM with the MESSAGEs';
  const wanted = 2 ** Math.ceil(Math.log2(tokens + ROOM_TO_ANSWER));
  const isPossible = base.contextLength === undefined || base.contextLength <= 0 || wanted <= base.contextLength;
  const advice = isPossible
    ? `Set PARAMETER num_ctx to at least ${wanted}.`
    : 'Shorten it, or take a model with a longer context.';
  const fixes = isPossible ? [setContext(context, first, numCtx, wanted)] : [];
  context.report(
    'modelfile/context-overflow',
    first.instruction.keywordSpan,
    { what, tokens, limit, source, advice },
    { fixes },
  );
}

/** Tokens that a question and its answer should have at the least. */
const ROOM_TO_ANSWER = 1024;

function setContext(context: LintContext, before: Entry, numCtx: Entry | undefined, tokens: number): Fix {
  const { start } = before.instruction.span;
  const change =
    numCtx === undefined
      ? edit({ start, end: start }, `PARAMETER num_ctx ${tokens}${context.newline}`)
      : edit(numCtx.value.span, String(tokens));
  return fix(`Set num_ctx to ${tokens}`, false, change);
}

/** How many tokens a conversation may have, and who says so. */
export function contextLimit(
  entry: Entry | undefined,
  { contextLength, numCtx }: { readonly contextLength?: number | undefined; readonly numCtx?: number | undefined },
): { limit: number; source: string } {
  const read = entry === undefined ? undefined : readParameter('num_ctx', entry.command.args);
  const asked = read?.kind === 'value' && read.value.type === 'int' ? Number(read.value.value) : undefined;
  const inherited =
    numCtx === undefined
      ? { limit: DEFAULT_CONTEXT, source: 'Ollama’s default' }
      : { limit: numCtx, source: 'num_ctx of the base' };
  const own = asked !== undefined && asked > 0 ? { limit: asked, source: 'num_ctx' } : inherited;
  return contextLength !== undefined && contextLength > 0 && contextLength < own.limit
    ? { limit: contextLength, source: 'all that the model has' }
    : own;
}
