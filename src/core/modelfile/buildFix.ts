import type { BuildRequest, Fix, TextEdit } from './diagnostic';
import type { LintContext } from './lintContext';
import { looksLikePath } from './modelFacts';
import { parseModelfile } from './parseModelfile';
import type { ParsedModelfile } from './modelfileTypes';

/** The title of the fix that builds. */
export const BUILD_FIX_TITLE = 'Build a GGUF and use it here';

/**
 * The fix that makes a GGUF of the base of this file and its adapters and names it in FROM. It has no edits of its own: an editor
 * runs the build, and then makes those of `editsForBuilt`.
 */
export function buildFix(context: LintContext): Fix {
  return { title: BUILD_FIX_TITLE, edits: [], isSure: false, build: buildRequest(context) };
}

/** What would be built of a Modelfile. */
function buildRequest(context: LintContext): BuildRequest {
  const all = context.all('model').map(({ command }) => command.args);
  return {
    base: all.find((args) => !looksLikePath(args)) ?? all[0] ?? '.',
    adapters: context
      .all('adapter')
      .slice(-1)
      .map(({ command }) => command.args),
  };
}

/**
 * The edits that put a built GGUF in the place of what it was built from: the FROM that named the base names the file, other FROM
 * lines of the base go (a projector stays), and every ADAPTER goes. One undoable change.
 * @param text the Modelfile as it is now, which may have changed since the build began
 * @param built the path as it is to stand in the file
 * @param base the FROM value that was built from
 */
export function editsForBuilt(text: string, built: string, base: string): readonly TextEdit[] {
  const parsed = parseModelfile(text);
  const edits: TextEdit[] = [];
  let isNamed = false;
  for (const { command, value, keyword, span } of parsed.instructions) {
    if (keyword === 'FROM' && value !== undefined && command?.args === base) {
      if (isNamed) {
        edits.push({ span: wholeLines(parsed, span), newText: '' });
      } else {
        const quoted = /^\s|\s$|^"|#/.test(built) ? `"${built}"` : built;
        const isBare = value.span.start === value.span.end;
        edits.push({ span: value.span, newText: isBare ? ` ${quoted}` : quoted });
        isNamed = true;
      }
    } else if (keyword === 'ADAPTER') {
      edits.push({ span: wholeLines(parsed, span), newText: '' });
    }
  }
  return isNamed ? edits : [];
}

function wholeLines(
  { text }: ParsedModelfile,
  { start, end }: { readonly start: number; readonly end: number },
): TextEdit['span'] {
  const first = Math.max(text.lastIndexOf('\n', start - 1), text.lastIndexOf('\r', start - 1)) + 1;
  const rest = /\r\n|\r|\n/.exec(text.slice(end));
  return { start: start === 0 ? 0 : first, end: rest === null ? text.length : end + rest.index + rest[0].length };
}
