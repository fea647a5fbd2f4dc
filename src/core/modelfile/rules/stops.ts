import { edit, fix, quoted, type Fix } from '../diagnostic';
import { valueSpan, type Entry, type LintContext } from '../lintContext';
import { readStopList, type StopList } from '../stopList';
import { instruction } from '../writeModelfile';

/** Stop texts that no output can contain. */
export function stopRules(context: LintContext): void {
  for (const entry of context.all('stop')) {
    const reason = severalTexts(context, entry) ?? neverMatches(context, entry);
    if (reason !== undefined) {
      context.report(
        'modelfile/stop-never-matches',
        valueSpan(entry),
        { reason: reason.text },
        { fixes: reason.fixes },
      );
    }
  }
}

interface Reason {
  readonly text: string;
  readonly fixes: readonly Fix[];
}

/** The texts of a `PARAMETER stop` that was written as a list; undefined where it is one text. */
export const stopListOf = ({ text }: LintContext, { value }: Entry): StopList | undefined =>
  value.quote === '"""' ? undefined : readStopList(text.slice(value.span.start, value.span.end));

function severalTexts(context: LintContext, entry: Entry): Reason | undefined {
  const list = stopListOf(context, entry);
  if (list === undefined) {
    return undefined;
  }
  const made = stopLinesFix(context, entry);
  const text =
    list.texts.length > 1 || list.comment === undefined
      ? 'a list is taken as one text. Write one PARAMETER stop for each.'
      : `the comment is part of it: Ollama reads ${quoted(entry.command.args)}. Put it on a line of its own.`;
  return { text, fixes: made === undefined ? [] : [made] };
}

/**
 * One `PARAMETER stop` for each text of a list, its comment on a line above; texts that the file has already are left out.
 * Undefined where the value is one text, or holds one that no Modelfile can.
 */
export function stopLinesFix(context: LintContext, entry: Entry): Fix | undefined {
  const list = stopListOf(context, entry);
  if (list === undefined) {
    return undefined;
  }
  const others = new Set(
    context
      .all('stop')
      .filter((other) => other !== entry)
      .map(({ command }) => command.args),
  );
  const lines = list.texts.filter((text) => !others.has(text)).map(stopLine);
  if (lines.includes(undefined)) {
    return undefined;
  }
  const written = [...(list.comment === undefined ? [] : [list.comment.trimEnd()]), ...lines];
  if (written.length === 0) {
    return context.removal(entry.instruction, list.isSure);
  }
  const span = { start: entry.instruction.span.start, end: entry.value.span.end };
  const title = list.texts.length > 1 ? 'Write one line for each text' : 'Write the text alone';
  return fix(title, list.isSure, edit(span, written.join(context.newline)));
}

function stopLine(text: string): string | undefined {
  if (!/["\r\n]/.test(text)) {
    return `PARAMETER stop "${text}"`;
  }
  try {
    return instruction('PARAMETER', text, 'stop');
  } catch {
    return undefined;
  }
}

function neverMatches(context: LintContext, entry: Entry): Reason | undefined {
  const { args } = entry.command;
  const { span, dropped } = entry.value;
  if (args === '') {
    return { text: 'it is empty.', fixes: [context.removal(entry.instruction, false)] };
  }
  const single = /^(?:'(.+)'|[‘’“”„](.+)[‘’“”])$/s.exec(args);
  if (single !== null) {
    const line = stopValue(single[1] ?? single[2] ?? '');
    return {
      text: `the quotes are part of it (${quoted(args)}); only " and """ delimit a value.`,
      fixes: line === undefined ? [] : [fix('Use double quotes', true, edit(span, line))],
    };
  }
  const escape = /\\(?:n|t|r|"|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2})/.exec(args);
  if (escape !== null) {
    const text = args.replaceAll('\\n', '\n').replaceAll('\\t', '\t').replaceAll('\\"', '"');
    const line = /^[^\\]*$/.test(text) ? stopValue(text) : undefined;
    return {
      text: `${escape[0]} is not interpreted; it means a backslash and what follows it.`,
      fixes: line === undefined ? [] : [fix('Write the character itself', true, edit(span, line))],
    };
  }
  return dropped.length === 0 ? undefined : { text: 'it holds characters that Ollama drops.', fixes: [] };
}

/** The text as a value that Ollama reads as that text; undefined where there is none. */
function stopValue(text: string): string | undefined {
  return stopLine(text)?.slice('PARAMETER stop '.length);
}
