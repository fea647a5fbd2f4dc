import { familyOf, looksLikeToken, markersIn } from '../../chatTemplate/turnMarkers';
import type { ReportedDifference } from '../../chatTemplate/templateReport';
import { parseModelReference, shortModelName } from '../../ollama/modelName';
import { edit, type Fix, type TextEdit, fixAll } from '../diagnostic';
import type { DiagnosticCode } from '../diagnosticCodes';
import type { LintContext } from '../lintContext';
import { looksLikePath, type BaseModel } from '../modelFacts';
import type { TemplateAnalysis } from '../templateAnalysis';
import type { ComparedModel, ComparedTemplate, WorkspaceFacts } from '../workspaceFacts';
import { instruction } from '../writeModelfile';

/** Findings that say already, from the text alone, what a comparison would say again. */
const SAID: ReadonlyMap<DiagnosticCode, readonly ReportedDifference['kind'][] | 'all'> = new Map<
  DiagnosticCode,
  readonly ReportedDifference['kind'][] | 'all'
>([
  ['modelfile/template-no-turn-end', ['no-end']],
  ['modelfile/template-answer-closed', ['closed', 'header', 'text']],
  ['modelfile/template-no-answer-header', ['no-header', 'text', 'past-header']],
  ['modelfile/template-role-mismatch', ['header', 'past-header']],
  ['modelfile/template-ignores-system', ['system-lost']],
  ['modelfile/template-system-twice', ['system-twice']],
  ['modelfile/template-unknown-field', ['system-lost', 'error']],
  ['modelfile/template-fails', ['error']],
  ['modelfile/template-completion', 'all'],
  ['modelfile/template-foreign-markers', 'all'],
  ['modelfile/template-is-jinja', 'all'],
  ['modelfile/template-panics', 'all'],
]);

/** TEMPLATE beside the template that the model was trained with. Not for a TEMPLATE that Ollama does not use. */
export async function ownTemplateRules(
  context: LintContext,
  analysis: TemplateAnalysis,
  base: BaseModel,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const model = comparedModel(base);
  if (model === undefined || analysis.probe?.completion === 'fim') {
    return;
  }
  const report = await facts.compareTemplate(model, analysis.entry.command.args, signal);
  if (report === undefined || report.differences.length === 0) {
    return;
  }
  const said = [...SAID.keys()].filter((code) => context.hasReported(code));
  const kinds = new Set(said.flatMap((code) => SAID.get(code) ?? []));
  // Of a name, the model may be another than the one that is known here: only what is grave is told.
  const left = kinds.has('all')
    ? []
    : report.differences.filter(({ kind, isGrave }) => !kinds.has(kind) && (isGrave || model.kind === 'path'));
  const fixes = ownTemplateFixes(context, analysis, report, model);
  const [first, ...others] = left;
  if (first === undefined) {
    said.forEach((code) => context.amend(code, fixes, { isCompared: true }));
    return;
  }
  const more = others
    .slice(0, 2)
    .map(({ meaning }) => `; ${meaning}`)
    .join('');
  context.report(
    'modelfile/template-differs',
    analysis.entry.instruction.keywordSpan,
    { own: report.own, meaning: first.meaning, conversation: first.conversation, at: first.at + 1, more },
    { fixes, severity: first.isGrave ? 'warning' : 'information', isCompared: true },
  );
}

/** The model whose template counts: a file, or a name; undefined where there is none to be asked for. */
export function comparedModel({ fileLine, nameLine, folder }: BaseModel): ComparedModel | undefined {
  if (fileLine !== undefined && nameLine === undefined) {
    const { args } = fileLine.entry.command;
    const { path } = fileLine;
    const inner = path.kind === 'model-folder' && folder === undefined ? path.model.gguf?.name : undefined;
    return { kind: 'path', value: inner === undefined ? args : `${args.replace(/[\\/]$/, '')}/${inner}` };
  }
  const args = nameLine?.entry.command.args ?? '';
  const reference = looksLikePath(args) ? undefined : parseModelReference(args);
  // A base model's template is no chat template.
  return reference === undefined || /(?:^|[-_.])(?:base|text|pt)(?:[-_.]|$)/i.test(reference.name.tag)
    ? undefined
    : { kind: 'name', value: shortModelName(reference.name) };
}

/** Markers of a family that the model has no tokens for; nothing is said where its vocabulary is not known. */
export function foreignMarkers(context: LintContext, { entry }: TemplateAnalysis, base: BaseModel): void {
  if (base.specialTokens.length === 0) {
    return;
  }
  const known = new Set([...base.specialTokens, ...base.endTokens]);
  const literal = entry.command.args.replace(/\{\{[\s\S]*?\}\}/g, ' ');
  const markers = [...new Set(markersIn(literal))].filter(
    (marker) => familyOf(marker) !== undefined && !known.has(marker) && base.chatTemplate?.includes(marker) !== true,
  );
  if (markers.length === 0) {
    return;
  }
  const ends = base.endTokens.map((token) => `“${token}”`).join(', ');
  context.report('modelfile/template-foreign-markers', entry.instruction.keywordSpan, {
    markers: markers.slice(0, 3).join(', '),
    model: base.nameLine?.entry.command.args ?? base.fileLine?.entry.command.args ?? 'the model',
    number: markers.length === 1 ? 'a token' : 'tokens',
    advice:
      ends === '' ? 'Take the template of this model.' : `Its turns end with ${ends}: take the template of this model.`,
  });
}

function ownTemplateFixes(
  context: LintContext,
  { entry }: TemplateAnalysis,
  { replacement, own }: ComparedTemplate,
  model: ComparedModel,
): Fix[] {
  const removal = context.removal(entry.instruction, false, 'Remove this TEMPLATE, so that the model’s own is used');
  if (replacement === undefined) {
    return model.kind === 'path' ? [removal] : [];
  }
  let written: string;
  try {
    written = instruction('TEMPLATE', replacement.template);
  } catch {
    return [removal];
  }
  const there = new Set(context.all('stop').map(({ command }) => command.args));
  const added = replacement.stops
    .filter((text) => !there.has(text) && !/["\r\n]/.test(text))
    .map((text) => `${context.newline}PARAMETER stop "${text}"`);
  const edits: TextEdit[] = [
    edit(entry.instruction.span, `${written.replaceAll('\n', context.newline)}${added.join('')}`),
    ...foreignStops(context, replacement).map((span) => edit(span, '')),
  ];
  const title = model.kind === 'path' ? 'Use the model’s own template' : `Use ${own}`;
  return [fixAll(title, false, edits), removal];
}

/** Lines with stops of another family, which go with the template that they were written for. */
function foreignStops(
  context: LintContext,
  replacement: NonNullable<ComparedTemplate['replacement']>,
): readonly { readonly start: number; readonly end: number }[] {
  const written = replacement.template;
  return context
    .all('stop')
    .filter(({ command: { args } }) => {
      const isTheirs = looksLikeToken(args) && familyOf(args) !== undefined;
      return isTheirs && !replacement.stops.includes(args) && !written.includes(args) && replacement.stops.length > 0;
    })
    .map((stop) => context.linesOf(stop.instruction));
}
