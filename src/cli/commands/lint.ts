import { StudioError, throwIfAborted, toStudioError, type ErrorJson } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { fixAll } from '../../core/modelfile/applyFixes';
import { decodeModelfile } from '../../core/modelfile/decodeModelfile';
import type { Diagnostic } from '../../core/modelfile/diagnostic';
import { encodeModelfile } from '../../core/modelfile/encodeModelfile';
import { LineIndex } from '../../core/modelfile/lineIndex';
import { lintModelfile } from '../../core/modelfile/lintModelfile';
import { parseModelfile } from '../../core/modelfile/parseModelfile';
import { sarifLog, type LintedFile } from '../../core/modelfile/sarif';
import type { WorkspaceFacts } from '../../core/modelfile/workspaceFacts';
import { TemplateComparer } from '../../node/jinja/templateComparer';
import { OllamaFacts } from '../../node/modelfile/ollamaFacts';
import { readSmallFile, replaceFile } from '../../node/files/textFile';
import { factsForFile } from '../../node/modelfile/workspaceFacts';
import type { ModelfileCommandArgs, ModelfileCommandResult } from './parse';

export interface LintCommandArgs extends ModelfileCommandArgs {
  /** Applies the sure fixes and writes the files. */
  readonly fix?: boolean | undefined;
  /** SARIF 2.1 in place of both other forms. */
  readonly sarif?: boolean | undefined;
  /** Version of Ollama to check against, `0.20.0`. */
  readonly ollamaVersion?: string | undefined;
  /** An Ollama to ask for its version and its models, as a URL; without it none is asked. */
  readonly ollamaHost?: string | undefined;
  /** Folder of the running bundle; without it no TEMPLATE is compared with the model's own. */
  readonly bundleFolder?: string | undefined;
}

interface FileResult extends LintedFile {
  /** Rounds of sure fixes that were written. */
  readonly fixed: boolean;
  readonly error?: ErrorJson | undefined;
}

/** `lint FILE… [--fix] [--sarif]`: every diagnostic of the language server, from the text and the files around it. */
export async function lintCommand(args: LintCommandArgs): Promise<ModelfileCommandResult> {
  const files: FileResult[] = [];
  const { bundleFolder } = args;
  const comparer = bundleFolder === undefined ? undefined : new TemplateComparer({ bundleFolder });
  for (const path of args.paths) {
    files.push(await lintFile(path, args, comparer));
  }
  const failed = files.some(
    ({ error, diagnostics }) => error !== undefined || diagnostics.some(({ severity }) => severity === 'error'),
  );
  const sarif = args.sarif === true ? sarifLog(files) : undefined;
  return {
    exitCode: failed ? 1 : 0,
    json: sarif ?? { files: files.map((file) => fileJson(file, args.fix === true)) },
    text: sarif === undefined ? files.flatMap(fileLines).join('\n') : JSON.stringify(sarif, null, 2),
  };
}

async function lintFile(
  path: string,
  args: LintCommandArgs,
  comparer: TemplateComparer | undefined,
): Promise<FileResult> {
  try {
    const bytes = await readSmallFile(path, args.signal);
    const { ollamaVersion, ollamaHost } = args;
    const facts = factsForFile(path, {
      isTrusted: true,
      ollamaVersion,
      ollama: ollamaHost === undefined ? undefined : new OllamaFacts(ollamaHost),
      comparer,
    });
    if (args.fix === true) {
      return await fixFile(path, bytes, facts, args.signal);
    }
    const parsed = parseModelfile(bytes);
    const diagnostics = await lintModelfile(parsed, { facts, signal: args.signal });
    return { path, text: parsed.text, diagnostics, fixed: false };
  } catch (thrown) {
    throwIfAborted(args.signal);
    return { path, text: '', diagnostics: [], fixed: false, error: toStudioError(thrown).toJSON() };
  }
}

async function fixFile(
  path: string,
  bytes: Uint8Array,
  facts: WorkspaceFacts,
  signal: AbortSignal,
): Promise<FileResult> {
  const original = decodeModelfile(bytes);
  const lint = (text: string): Promise<readonly Diagnostic[]> => lintModelfile(parseModelfile(text), { facts, signal });
  const { text, diagnostics } = await fixAll(
    original,
    await lintModelfile(parseModelfile(bytes), { facts, signal }),
    lint,
  );
  if (text === original) {
    return { path, text, diagnostics, fixed: false };
  }
  const encoded = encodeModelfile(text, bytes);
  if (encoded === undefined) {
    throw new StudioError(
      'modelfile/encoding',
      `${path} holds bytes that are no text; they would be lost. Save it as UTF-8 first. Nothing was changed.`,
      { path },
    );
  }
  await replaceFile(path, encoded);
  return { path, text, diagnostics, fixed: true };
}

function fileJson({ path, text, diagnostics, fixed, error }: FileResult, fixing: boolean): unknown {
  if (error !== undefined) {
    return { path, ok: false, error, diagnostics: [] };
  }
  const lines = new LineIndex(text);
  const range = ({ start, end }: { readonly start: number; readonly end: number }): unknown => lines.range(start, end);
  return {
    path,
    ...(fixing ? { fixed } : {}),
    diagnostics: diagnostics.map(({ code, severity, message, span, fixes }) => ({
      code,
      severity,
      message,
      range: range(span),
      ...(fixes.length === 0
        ? {}
        : {
            fixes: fixes.map(({ title, isSure, edits }) => ({
              title,
              sure: isSure,
              edits: edits.map((edit) => ({ range: range(edit.span), newText: edit.newText })),
            })),
          }),
    })),
  };
}

/** `file:line:col: severity code: message`, with lines and columns from 1. */
function fileLines({ path, text, diagnostics, error }: FileResult): string[] {
  const file = escapeControls(path);
  if (error !== undefined) {
    return [`${file}:1:1: error ${error.code}: ${escapeControls(error.message)}`];
  }
  const lines = new LineIndex(text);
  return diagnostics.map(({ code, severity, message, span }) => {
    const { line, character } = lines.position(span.start);
    return `${file}:${line + 1}:${character + 1}: ${severity} ${code}: ${escapeControls(message)}`;
  });
}
