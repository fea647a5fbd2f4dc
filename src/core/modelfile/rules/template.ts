import { parseTemplate } from '../../goTemplate/parseTemplate';
import { didYouMean } from '../didYouMean';
import { edit, fix, quoted, suggestion, fixAll } from '../diagnostic';
import type { LintContext } from '../lintContext';
import type { Span } from '../modelfileTypes';
import { inDocument, isLargeTemplate, type TemplateAnalysis } from '../templateAnalysis';
import { fieldsOf, typeTitle, type FieldUse } from '../templateScope';
import { turnRules } from './turns';

/** TEMPLATE, as far as the text alone tells. */
export function templateRules(context: LintContext, analysis: TemplateAnalysis | undefined): void {
  overridden(context);
  if (analysis === undefined) {
    return;
  }
  jinja(context, analysis);
  if (isLargeTemplate(analysis.entry.command.args)) {
    context.report('modelfile/large-file', analysis.entry.instruction.keywordSpan, {
      what: 'The template',
      size: '1 MiB',
    });
  }
  if (!analysis.verdict.ok) {
    syntax(context, analysis, analysis.verdict);
    return;
  }
  const renderer = context.last('renderer')?.command.args ?? '';
  if (renderer !== '') {
    dead(context, analysis, `RENDERER ${renderer} writes the prompts.`);
    return;
  }
  behaviour(context, analysis);
  firstField(context, analysis);
  const text = analysis.entry.command.args;
  for (const use of analysis.scopes.fields) {
    if (use.isUnknown && !isFirst(use) && !context.isEnough('modelfile/template-unknown-field', use.span)) {
      unknownField(context, analysis, use, text);
    }
  }
  suspicious(context, analysis);
}

/** Words of Jinja, which Go prints as they are. */
const JINJA = /\{%-?\s*(?:for|if|elif|else|endfor|endif|set|macro|generation|endgeneration)\b[^%]{0,200}%\}/;

function jinja(context: LintContext, { entry }: TemplateAnalysis): void {
  const match = JINJA.exec(entry.command.args);
  if (match !== null) {
    context.report(
      'modelfile/template-is-jinja',
      inDocument(entry, { start: match.index, end: match.index + match[0].length }),
      { word: quoted(match[0]) },
    );
  }
}

export function dead(context: LintContext, { entry }: TemplateAnalysis, reason: string): void {
  context.report(
    'modelfile/template-dead',
    entry.instruction.keywordSpan,
    { reason },
    {
      fixes: [context.removal(entry.instruction, false, 'Remove this TEMPLATE')],
      tag: 'unnecessary',
      // What `ollama show` prints beside a RENDERER is no mistake of whoever took it over.
      severity: /^\{\{-?\s*\.Prompt\s*-?\}\}$/.test(entry.command.args.trim()) ? 'hint' : undefined,
    },
  );
}

function overridden(context: LintContext): void {
  const last = context.last('template');
  for (const entry of context.all('template')) {
    if (entry === last || last === undefined) {
      continue;
    }
    context.report(
      'modelfile/template-overridden',
      entry.instruction.keywordSpan,
      { line: last.line },
      { fixes: [context.removal(entry.instruction, false, 'Remove this TEMPLATE')], tag: 'unnecessary' },
    );
    const parsed = parseTemplate(entry.command.args);
    if (!parsed.ok) {
      const span = inDocument(entry, { start: parsed.offset, end: parsed.offset + 1 });
      context.report('modelfile/template-syntax-unused', span, { error: parsed.error });
    }
  }
  if (last?.command.args === '') {
    const fixes = [context.removal(last.instruction, true)];
    context.report('modelfile/template-empty', last.instruction.span, {}, { fixes, tag: 'unnecessary' });
  }
}

function syntax(
  context: LintContext,
  { entry, tolerant }: TemplateAnalysis,
  verdict: { readonly error: string; readonly line: number; readonly offset: number },
): void {
  const [first, ...others] = tolerant.problems;
  const span = first ?? { start: verdict.offset, end: verdict.offset + 1 };
  context.report(
    'modelfile/template-syntax',
    visible(inDocument(entry, onLine(entry.command.args, span, verdict.line))),
    { error: verdict.error },
  );
  for (const problem of others) {
    context.report(
      'modelfile/template-syntax',
      visible(inDocument(entry, onLine(entry.command.args, problem, problem.line))),
      { error: problem.error },
    );
  }
}

/** Go names the line that it had come to, which can be below what is wrong: its line is the one to be shown. */
function onLine(text: string, span: Span, line: number): Span {
  let start = 0;
  for (let i = 1; i < line; i += 1) {
    const next = text.indexOf('\n', start);
    if (next < 0) {
      return span;
    }
    start = next + 1;
  }
  const found = text.indexOf('\n', start);
  const end = found < 0 ? text.length : found;
  if (start <= span.start && span.start <= end) {
    return span;
  }
  const indent = /^[ \t\r]*/.exec(text.slice(start, end))?.[0].length ?? 0;
  return { start: start + indent, end };
}

/** At least one character wide, so that it can be seen. */
function visible(span: { readonly start: number; readonly end: number }): { start: number; end: number } {
  return { start: span.start, end: Math.max(span.end, span.start + 1) };
}

