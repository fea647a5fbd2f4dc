import { LIMITS } from '../limits';
import type { Diagnostic } from './diagnostic';
import type { DiagnosticCode } from './diagnosticCodes';
import type { Severity } from './diagnostics/diagnosticInfo';
import { LintContext } from './lintContext';
import { readBaseModel } from './modelFacts';
import type { ParsedModelfile } from './modelfileTypes';
import { adapterRules, adapterSupport } from './rules/adapter';
import { contextOverflow, conversationRules } from './rules/conversation';
import { fromRules } from './rules/from';
import { grammarRules } from './rules/grammar';
import { instructionRules } from './rules/instructions';
import { literalTextRules } from './rules/literalText';
import { parameterRules } from './rules/parameters';
import { quotingRules } from './rules/quoting';
import { stopRules } from './rules/stops';
import { templateRules } from './rules/template';
import { templateModelRules } from './rules/templateModel';
import { requiresRules, versionRules } from './rules/versions';
import { readSuppressions, type Suppressions } from './suppressions';
import { analyseTemplate } from './templateAnalysis';
import { ollamaProfile, type OllamaProfile } from '../ollama/ollamaProfile';
import { NO_FACTS, type WorkspaceFacts } from './workspaceFacts';

export interface LintOptions {
  /** Severities that differ from the table; `off` silences a code. Errors of Ollama itself may be changed too. */
  readonly severities?: ReadonlyMap<DiagnosticCode, Severity | 'off'> | undefined;
  readonly facts?: WorkspaceFacts | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What the text alone tells: grammar, values, quoting, templates; with a profile also what that Ollama takes. Fast enough for every keystroke. */
export function lintText(
  parsed: ParsedModelfile,
  options: Pick<LintOptions, 'severities'> & { readonly profile?: OllamaProfile | undefined } = {},
): readonly Diagnostic[] {
  const context = new LintContext(parsed, options.profile ?? ollamaProfile(undefined));
  textRules(context);
  if (isAnalysed(parsed)) {
    const analysis = analyseTemplate(context);
    templateRules(context, analysis);
    requiresRules(context, analysis);
    if (options.profile !== undefined) {
      versionRules(context, analysis);
    }
    contextOverflow(context);
  }
  return finish(context, options);
}

/** Everything: the text, and the files and models that it names. Sorted by place. */
export async function lintModelfile(
  parsed: ParsedModelfile,
  options: LintOptions = {},
): Promise<readonly Diagnostic[]> {
  const { facts = NO_FACTS, signal } = options;
  const context = new LintContext(parsed, await facts.ollama(signal));
  textRules(context);
  if (isAnalysed(parsed)) {
    const analysis = analyseTemplate(context);
    templateRules(context, analysis);
    requiresRules(context, analysis);
    versionRules(context, analysis);
    const base = await readBaseModel(context, facts, signal);
    await fromRules(context, base, facts, signal);
    adapterSupport(context);
    await adapterRules(context, base, facts, signal);
    await templateModelRules(context, analysis, base, facts, signal);
    contextOverflow(context, { contextLength: base.contextLength, numCtx: base.installed?.numCtx });
  }
  return finish(context, options);
}

/** After a quote that never closes everything is guesswork; a file of many megabytes is nobody's Modelfile. */
function isAnalysed(parsed: ParsedModelfile): boolean {
  return parsed.text.length <= LIMITS.modelfileBytes && !parsed.problems.some(({ kind }) => kind === 'unclosed-quote');
}

function textRules(context: LintContext): void {
  grammarRules(context);
  if (!isAnalysed(context.parsed)) {
    if (context.text.length > LIMITS.modelfileBytes) {
      context.report(
        'modelfile/large-file',
        { start: 0, end: context.lines.lineEnd(0) },
        { what: 'The file', size: '4 MiB' },
      );
    }
    return;
  }
  parameterRules(context);
  stopRules(context);
  instructionRules(context);
  quotingRules(context);
  literalTextRules(context);
  conversationRules(context);
}

function finish(context: LintContext, { severities }: Pick<LintOptions, 'severities'>): readonly Diagnostic[] {
  const suppressions = readSuppressions(context);
  const result: Diagnostic[] = [];
  for (const found of context.diagnostics) {
    const severity = severities?.get(found.code) ?? found.severity;
    if (severity !== 'off' && !isSilenced(context, suppressions, found)) {
      result.push(severity === found.severity ? found : { ...found, severity });
    }
  }
  return result.sort((a, b) => a.span.start - b.span.start || a.span.end - b.span.end);
}

/** By a comment above its line, or above the instruction whose value it stands in. */
function isSilenced(context: LintContext, byLine: Suppressions, { code, span }: Diagnostic): boolean {
  if (byLine.size === 0) {
    return false;
  }
  const owner = context.ownerAt(span.start);
  return [span.start, owner?.span.start ?? span.start].some(
    (offset) => byLine.get(context.lines.position(offset).line)?.has(code) === true,
  );
}
