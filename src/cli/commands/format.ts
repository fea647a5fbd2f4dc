import { StudioError, throwIfAborted, toStudioError, type ErrorJson } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { encodeModelfile } from '../../core/modelfile/encodeModelfile';
import { applyEdits, formatModelfile } from '../../core/modelfile/formatModelfile';
import { parseModelfile } from '../../core/modelfile/parseModelfile';
import { readSmallFile, replaceFile } from '../../node/files/textFile';
import type { ModelfileCommandArgs, ModelfileCommandResult } from './parse';

export interface FormatCommandArgs extends ModelfileCommandArgs {
  /** Says which files would change, and changes none. */
  readonly check?: boolean | undefined;
}

type FormattedFile =
  | { readonly path: string; readonly ok: true; readonly changed: boolean }
  | { readonly path: string; readonly ok: false; readonly error: ErrorJson };

/** `format FILE… [--check]`: files in their usual shape, in place. With --check, exit 1 when one would change. */
export async function formatCommand(args: FormatCommandArgs): Promise<ModelfileCommandResult> {
  const files: FormattedFile[] = [];
  for (const path of args.paths) {
    files.push(await formatFile(path, args));
  }
  const failed = files.some((file) => !file.ok || (args.check === true && file.changed));
  return {
    exitCode: failed ? 1 : 0,
    json: { files },
    text: files.flatMap((file) => describe(file, args.check === true)).join('\n'),
  };
}

async function formatFile(path: string, args: FormatCommandArgs): Promise<FormattedFile> {
  try {
    const bytes = await readSmallFile(path, args.signal);
    const parsed = parseModelfile(bytes);
    const { verdict } = parsed;
    if (!verdict.ok && parsed.problems.some(({ kind }) => kind !== 'no-from')) {
      throw new StudioError(
        'modelfile/syntax',
        `${path} was left alone, for Ollama would not read it: ${verdict.error}. See what lint says.`,
        { path, line: verdict.line },
      );
    }
    const edits = formatModelfile(parsed);
    if (edits.length === 0 || args.check === true) {
      return { path, ok: true, changed: edits.length > 0 };
    }
    const encoded = encodeModelfile(applyEdits(parsed.text, edits), bytes);
    if (encoded === undefined) {
      throw new StudioError(
        'modelfile/encoding',
        `${path} was left alone: it holds bytes that are no text, and they would be lost. Save it as UTF-8 first.`,
        { path },
      );
    }
    await replaceFile(path, encoded);
    return { path, ok: true, changed: true };
  } catch (thrown) {
    throwIfAborted(args.signal);
    return { path, ok: false, error: toStudioError(thrown).toJSON() };
  }
}

function describe(file: FormattedFile, isCheck: boolean): string[] {
  const path = escapeControls(file.path);
  if (!file.ok) {
    return [`${file.error.code}: ${escapeControls(file.error.message)}`];
  }
  return file.changed ? [isCheck ? `${path} would change` : `${path} formatted`] : [];
}