function behaviour(context: LintContext, analysis: TemplateAnalysis): void {
  const { entry, probe } = analysis;
  if (probe === undefined) {
    return;
  }
  const { keywordSpan } = entry.instruction;
  const panic = [probe.question, probe.chat, probe.tools].find((run) => run?.ok === false && run.fault === 'panic');
  if (panic?.ok === false) {
    context.report('modelfile/template-panics', keywordSpan, { reason: `(${panic.error})` });
    return;
  }
  const failed = [probe.question, probe.chat, probe.tools].find((run) => run?.ok === false && run.fault === 'error');
  if (failed?.ok === false) {
    const span =
      failed.start === undefined
        ? keywordSpan
        : visible(inDocument(entry, { start: failed.start, end: failed.end ?? failed.start }));
    context.report('modelfile/template-fails', span, { error: failed.error });
  }
  if (!probe.chat.ok) {
    return;
  }
  if (probe.completion !== undefined) {
    completion(context, analysis);
    return;
  }
  // `.First` around the system prompt is why it is not printed.
  if (!probe.printsSystem && !analysis.scopes.fields.some(isFirst)) {
    const isLost = context.all('system').some(({ command }) => command.args !== '');
    context.report(
      'modelfile/template-ignores-system',
      keywordSpan,
      { consequence: isLost ? ': the SYSTEM of this file has no effect' : '' },
      { severity: isLost ? 'warning' : 'information' },
    );
  }
  if (probe.repeatsSystem) {
    context.report('modelfile/template-system-twice', keywordSpan);
  }
  turnRules(context, analysis);
}

/** A template without turns: one word on it where it loses something, or where it may be taken for a chat template. */
function completion(context: LintContext, { entry, probe }: TemplateAnalysis): void {
  if (probe?.completion !== 'bare') {
    return;
  }
  const isLost = !probe.printsSystem && context.all('system').some(({ command }) => command.args !== '');
  context.report('modelfile/template-completion', entry.instruction.keywordSpan, {
    consequence: isLost ? ', and the SYSTEM of this file has no effect' : '',
    advice: ' That is right for a base model; a chat model wants the template that it was trained with.',
  });
}

const isFirst = ({ owner, name }: FieldUse): boolean => owner === 'root' && name === 'First';

function unknownField(context: LintContext, { entry }: TemplateAnalysis, use: FieldUse, text: string): void {
  const meant = didYouMean(use.name, fieldsOf(use.owner)?.keys() ?? []);
  const span = inDocument(entry, use.span);
  const fixes = meant === undefined ? [] : [fix(`Write .${meant}`, false, edit(span, meant))];
  const isPrinted = /\{\{-?\s*(?:\$\w*)?\.$/.test(before(text, use));
  const consequence =
    use.owner !== 'root'
      ? 'A chat that comes to it fails.'
      : isPrinted
        ? 'It is always empty, and prints <no value>.'
        : 'It is always empty.';
  const values = {
    field: `.${use.name}`,
    type: typeTitle(use.owner),
    suggestion: suggestion(meant && `.${meant}`),
    consequence,
  };
  context.report('modelfile/template-unknown-field', span, values, { fixes });
}

/** What stands before a field, as far as it matters. */
const before = (text: string, { span }: FieldUse): string => text.slice(Math.max(span.start - 40, 0), span.start);

/** `.First` went in 2023; what stood in its `if` is never printed. Told once, however often it is there. */
function firstField(context: LintContext, { entry, scopes }: TemplateAnalysis): void {
  const uses = scopes.fields.filter(isFirst);
  const [use] = uses;
  if (use === undefined) {
    return;
  }
  const text = entry.command.args;
  const isGuard = uses.every((one) => /\{\{-?\s*if\s+(?:and\s+)?\$?\.$/.test(before(text, one)));
  const wraps = /^[^}]{0,40}\}\}(?:(?!\{\{-?\s*end)[\s\S]){0,400}\.System/.test(text.slice(use.span.end));
  const isPrinted = /\{\{-?\s*\$?\.$/.test(before(text, use));
  const consequence = isPrinted
    ? 'It is always empty, and prints <no value>.'
    : 'Ollama took it away in 2023: what stands in its if is never written. Write {{ if .System }} in its place.';
  const edits = uses.map(({ span }) => edit(inDocument(entry, span), 'System'));
  const fixes = isGuard ? [fixAll('Write {{ if .System }}', wraps && uses.length === 1, edits)] : [];
  context.report(
    'modelfile/template-unknown-field',
    inDocument(entry, use.span),
    { field: '.First', type: typeTitle('root'), suggestion: '', consequence },
    { fixes },
  );
}

const SUSPICIONS: readonly (readonly [RegExp, string])[] = [
  [/https?:\/\/[^\s"'<>{}]{4,}/i, 'The template writes a web address into every prompt.'],
  [/[A-Za-z0-9+/]{160,}={0,2}/, 'The template holds a long run of letters that could be encoded text.'],
  [
    /\{\{-?\s*(?:else )?if\s+[^}]{0,200}\b(?:eq|ne)\s+(?:\.Content|\.Prompt|\$\w*\.Content|\$\.Prompt)\s+"[^"]+"/,
    'The template behaves differently for one exact message of the user.',
  ],
];

function suspicious(context: LintContext, { entry }: TemplateAnalysis): void {
  for (const [pattern, reason] of SUSPICIONS) {
    const match = pattern.exec(entry.command.args);
    if (match !== null) {
      const span = inDocument(entry, { start: match.index, end: match.index + match[0].length });
      context.report('modelfile/template-suspicious', span, { reason });
    }
  }
}
