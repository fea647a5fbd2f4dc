import { StudioError, throwIfAborted, toStudioError, type ErrorJson } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { fromByteString } from '../../core/golang/byteString';
import { parseModelfile } from '../../core/modelfile/parseModelfile';
import type { OrderedJson } from '../../core/goTemplate/ollama/orderedJson';
import { parseOrderedJson } from '../../core/goTemplate/ollama/orderedJson';
import { parseTemplate } from '../../core/goTemplate/parseTemplate';
import {
  namedConversations,
  renderConversation,
  type RenderedConversation,
} from '../../core/goTemplate/renderConversations';
import { readSmallFile } from '../../node/files/textFile';
import { judgedFor, type OllamaProfile } from '../../core/ollama/ollamaProfile';
import { profileJson, profileOf, type ModelfileCommandArgs, type ModelfileCommandResult } from './parse';

export interface RenderCommandArgs extends ModelfileCommandArgs {
  /** The file of `--conversations`. */
  readonly conversations: string;
}

/** One entry of `render --json`. */
type RenderedFile =
  | { readonly path: string; readonly ok: true; readonly rendered: Readonly<Record<string, RenderedConversation>> }
  | { readonly path: string; readonly ok: false; readonly error: string | ErrorJson; readonly line?: number };

/**
 * `render FILE… --conversations F.json`: the prompts that Ollama makes of a template, or of a Modelfile's TEMPLATE.
 * Throws what is wrong with the conversations; what is wrong with a file is in its entry.
 */
export async function renderCommand(args: RenderCommandArgs): Promise<ModelfileCommandResult> {
  const conversations = await readConversations(args.conversations, args.signal);
  const profile = await profileOf(args);
  const files: RenderedFile[] = [];
  for (const path of args.paths) {
    files.push(await renderFile(path, conversations, profile, args.signal));
  }
  return {
    exitCode: files.every(succeeded) ? 0 : 1,
    json: { ollama: profileJson(profile), files },
    text: [...files.map(describe), judgedFor(profile)].join('\n'),
  };
}

async function readConversations(path: string, signal: AbortSignal): Promise<ReadonlyMap<string, OrderedJson>> {
  // As Go reads JSON: what is no UTF-8 becomes one U+FFFD a byte; a byte order mark, which Go refuses, is let pass.
  const text = fromByteString(latin1(await readSmallFile(path, signal))).replace(/^\ufeff/, '');
  try {
    return namedConversations(parseOrderedJson(text));
  } catch (thrown) {
    throw toStudioError(thrown).at(path);
  }
}

async function renderFile(
  path: string,
  conversations: ReadonlyMap<string, OrderedJson>,
  profile: OllamaProfile,
  signal: AbortSignal,
): Promise<RenderedFile> {
  try {
    const source = templateText(path, await readSmallFile(path, signal));
    if (!source.ok) {
      return { path, ...source };
    }
    const parsed = parseTemplate(source.text, (name) => profile.has('templateFunction', name));
    if (!parsed.ok) {
      return { path, ok: false, error: parsed.error, line: parsed.line };
    }
    const rendered = Array.from(
      conversations,
      ([name, values]) => [name, renderConversation(parsed.template, values)] as const,
    );
    return { path, ok: true, rendered: Object.fromEntries(rendered) };
  } catch (thrown) {
    throwIfAborted(signal);
    return { path, ok: false, error: toStudioError(thrown).at(path).toJSON() };
  }
}

type Source =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly error: string; readonly line?: number };

/** A template file's text as Go reads it, or the TEMPLATE that counts in a Modelfile: its last one. */
function templateText(path: string, bytes: Uint8Array): Source {
  if (/\.(?:gotmpl|tmpl|txt)$/i.test(path)) {
    return { ok: true, text: fromByteString(latin1(bytes)) };
  }
  const { verdict } = parseModelfile(bytes);
  if (!verdict.ok) {
    return { ok: false, error: verdict.error, ...(verdict.line === undefined ? {} : { line: verdict.line }) };
  }
  const text = verdict.commands.findLast(({ name }) => name === 'template')?.args;
  if (text === undefined || text === '') {
    throw new StudioError(
      'template/missing',
      'This Modelfile has no TEMPLATE: Ollama takes that of the model it is made from. Add one, or render a template file (.gotmpl, .tmpl, .txt).',
      { path },
    );
  }
  return { ok: true, text };
}

function latin1(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192) {
    pieces.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  }
  return pieces.join('');
}

function succeeded(file: RenderedFile): boolean {
  return file.ok && Object.values(file.rendered).every(({ ok }) => ok);
}

/** For people: every prompt under its file and conversation, control characters but newlines made visible. */
function describe(file: RenderedFile): string {
  const path = escapeControls(file.path);
  if (!file.ok) {
    return `${path}: ${escapeControls(typeof file.error === 'string' ? file.error : file.error.message)}`;
  }
  return Object.entries(file.rendered)
    .map(([name, result]) => {
      const head = `${path} · ${escapeControls(name)}:`;
      return result.ok
        ? `${head}\n${result.text.split('\n').map(escapeControls).join('\n')}`
        : `${head} ${escapeControls(result.error)}`;
    })
    .join('\n');
}
