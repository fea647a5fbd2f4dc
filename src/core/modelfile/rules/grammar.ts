import { didYouMean } from '../didYouMean';
import { edit, fix, suggestion, type Fix } from '../diagnostic';
import type { LintContext } from '../lintContext';
import { instructionBefore } from '../ownerAt';
import { INSTRUCTION_NAMES, type Span, type SyntaxProblem } from '../modelfileTypes';
import { PARAMETERS } from '../parameters';

const ROLES = ['system', 'user', 'assistant'];

/** What Ollama's parser refuses. */
export function grammarRules(context: LintContext): void {
  for (const problem of context.parsed.problems) {
    switch (problem.kind) {
      case 'unknown-instruction':
        unknownInstruction(context, problem);
        break;
      case 'missing-value':
        context.report('modelfile/missing-value', problem.span, {
          word: context.text.slice(problem.span.start, problem.span.end),
        });
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

function unknownInstruction(context: LintContext, { span, word, blockEnd, lines }: SyntaxProblem): void {
  const place = { start: span.start, end: lines > 1 ? blockEnd : span.end };
  if (context.isEnough('modelfile/unknown-instruction', place)) {
    return;
  }
  const meant = didYouMean(word.replace(/[:=].*$/s, ''), INSTRUCTION_NAMES);
  const fixes: Fix[] = [];
  if (meant !== undefined && lines === 1) {
    const [, letters, rest] = /^([A-Za-z]+)[:=]?(.*)$/s.exec(word) ?? [];
    // A word of prose may look like an instruction; one in capitals hardly does.
    const isSure = letters !== undefined && letters === letters.toUpperCase() && (rest === '' || letters === meant);
    fixes.push(
      fix(`Write ${meant}`, isSure, edit(span, rest === undefined || rest === '' ? meant : `${meant} ${rest}`)),
    );
  } else if (meant === undefined) {
    fixes.push(...wrapPrevious(context, span, blockEnd));
  }
  context.report('modelfile/unknown-instruction', place, { word, suggestion: suggestion(meant) }, { fixes });
}

/** Prose that goes on below an unquoted value belongs to it, most likely. */
function wrapPrevious(context: LintContext, span: Span, blockEnd: number): Fix[] {
  const before = instructionBefore(context.parsed.instructions, span.start - 1);
  const { value, keyword } = before ?? {};
  const isText = keyword === 'SYSTEM' || keyword === 'TEMPLATE' || keyword === 'LICENSE' || keyword === 'MESSAGE';
  if (value === undefined || !isText || value.quote !== '' || value.text === '') {
    return [];
  }
  const between = context.text.slice(value.span.end, span.start);
  if (!/^\s*$/.test(between) || context.text.slice(value.span.start, blockEnd).includes('"""')) {
    return [];
  }
  const title = `Put """ around the ${keyword} text`;
  return [
    fix(
      title,
      false,
      edit({ start: value.span.start, end: value.span.start }, '"""'),
      edit({ start: blockEnd, end: blockEnd }, '"""'),
    ),
  ];
}

function parameterName(context: LintContext, { span, word }: SyntaxProblem): void {
  if (context.isEnough('modelfile/parameter-name', span)) {
    return;
  }
  const [name = '', rest] = word.split('=', 2);
  const meant = didYouMean(name, PARAMETERS.keys());
  const replacement = meant === undefined ? undefined : rest === undefined ? meant : `${meant} ${rest}`.trimEnd();
  const fixes = replacement === undefined ? [] : [fix(`Write ${replacement}`, true, edit(span, replacement))];
  context.report('modelfile/parameter-name', span, { word, suggestion: suggestion(meant) }, { fixes });
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

function unclosedQuote(context: LintContext, { span, word }: SyntaxProblem): void {
  const owner = context.parsed.instructions.find((instruction) => instruction.value?.span.start === span.start);
  const end = owner?.value?.span.end ?? span.end;
  const fixes = [fix(`Close the value with ${word}`, false, edit({ start: end, end }, word))];
  context.report('modelfile/unclosed-quote', span, { word }, { fixes });
}

function noFrom(context: LintContext): void {
  const end = context.lines.lineEnd(0);
  context.report('modelfile/no-from', { start: 0, end });
}
