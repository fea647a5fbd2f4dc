import { readBaseModel, type BaseModel } from '../../../src/core/modelfile/modelFacts';
import type { WorkspaceFacts } from '../../../src/core/modelfile/workspaceFacts';
import { prefersJinja } from '../../../src/core/chatTemplate/templateChoice';
import { markSpecialTokens, type PromptPart } from '../../../src/core/goTemplate/markSpecialTokens';
import { parseTemplate, type ParsedTemplate } from '../../../src/core/goTemplate/parseTemplate';
import { renderConversation } from '../../../src/core/goTemplate/renderConversations';
import { sampleConversation, type SampleConversation } from '../../../src/core/goTemplate/sampleConversations';
import type { ModelfileDocument } from './modelfileDocument';

/** What the prompt of a Modelfile is made with. */
export interface PromptPreviewRequest {
  readonly conversation: SampleConversation;
  /** The user's last word. */
  readonly question: string;
}

/** Which text made the prompt, and what Ollama would do otherwise. */
export interface PromptPreview {
  /** `template`: TEMPLATE of the Modelfile; `base`: the template of the installed model that FROM names; `none`: there is no Go template to render. */
  readonly source: 'template' | 'base' | 'none';
  readonly parts?: readonly PromptPart[] | undefined;
  readonly error?: { readonly message: string; readonly line?: number | undefined } | undefined;
  /** Remarks, most important first. */
  readonly notes: readonly ('renderer' | 'jinja-preferred' | 'jinja-only' | 'base-unknown' | 'no-template')[];
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
      notes: [
        ...(hasRenderer ? (['renderer'] as const) : []),
        base.chatTemplate !== undefined ? 'jinja-only' : base.isKnown ? 'no-template' : 'base-unknown',
      ],
    };
  }
  const parsed = parseTemplate(text);
  if (!parsed.ok) {
    return { source, notes: [], error: goError(parsed.error) };
  }
  const notes = hasRenderer
    ? (['renderer'] as const)
    : jinjaWins(base, parsed.template)
      ? (['jinja-preferred'] as const)
      : [];
  const history = context.all('message').map(({ command }) => splitMessage(command.args));
  const conversation = sampleConversation(
    request.conversation,
    request.question,
    context.last('system')?.command.args,
    history,
  );
  const rendered = renderConversation(parsed.template, conversation, { budget: BUDGET });
  return rendered.ok
    ? { source, notes, parts: markSpecialTokens(rendered.text) }
    : {
        source,
        notes,
        error: { ...goError(rendered.error), ...(rendered.line === undefined ? {} : { line: rendered.line }) },
      };
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
