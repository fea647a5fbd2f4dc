import { didYouMean } from '../didYouMean';
import { edit, fix, quoted, suggestion } from '../diagnostic';
import type { Entry, LintContext } from '../lintContext';
import {
  INSTRUCTIONS_SINCE,
  PARAMETERS_SINCE,
  PARSERS,
  RENDERERS,
  TEMPLATE_FIELDS_SINCE,
  TEMPLATE_FUNCTIONS_SINCE,
} from '../ollamaFeatures';
import { compareVersions, requiresVersion } from '../../golang/semver';
import { inDocument, type TemplateAnalysis } from '../templateAnalysis';

/** REQUIRES, RENDERER, PARSER, ADAPTER and FROM as far as the text alone tells. */
export function instructionRules(context: LintContext): void {
  for (const name of ['renderer', 'parser', 'requires']) {
    duplicates(context, name);
  }
  names(context, 'renderer', RENDERERS, 'modelfile/unknown-renderer');
  names(context, 'parser', PARSERS, 'modelfile/unknown-parser');
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
  known: ReadonlyMap<string, string>,
  code: 'modelfile/unknown-renderer' | 'modelfile/unknown-parser',
): void {
  const entry = context.last(name);
  const word = entry?.command.args ?? '';
  if (entry === undefined || word === '' || known.has(word)) {
    return;
  }
  const meant = didYouMean(word, known.keys());
  const fixes = meant === undefined ? [] : [fix(`Write ${meant}`, false, edit(entry.value.span, meant))];
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

function requires(context: LintContext, entry: Entry, analysis: TemplateAnalysis | undefined): void {
  const version = requiresVersion(entry.command.args);
  const span = entry.value.span.start < entry.value.span.end ? entry.value.span : entry.instruction.keywordSpan;
  if (version === undefined) {
    const plain = /^[^0-9]*(\d+(?:\.\d+){0,2})/.exec(entry.command.args)?.[1];
    const isVersion = plain !== undefined && requiresVersion(plain) !== undefined;
    const fixes = isVersion ? [fix(`Write ${plain}`, false, edit(span, plain))] : [];
    context.report('modelfile/requires-version', span, { word: quoted(entry.command.args) }, { fixes });
    return;
  }
  if (entry !== context.last('requires')) {
    return;
  }
  if (context.ollamaVersion !== undefined && compareVersions(version, context.ollamaVersion) > 0) {
    context.report('modelfile/requires-above-installed', span, { installed: context.ollamaVersion, version });
  }
  const highest = usedFeatures(context, analysis).reduce<Feature | undefined>(
    (best, feature) => (best === undefined || compareVersions(feature.since, best.since) > 0 ? feature : best),
    undefined,
  );
  if (highest !== undefined && compareVersions(version, highest.since) < 0) {
    const fixes = [fix(`Require ${highest.since}`, true, edit(span, highest.since))];
    context.report(
      'modelfile/requires-too-low',
      span,
      { version, feature: highest.name, since: highest.since },
      { fixes },
    );
  }
}

/** Something in the file that not every Ollama knows. */
interface Feature {
  readonly name: string;
  readonly since: string;
  readonly span: { readonly start: number; readonly end: number };
}

/** Instructions, parameters and names of the file, and functions and fields of its template, that have a first version. */
function usedFeatures(context: LintContext, analysis: TemplateAnalysis | undefined): Feature[] {
  return [...instructionFeatures(context), ...(analysis === undefined ? [] : templateFeatures(analysis))];
}

function templateFeatures({ entry, scopes }: TemplateAnalysis): Feature[] {
  const functions = scopes.functions.map(({ name, span }) => ({
    name: `The function ${name} in TEMPLATE`,
    since: TEMPLATE_FUNCTIONS_SINCE.get(name),
    span,
  }));
  const fields = scopes.fields
    .filter(({ owner }) => owner === 'root')
    .map(({ name, span }) => ({ name: `.${name} in TEMPLATE`, since: TEMPLATE_FIELDS_SINCE.get(name), span }));
  return [...functions, ...fields].flatMap(({ name, since, span }) =>
    since === undefined ? [] : [{ name, since, span: inDocument(entry, span) }],
  );
}

function instructionFeatures(context: LintContext): Feature[] {
  return context.entries.flatMap((entry) => {
    const { keyword, keywordSpan, name } = entry.instruction;
    const known = keyword === 'RENDERER' ? RENDERERS : keyword === 'PARSER' ? PARSERS : undefined;
    const valueSince = known?.get(entry.command.args);
    if (valueSince !== undefined) {
      return [{ name: `${keyword ?? ''} ${entry.command.args}`, since: valueSince, span: entry.value.span }];
    }
    const parameterSince = keyword === 'PARAMETER' ? PARAMETERS_SINCE.get(entry.command.name) : undefined;
    if (parameterSince !== undefined && name !== undefined) {
      return [{ name: `PARAMETER ${name.text}`, since: parameterSince, span: name.span }];
    }
    const since = INSTRUCTIONS_SINCE.get(keyword ?? '');
    return since === undefined ? [] : [{ name: keyword ?? '', since, span: keywordSpan }];
  });
}

/** REQUIRES, and what the configured Ollama is too old for. */
export function versionRules(context: LintContext, analysis: TemplateAnalysis | undefined): void {
  for (const entry of context.all('requires')) {
    requires(context, entry, analysis);
  }
  const { ollamaVersion } = context;
  if (ollamaVersion === undefined) {
    return;
  }
  const seen = new Set<string>();
  for (const { name, since, span } of usedFeatures(context, analysis)) {
    if (compareVersions(since, ollamaVersion) > 0 && !seen.has(name)) {
      seen.add(name);
      context.report('modelfile/too-new', span, { feature: name, since, installed: ollamaVersion });
    }
  }
}
