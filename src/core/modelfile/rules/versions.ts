import { compareVersions, requiresVersion } from '../../golang/semver';
import { behaviour } from '../../ollama/ollamaBehaviours';
import { judgedFor } from '../../ollama/ollamaProfile';
import { ollamaNames, type Availability, type OllamaNameKind } from '../../ollama/ollamaTable';
import { edit, fix, quoted } from '../diagnostic';
import type { Entry, LintContext } from '../lintContext';
import { parameterAvailability } from '../parameters';
import { inDocument, type TemplateAnalysis } from '../templateAnalysis';

/** REQUIRES, as far as the text alone tells. */
export function requiresRules(context: LintContext, analysis: TemplateAnalysis | undefined): void {
  for (const entry of context.all('requires')) {
    requires(context, entry, analysis);
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
  const { profile } = context;
  if (!profile.isAssumed && compareVersions(version, profile.version) > 0) {
    context.report('modelfile/requires-above-installed', span, { judged: judgedFor(profile), version });
  }
  const highest = usedFeatures(context, analysis)
    .filter(hasSince)
    .reduce<YoungFeature | undefined>(
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

/** What the Ollama at hand does not know yet, or does not know any more. */
export function versionRules(context: LintContext, analysis: TemplateAnalysis | undefined): void {
  const { profile } = context;
  const judged = judgedFor(profile);
  const seen = new Set<string>();
  for (const { name, since, gone, span } of usedFeatures(context, analysis)) {
    if (seen.has(name)) {
      continue;
    }
    if (since !== undefined && !profile.isAssumed && compareVersions(since, profile.version) > 0) {
      seen.add(name);
      context.report('modelfile/too-new', span, { feature: name, since, judged });
    } else if (gone !== undefined && compareVersions(gone, profile.version) <= 0) {
      seen.add(name);
      context.report('modelfile/gone', span, { feature: name, gone, judged });
    }
  }
  goneParameters(context);
}

/** Parameters that this Ollama refuses: an error where the version is known. */
function goneParameters(context: LintContext): void {
  const { profile } = context;
  if (profile.does('typicalP')) {
    return;
  }
  for (const entry of context.all('typical_p')) {
    const { instruction } = entry;
    context.report(
      'modelfile/gone-parameter',
      instruction.name?.span ?? instruction.span,
      {
        name: 'typical_p',
        gone: behaviour('typicalP').gone,
        says: 'typical_p is no longer supported',
        judged: judgedFor(profile),
      },
      {
        fixes: [context.removal(instruction, !profile.isAssumed)],
        tag: 'deprecated',
        severity: profile.isAssumed ? 'warning' : 'error',
      },
    );
  }
}

/** Something in the file that not every Ollama knows. */
interface Feature extends Availability {
  readonly name: string;
  readonly span: { readonly start: number; readonly end: number };
}

interface YoungFeature extends Feature {
  readonly since: string;
}

const hasSince = (feature: Feature): feature is YoungFeature => feature.since !== undefined;

/** Instructions, parameters and names of the file, and functions and fields of its template, that have a first or a last version. */
function usedFeatures(context: LintContext, analysis: TemplateAnalysis | undefined): Feature[] {
  return [...instructionFeatures(context), ...(analysis === undefined ? [] : templateFeatures(analysis))];
}

function templateFeatures({ entry, scopes }: TemplateAnalysis): Feature[] {
  const found = (kind: OllamaNameKind, name: string, shown: string, span: Feature['span']): Feature[] => {
    const entries = ollamaNames(kind).get(name);
    return entries === undefined ? [] : [{ ...entries, name: shown, span: inDocument(entry, span) }];
  };
  return [
    ...scopes.functions.flatMap(({ name, span }) =>
      found('templateFunction', name, `The function ${name} in TEMPLATE`, span),
    ),
    ...scopes.fields
      .filter(({ owner }) => owner === 'root')
      .flatMap(({ name, span }) => found('templateField', name, `.${name} in TEMPLATE`, span)),
  ];
}

function instructionFeatures(context: LintContext): Feature[] {
  return context.entries.flatMap((entry): Feature[] => {
    const { keyword = '', keywordSpan, name } = entry.instruction;
    const kind = keyword === 'RENDERER' ? 'renderer' : keyword === 'PARSER' ? 'parser' : undefined;
    const value = kind === undefined ? undefined : ollamaNames(kind).get(entry.command.args);
    if (value !== undefined) {
      return [{ ...value, name: `${keyword} ${entry.command.args}`, span: entry.value.span }];
    }
    // What create refuses of parameters has a finding of its own.
    const parameter = keyword === 'PARAMETER' ? parameterAvailability(entry.command.name) : undefined;
    if (parameter?.since !== undefined && name !== undefined) {
      return [{ since: parameter.since, name: `PARAMETER ${name.text}`, span: name.span }];
    }
    const instruction = ollamaNames('instruction').get(keyword);
    return instruction === undefined ? [] : [{ ...instruction, name: keyword, span: keywordSpan }];
  });
}
