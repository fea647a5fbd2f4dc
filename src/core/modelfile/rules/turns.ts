import { headerProblem } from '../../chatTemplate/answerHeader';
import { closeTurn, nameRole, type TemplateChange } from '../../chatTemplate/closeTurn';
import { END_MARKERS, familyOf } from '../../chatTemplate/turnMarkers';
import { edit, fix, quoted, type Fix, fixAll } from '../diagnostic';
import type { Entry, LintContext } from '../lintContext';
import { looksLikePath } from '../modelFacts';
import { inDocument, type TemplateAnalysis } from '../templateAnalysis';

/** End tokens that no model has but as its own. */
export const USUAL_END_TOKENS: ReadonlySet<string> = new Set(['</s>', '<eos>', '<|endoftext|>', '<|end_of_text|>']);

/** How a TEMPLATE begins and ends the assistant's turns. */
export function turnRules(context: LintContext, analysis: TemplateAnalysis): void {
  const { probe } = analysis;
  if (probe === undefined) {
    return;
  }
  const header = headerProblem(probe);
  if (header === undefined || header.kind === 'mismatch') {
    noTurnEnd(context, analysis);
  }
  const { keywordSpan } = analysis.entry.instruction;
  switch (header?.kind) {
    case 'missing':
      context.report('modelfile/template-no-answer-header', keywordSpan, {
        end: header.end ?? 'the question',
        example: exampleOf(header.end),
      });
      break;
    case 'closed':
      context.report(
        'modelfile/template-answer-closed',
        keywordSpan,
        { end: header.end },
        { fixes: openAnswer(analysis, header.end) },
      );
      break;
    case 'mismatch':
      mismatch(context, analysis, header.past, header.next);
      break;
    default:
  }
}

/** What opens the answer in the family of a marker. */
function exampleOf(end: string | undefined): string {
  switch (end === undefined ? undefined : familyOf(end)?.name) {
    case 'ChatML':
      return ': <|im_start|>assistant and a newline';
    case 'Llama 3':
      return ': <|start_header_id|>assistant<|end_header_id|> and an empty line';
    case 'Gemma':
      return ': <start_of_turn>model and a newline';
    default:
      return '';
  }
}

function mismatch(context: LintContext, analysis: TemplateAnalysis, past: string, next: string): void {
  const { entry, probe } = analysis;
  const role = /([\p{L}_]+)\W*$/u.exec(next)?.[1];
  const change = probe === undefined || role === undefined ? undefined : nameRole(entry.command.args, probe, role);
  const fixes =
    change === undefined ? [] : [fix(`Write ${role ?? ''} for assistant`, false, changeEdit(entry, change))];
  context.report(
    'modelfile/template-role-mismatch',
    entry.instruction.keywordSpan,
    {
      past: quoted(past),
      next: quoted(next),
      advice:
        change === undefined ? '' : ` Write {{ if eq .Role "assistant" }}${role ?? ''}{{ else }}{{ .Role }}{{ end }}.`,
    },
    { fixes },
  );
}

/** Takes the end out that stands between the header and `.Response`. */
function openAnswer({ entry }: TemplateAnalysis, end: string): Fix[] {
  const text = entry.command.args;
  const response = text.search(/\{\{-?\s*\.Response/);
  const at = text.lastIndexOf(end, response < 0 ? text.length : response);
  return at < 0 || (response >= 0 && text.slice(at + end.length, response).trim() !== '')
    ? []
    : [fix(`Remove ${end}`, false, changeEdit(entry, { start: at, end: at + end.length, text: '' }))];
}

function noTurnEnd(context: LintContext, analysis: TemplateAnalysis): void {
  const { entry, probe } = analysis;
  if (probe?.runsOn !== true) {
    return;
  }
  const end = probe.missingEnd;
  const change = end === undefined ? undefined : closeTurn(entry.command.args, probe, end);
  const fixes =
    end === undefined || change === undefined ? [] : [closingFix(context, entry, change, end, probe.afterAnswer ?? '')];
  context.report('modelfile/template-no-turn-end', entry.instruction.keywordSpan, {}, { fixes });
}

/** Writes the end of turn, and the stop for it where nothing else stops there. */
function closingFix(context: LintContext, entry: Entry, change: TemplateChange, end: string, after: string): Fix {
  const place = changeEdit(entry, change);
  const stops = context.all('stop').map(({ command }) => command.args);
  const isInheriting = !context.all('model').some(({ command }) => looksLikePath(command.args));
  const needsStop =
    !isInheriting &&
    !USUAL_END_TOKENS.has(end) &&
    !end.includes('"') &&
    !stops.some((stop) => stop !== '' && `${end}${after}`.includes(stop));
  const line = needsStop ? `${context.newline}PARAMETER stop "${end}"` : '';
  const { end: instructionEnd } = entry.instruction.span;
  const edits =
    line === ''
      ? [place]
      : place.span.end === instructionEnd
        ? [edit(place.span, place.newText + line)]
        : [place, edit({ start: instructionEnd, end: instructionEnd }, line)];
  return fixAll(`End the answer with ${end}`, END_MARKERS.has(end), edits);
}

/** A change of the template as an edit of the document; a value without quotes stays on its line. */
function changeEdit(entry: Entry, { start, end, text }: TemplateChange): ReturnType<typeof edit> {
  return edit(inDocument(entry, { start, end }), entry.value.quote === '' ? text.replace(/\n+$/, '') : text);
}
