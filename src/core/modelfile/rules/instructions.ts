import { ollamaNames } from '../../ollama/ollamaTable';
import { commentBehindValue } from '../commentBehindValue';
import { didYouMean } from '../didYouMean';
import { edit, fix, suggestion } from '../diagnostic';
import type { LintContext } from '../lintContext';

/** REQUIRES, RENDERER, PARSER, ADAPTER and FROM as far as the text alone tells. */
export function instructionRules(context: LintContext): void {
  for (const name of ['renderer', 'parser', 'requires']) {
    duplicates(context, name);
  }
  names(context, 'renderer', 'modelfile/unknown-renderer');
  names(context, 'parser', 'modelfile/unknown-parser');
  severalAdapters(context);
  emptyFrom(context);
}

function duplicates(context: LintContext, name: string): void {
  const last = context.last(name);
  for (const entry of context.all(name)) {
    if (last !== undefined && entry !== last) {
      const fixes = [context.removal(entry.instruction, true)];
      const values = { instruction: name.toUpperCase(), line: last.line };
      context.report('modelfile/duplicate-instruction', entry.instruction.span, values, { fixes, tag: 'unnecessary' });
    }
  }
}

function names(
  context: LintContext,
  name: 'renderer' | 'parser',
  code: 'modelfile/unknown-renderer' | 'modelfile/unknown-parser',
): void {
  const entry = context.last(name);
  const known = ollamaNames(name);
  const args = entry?.command.args ?? '';
  // A comment behind the name is told as that.
  const word = (entry?.value.quote === '' ? commentBehindValue(args) : undefined)?.value ?? args;
  if (entry === undefined || word === '' || known.has(word)) {
    return;
  }
  const meant = didYouMean(word, known.keys());
  const fixes =
    meant === undefined ? [] : [fix(`Write ${meant}`, false, edit(entry.value.span, args.replace(word, meant)))];
  context.report(code, entry.value.span, { word, suggestion: suggestion(meant) }, { fixes });
}

function severalAdapters(context: LintContext): void {
  const last = context.last('adapter');
  for (const entry of context.all('adapter')) {
    if (entry !== last) {
      context.report(
        'modelfile/several-adapters',
        entry.instruction.span,
        {},
        { fixes: [context.removal(entry.instruction, false)], tag: 'unnecessary' },
      );
    }
  }
}

function emptyFrom(context: LintContext): void {
  for (const entry of context.all('model')) {
    if (entry.command.args === '') {
      const fixes = [fix('Write FROM .', true, edit(entry.value.span, '.'))];
      context.report('modelfile/from-empty', entry.instruction.keywordSpan, {}, { fixes });
    }
  }
}
