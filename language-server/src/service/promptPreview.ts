import { readBaseModel, type BaseModel } from '../../../src/core/modelfile/modelFacts';
import type { WorkspaceFacts } from '../../../src/core/modelfile/workspaceFacts';
import { prefersJinja } from '../../../src/core/chatTemplate/templateChoice';
import { markSpecialTokens, type PromptPart } from '../../../src/core/goTemplate/markSpecialTokens';
import { parseTemplate, type ParsedTemplate } from '../../../src/core/goTemplate/parseTemplate';
import { renderConversation, type RenderedConversation } from '../../../src/core/goTemplate/renderConversations';
import {
  PAST_THOUGHT,
  SAMPLE_TOOL,
  sampleConversation,
  type SampleConversation,
} from '../../../src/core/goTemplate/sampleConversations';
import type { OrderedJson } from '../../../src/core/goTemplate/ollama/orderedJson';
import { sampleQuestion } from '../../../src/core/goTemplate/sampleQuestion';
import { countPrompt, type PromptTokens } from './promptTokens';
import type { ModelfileDocument } from './modelfileDocument';

/** What the prompt of a Modelfile is made with. */
export interface PromptPreviewRequest {
  readonly conversation: SampleConversation;
  /** The user's last word; one that fits the file where nobody wrote one. */
  readonly question?: string | undefined;
}

/** Which text made the prompt, and what Ollama would do otherwise. */
export interface PromptPreview {
  /** `template`: TEMPLATE of the Modelfile; `base`: the template of the installed model that FROM names; `none`: there is no Go template to render. */
  readonly source: 'template' | 'base' | 'none';
  readonly parts?: readonly PromptPart[] | undefined;
  /** The user's last word, given or chosen. */
  readonly question: string;
  readonly tokens?: PromptTokens | undefined;
  readonly error?: { readonly message: string; readonly line?: number | undefined } | undefined;
  /** Remarks, most important first. */
  readonly notes: readonly (
    | 'renderer'
    | 'jinja-preferred'
    | 'jinja-only'
    | 'base-unknown'
    | 'no-template'
    | 'tools-unwritten'
    | 'thinking-unwritten'
  )[];
}

const BUDGET = { steps: 500_000, depth: 500, bytes: 1024 * 1024 };

/** The prompt that Ollama would make of a conversation with this Modelfile's TEMPLATE, SYSTEM and MESSAGE lines. */
export async function computePromptPreview(
  document: ModelfileDocument,
  request: PromptPreviewRequest,
  facts: WorkspaceFacts,
  signal?: AbortSignal,
): Promise<PromptPreview> {
  const { context } = document;
  const base = await readBaseModel(context, facts, signal);
  const system = context.last('system')?.command.args;
  const history = context.all('message').map(({ command }) => splitMessage(command.args));
  const question = request.question ?? sampleQuestion(system, history);
  const own = context.last('template')?.command.args;
  const source =
    own !== undefined && own !== '' ? 'template' : base.installed?.template !== undefined ? 'base' : 'none';
  const text = source === 'template' ? own : source === 'base' ? base.installed?.template : undefined;
  const hasRenderer =
    ['renderer', 'parser'].some((name) => context.last(name) !== undefined) ||
    base.installed?.renderer !== undefined ||
    base.installed?.parser !== undefined;
  if (text === undefined) {
    return {
      source,
      question,
      notes: [
        ...(hasRenderer ? (['renderer'] as const) : []),
        base.chatTemplate !== undefined ? 'jinja-only' : base.isKnown ? 'no-template' : 'base-unknown',
      ],
    };
  }
  const parsed = parseTemplate(text);
  if (!parsed.ok) {
    return { source, question, notes: [], error: goError(parsed.error) };
  }
  const notes: PromptPreview['notes'][number][] = hasRenderer
    ? ['renderer']
    : jinjaWins(base, parsed.template)
      ? ['jinja-preferred']
      : [];
  const render = (kind: SampleConversation, dropped = 0): RenderedConversation =>
    renderConversation(parsed.template, withoutFirst(sampleConversation(kind, question, system, history), dropped), {
      budget: BUDGET,
    });
  const rendered = render(request.conversation);
  if (!rendered.ok) {
    return {
      source,
      question,
      notes,
      error: { ...goError(rendered.error), ...(rendered.line === undefined ? {} : { line: rendered.line }) },
    };
  }
  const unwritten = unwrittenPart(request.conversation, rendered.text, (kind) => {
    const other = render(kind);
    return other.ok ? other.text : undefined;
  });
  const tokens = await countPrompt(
    document,
    base,
    facts,
    {
      messages: messagesOf(sampleConversation(request.conversation, question, undefined, history)).length,
      renderFrom: (dropped) => {
        const shorter = dropped === 0 ? rendered : render(request.conversation, dropped);
        return shorter.ok ? shorter.text : undefined;
      },
    },
    signal,
  );
  return {
    source,
    question,
    notes: unwritten === undefined ? notes : [...notes, unwritten],
    parts: markSpecialTokens(rendered.text),
    tokens,
  };
}

/** What a conversation is about and the prompt does not show. */
function unwrittenPart(
  kind: SampleConversation,
  text: string,
  render: (kind: SampleConversation) => string | undefined,
): 'tools-unwritten' | 'thinking-unwritten' | undefined {
  switch (kind) {
    case 'tools':
    case 'toolAnswer':
      return text.includes(SAMPLE_TOOL) ? undefined : 'tools-unwritten';
    case 'thinking':
    case 'thinkingOff':
      return render('thinking') === render('thinkingOff') ? 'thinking-unwritten' : undefined;
    case 'pastThinking':
      return text.includes(PAST_THOUGHT) ? undefined : 'thinking-unwritten';
    default:
      return undefined;
  }
}

function messagesOf(conversation: OrderedJson): readonly OrderedJson[] {
  const messages = conversation instanceof Map ? (conversation.get('messages') as OrderedJson) : undefined;
  return Array.isArray(messages) ? (messages as readonly OrderedJson[]) : [];
}

/** A conversation without its first messages; system messages stay, as Ollama keeps them. */
function withoutFirst(conversation: OrderedJson, dropped: number): OrderedJson {
  if (dropped === 0 || !(conversation instanceof Map)) {
    return conversation;
  }
  let left = dropped;
  const messages = messagesOf(conversation).filter((message) => {
    const isSystem = message instanceof Map && message.get('role') === 'system';
    if (isSystem || left === 0) {
      return true;
    }
    left -= 1;
    return false;
  });
  return new Map([...conversation, ['messages', messages]]) as OrderedJson;
}

function jinjaWins(base: BaseModel, template: ParsedTemplate): boolean {
  return base.chatTemplate !== undefined && prefersJinja(base.chatTemplate, template);
}

/** `role: text`, as Ollama's parser joins them. */
function splitMessage(args: string): { readonly role: string; readonly content: string } {
  const at = args.indexOf(': ');
  return at < 0 ? { role: 'user', content: args } : { role: args.slice(0, at), content: args.slice(at + 2) };
}

/** Go's own words without the place that it puts before them: `template: :3:12: …`. */
function goError(error: string): { readonly message: string; readonly line?: number } {
  const place = /^template: [^:]*:(\d+)(?::\d+)?: /.exec(error);
  return place === null ? { message: error } : { message: error.slice(place[0].length), line: Number(place[1]) };
}
