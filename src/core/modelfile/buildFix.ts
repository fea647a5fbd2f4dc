import { INSTRUCTION_NAMES } from '../ollama/instructionNames';
import type { BuildRequest, Fix, TextEdit } from './diagnostic';
import { withInherited } from './inheritedCommands';
import type { LintContext } from './lintContext';
import { looksLikePath } from './modelFacts';
import { parseModelfile } from './parseModelfile';
import type { ModelfileCommand, ParsedModelfile } from './modelfileTypes';
import { instruction, licenceLine } from './writeModelfile';

/** The title of the fix that builds. */
export const BUILD_FIX_TITLE = 'Build a GGUF and use it here';

/**
 * The fix that makes a GGUF of the base of this file and its adapters and names it in FROM. It has no edits of its own: an editor
 * runs the build, and then makes those of `editsForBuilt`.
 */
export function buildFix(context: LintContext): Fix {
  return { title: BUILD_FIX_TITLE, edits: [], isSure: false, build: buildRequest(context.parsed) };
}

/** What would be built of a Modelfile: its base, and all its adapters, as `create -f` fuses them. */
export function buildRequest({ instructions }: ParsedModelfile): BuildRequest {
  const values = (name: string): string[] =>
    instructions.flatMap(({ command }) => (command?.name === name ? [command.args] : []));
  const all = values('model');
  return { base: all.find((args) => !looksLikePath(args)) ?? all[0] ?? '.', adapters: values('adapter') };
}

/**
 * The edits that put a built GGUF in the place of what it was built from: the FROM that named the base names the file, other FROM
 * lines of the base go (a projector stays), and every ADAPTER goes. One undoable change; none where no FROM names the base any more.
 * @param text the Modelfile as it is now, which may have changed since the build began
 * @param built the path as it is to stand in the file
 * @param base the FROM value that was built from
 * @param inherited what an installed base hands on, and a file does not: it is written down where the Modelfile says nothing of its own
 * @throws StudioError modelfile/syntax for a path or something inherited that no Modelfile can hold; a licence is left out then
 */
export function editsForBuilt(
  text: string,
  built: string,
  base: string,
  inherited: readonly ModelfileCommand[] = [],
): readonly TextEdit[] {
  const parsed = parseModelfile(text);
  const newline = /\r\n|\r|\n/.exec(text)?.[0] ?? '\n';
  const own = parsed.instructions.flatMap(({ command }) => command ?? []);
  // Projectors stand beside the weights, whatever else FROM names.
  const beside = inherited.filter(({ name }) => name === 'model');
  const more = [...beside, ...withInherited(own, inherited).slice(own.length)]
    .map((command) => `${newline}${inheritedLine(command)}`)
    .join('');
  const edits: TextEdit[] = [];
  let isNamed = false;
  for (const { command, value, keyword, span } of parsed.instructions) {
    if (keyword === 'FROM' && value !== undefined && command?.args === base) {
      if (isNamed) {
        edits.push({ span: wholeLines(parsed, span), newText: '' });
      } else {
        const quoted = instruction('FROM', built).slice('FROM '.length);
        const isBare = value.span.start === value.span.end;
        edits.push({ span: value.span, newText: `${isBare ? ' ' : ''}${quoted}${more}` });
        isNamed = true;
      }
    } else if (keyword === 'ADAPTER') {
      edits.push({ span: wholeLines(parsed, span), newText: '' });
    }
  }
  return isNamed ? edits : [];
}

function inheritedLine({ name, args }: ModelfileCommand): string {
  if (name === 'license') {
    return licenceLine(args);
  }
  if (name === 'message') {
    const cut = args.indexOf(': ');
    return instruction('MESSAGE', args.slice(cut + 2), args.slice(0, cut));
  }
  const keyword = INSTRUCTION_NAMES.find((known) => known === (name === 'model' ? 'FROM' : name.toUpperCase()));
  return keyword === undefined ? instruction('PARAMETER', args, name) : instruction(keyword, args);
}

function wholeLines(
  { text }: ParsedModelfile,
  { start, end }: { readonly start: number; readonly end: number },
): TextEdit['span'] {
  const first = Math.max(text.lastIndexOf('\n', start - 1), text.lastIndexOf('\r', start - 1)) + 1;
  const rest = /\r\n|\r|\n/.exec(text.slice(end));
  return { start: start === 0 ? 0 : first, end: rest === null ? text.length : end + rest.index + rest[0].length };
}
