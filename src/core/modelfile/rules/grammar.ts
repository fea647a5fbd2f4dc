import { didYouMean } from '../didYouMean';
import { edit, fix, suggestion, type Fix } from '../diagnostic';
import type { LintContext } from '../lintContext';
import type { Span, SyntaxProblem } from '../modelfileTypes';
import { foreignAdvice, foreignParameter } from '../foreignParameters';
import { foreignFile } from './foreignFile';
import { strayText } from './strayText';
import { textBehindQuote } from './textBehindQuote';

const ROLES = ['system', 'user', 'assistant'];

/** What Ollama's parser refuses. */
export function grammarRules(context: LintContext): void {
  if (foreignFile(context)) {
    return;
  }
  missingValues(context);
  strayText(context, context.parsed.problems);
  for (const problem of context.parsed.problems) {
    switch (problem.kind) {
      case 'unknown-instruction':
      case 'missing-value':
        break;
      case 'parameter-name':
        parameterName(context, problem);
        break;
      case 'message-role':
        messageRole(context, problem);
        break;
      case 'unclosed-quote':
        unclosedQuote(context, problem);
        break;
      case 'no-from':
        noFrom(context);
        break;
    }
  }
  for (const { instruction } of context.entries) {
    if (instruction.keyword === 'PARAMETER' && instruction.name?.text === '') {
      extraSpace(context, instruction.keywordSpan.end, 'PARAMETER');
    }
  }
}

function parameterName(context: LintContext, { span, word }: SyntaxProblem): void {
  if (context.isEnough('modelfile/parameter-name', span)) {
    return;
  }
  const [name = '', rest] = word.split('=', 2);
  const foreign = foreignParameter(name.replace(/:$/, ''));
  const meant = foreign?.kind === 'parameter' ? foreign : undefined;
  const replacement =
    meant === undefined ? undefined : rest === undefined ? meant.name : `${meant.name} ${rest}`.trimEnd();
  const fixes =
    replacement === undefined ? [] : [fix(`Write ${replacement}`, meant?.isSure === true, edit(span, replacement))];
  context.report('modelfile/parameter-name', span, { word, suggestion: foreignAdvice(foreign) }, { fixes });
}

function messageRole(context: LintContext, { span, word }: SyntaxProblem): void {
  if (word === '') {
    const owner = context.ownerAt(span.start);
    extraSpace(context, owner?.keywordSpan.end ?? span.start - 1, 'MESSAGE');
    return;
  }
  if (context.isEnough('modelfile/message-role', span)) {
    return;
  }
  const meant = didYouMean(word.replace(/:$/, ''), ROLES);
  const fixes = meant === undefined ? [] : [fix(`Write ${meant}`, true, edit(span, meant))];
  context.report('modelfile/message-role', span, { word, suggestion: suggestion(meant) }, { fixes });
}

function extraSpace(context: LintContext, keywordEnd: number, keyword: string): void {
  const { text } = context;
  let end = keywordEnd;
  while (text[end] === ' ' || text[end] === '\t') {
    end += 1;
  }
  const span = { start: keywordEnd, end: Math.max(end, keywordEnd + 1) };
  context.report(
    'modelfile/extra-space',
    span,
    { keyword },
    { fixes: [fix('Leave one space', true, edit(span, ' '))] },
  );
}

/** `SYSTEM` alone on its line: the text below was meant to be its value. */
function missingValues(context: LintContext): void {
  const { problems } = context.parsed;
  for (const [index, { kind, span }] of problems.entries()) {
    if (kind !== 'missing-value') {
      continue;
    }
    const word = context.text.slice(span.start, span.end);
    const next = problems[index + 1];
    const isAbove = next?.kind === 'unknown-instruction' && /^\s*$/.test(context.text.slice(span.end, next.span.start));
    if (!isAbove) {
      context.report('modelfile/missing-value', span, { word, suggestion: '' });
      continue;
    }
    const below = { start: next.span.start, end: Math.max(next.blockEnd, next.span.end) };
    const isText = /^(?:SYSTEM|TEMPLATE|LICENSE|MESSAGE\s+\w+)$/i.test(word);
    const suggested = isText
      ? ' Write """ behind it, and """ behind the text below.'
      : ' The line below does not belong to it: write it on this line.';
    context.report(
      'modelfile/missing-value',
      span,
      { word, suggestion: suggested },
      { fixes: joinFix(context, span, below, isText) },
    );
    context.silence(below);
  }
}

function joinFix({ text }: LintContext, { end }: Span, below: Span, isText: boolean): Fix[] {
  const value = text.slice(below.start, below.end);
  if (!isText) {
    return /[\r\n]/.test(value)
      ? []
      : [fix('Write it on one line', false, edit({ start: end, end: below.start }, ' '))];
  }
  return value.includes('"""')
    ? []
    : [
        fix(
          'Put """ around the text',
          false,
          edit({ start: end, end }, ' """'),
          edit({ start: below.end, end: below.end }, '"""'),
        ),
      ];
}

function unclosedQuote(context: LintContext, { span, word }: SyntaxProblem): void {
  const owner = context.parsed.instructions.find((instruction) => instruction.value?.span.start === span.start);
  const end = owner?.value?.span.end ?? span.end;
  const behind = textBehindQuote(context, { start: span.start, end: context.text.length }, word);
  // A quote of one line was meant to close there; three quotes were meant for several.
  const lineEnd = context.lines.lineEnd(context.lines.position(span.start).line);
  const at = word === '"' && lineEnd > span.start + 1 ? lineEnd : end;
  const close = fix(`Close the value with ${word}`, false, edit({ start: at, end: at }, word));
  context.report(
    'modelfile/unclosed-quote',
    span,
    { word, suggestion: behind?.suggestion ?? wrongClosing(context, span, word) },
    { fixes: behind?.fix === undefined ? [close] : [behind.fix] },
  );
}

/** A closing that is none: `""`, `'''`, typographic quotes. */
function wrongClosing(context: LintContext, { start }: Span, word: string): string {
  const rest = context.text.slice(start + word.length, start + 20_000);
  const found = /(?:^|[^"])(""|'''|```|[“”]{1,3}|")[ \t]*(?:\r?\n|$)/.exec(rest);
  if (found?.[1] === undefined || found[1] === word) {
    return '';
  }
  const at = start + word.length + found.index + found[0].indexOf(found[1]);
  return ` The ${found[1]} in line ${context.lines.position(at).line + 1} does not close it.`;
}

function noFrom(context: LintContext): void {
  const end = context.lines.lineEnd(0);
  context.report('modelfile/no-from', { start: 0, end });
}
