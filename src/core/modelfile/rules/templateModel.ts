import { edit, fix, type Fix } from '../diagnostic';
import type { Entry, LintContext } from '../lintContext';
import { looksLikePath, type BaseModel } from '../modelFacts';
import { AUTOMATIC_RENDERERS, CONVERTIBLE_ARCHITECTURES, RENDERERS } from '../ollamaFeatures';
import type { TemplateAnalysis } from '../templateAnalysis';
import { prefersJinja } from '../../chatTemplate/templateChoice';
import { familyOf, looksLikeToken, markersIn } from '../../chatTemplate/turnMarkers';
import type { WorkspaceFacts } from '../workspaceFacts';
import { foreignMarkers, ownTemplateRules } from './ownTemplate';
import { dead } from './template';
import { USUAL_END_TOKENS } from './turns';

/** TEMPLATE, RENDERER, PARSER and stop texts against the model of this file. */
export async function templateModelRules(
  context: LintContext,
  analysis: TemplateAnalysis | undefined,
  base: BaseModel,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const renderer = rendererOf(context, base);
  const parser = context.last('parser')?.command.args || (base.installed?.parser ?? '');
  if (analysis?.verdict.ok === true && renderer.source !== 'file') {
    deadByModel(context, analysis, base, renderer, parser);
  }
  if (analysis !== undefined && renderer.name === '') {
    foreignMarkers(context, analysis, base);
  }
  if (renderer.name === '') {
    if (analysis === undefined) {
      missing(context, base, parser);
    } else {
      missingStop(context, analysis, base);
    }
  }
  unknownStops(context, analysis, base);
  foreignStops(context, analysis, base);
  const isUsed = renderer.name === '' && !context.hasReported('modelfile/template-dead');
  if (analysis?.verdict.ok === true && isUsed) {
    await ownTemplateRules(context, analysis, base, facts, signal);
  }
}

interface ChosenRenderer {
  readonly name: string;
  readonly source: 'file' | 'base' | 'architecture' | 'none';
}

function rendererOf(context: LintContext, base: BaseModel): ChosenRenderer {
  const own = context.last('renderer')?.command.args ?? '';
  if (own !== '') {
    return { name: own, source: 'file' };
  }
  const inherited = base.installed?.renderer ?? '';
  if (inherited !== '') {
    return { name: inherited, source: 'base' };
  }
  // Chosen when RENDERER or PARSER is missing.
  const automatic = AUTOMATIC_RENDERERS.get(base.architecture ?? '') ?? '';
  return { name: automatic, source: automatic === '' ? 'none' : 'architecture' };
}

function deadByModel(
  context: LintContext,
  analysis: TemplateAnalysis,
  base: BaseModel,
  renderer: ChosenRenderer,
  parser: string,
): void {
  if (renderer.source === 'base') {
    dead(
      context,
      analysis,
      `${base.nameLine?.entry.command.args ?? 'The base'} brings RENDERER ${renderer.name}, which this model inherits.`,
    );
    return;
  }
  if (renderer.source === 'architecture') {
    const how = context.last('parser') === undefined ? '' : ', also beside a PARSER';
    dead(context, analysis, `Ollama renders ${base.architecture ?? ''} models by itself (${renderer.name})${how}.`);
    return;
  }
  const jinja = base.chatTemplate;
  const isHarmony =
    /^gpt-?oss/i.test(base.architecture ?? '') &&
    ['<|start|>', '<|end|>'].every((tag) => analysis.entry.command.args.includes(tag));
  if (
    parser === '' &&
    !isHarmony &&
    jinja !== undefined &&
    analysis.verdict.ok &&
    prefersJinja(jinja, analysis.verdict.template)
  ) {
    dead(
      context,
      analysis,
      'the template inside the model file can do more (tools, thinking), and Ollama prefers it. OLLAMA_GO_TEMPLATE=1 forces TEMPLATE.',
    );
  }
}

function missing(context: LintContext, base: BaseModel, parser: string): void {
  const inheritsTemplate = (base.installed?.template ?? '') !== '';
  const mayInherit =
    base.nameLine !== undefined && base.installed === undefined && !looksLikePath(base.nameLine.entry.command.args);
  if (inheritsTemplate || mayInherit) {
    return;
  }
  const entry = context.last('parser');
  if (entry !== undefined && entry.command.args !== '') {
    const suggestion = RENDERERS.has(parser) ? parser : 'of the same model';
    const end = entry.instruction.span.end;
    const fixes = RENDERERS.has(parser)
      ? [fix(`Add RENDERER ${parser}`, true, edit({ start: end, end }, `${context.newline}RENDERER ${parser}`))]
      : [];
    context.report('modelfile/parser-without-renderer', entry.instruction.span, { suggestion }, { fixes });
    return;
  }
  const line = base.fileLine;
  if (
    line === undefined ||
    !base.isKnown ||
    base.chatTemplate !== undefined ||
    base.isEmbedding ||
    base.architecture === 'bert' ||
    !isConverted(base)
  ) {
    return;
  }
  const without = '/api/chat uses ChatML, whatever the model was trained on, and /api/generate the bare prompt.';
  const consequence =
    base.folder?.separateChatTemplate === undefined
      ? without
      : `Ollama’s converter leaves its chat_template.jinja out, so that ${without}`;
  context.report('modelfile/template-missing', line.entry.value.span, { path: line.entry.command.args, consequence });
}

/** A folder that Ollama cannot convert has other troubles than its template. */
function isConverted({ folder }: BaseModel): boolean {
  return (
    folder === undefined ||
    (folder.quantisation === undefined && CONVERTIBLE_ARCHITECTURES.has(folder.architecture ?? ''))
  );
}

function missingStop(context: LintContext, analysis: TemplateAnalysis, base: BaseModel): void {
  const { probe } = analysis;
  const token = probe?.turnEnd;
  const isInheriting = base.nameLine !== undefined && !looksLikePath(base.nameLine.entry.command.args);
  const isForeign = context.hasReported('modelfile/template-foreign-markers');
  if (token === undefined || isForeign || (isInheriting && base.installed === undefined)) {
    return;
  }
  const after = probe?.afterAnswer ?? '';
  const own = context.all('stop').map(({ command }) => command.args);
  const stops = own.length > 0 ? own : (base.installed?.stops ?? []);
  const isNative = base.endTokens.length === 0 && USUAL_END_TOKENS.has(token);
  if (isNative || [...stops, ...base.endTokens].some((text) => text !== '' && after.includes(text))) {
    return;
  }
  const ends = base.endTokens.map((text) => `“${text}”`).join(', ');
  const reason =
    ends === '' ? 'no stop text of this file matches it' : `the model itself ends at ${ends}, and no stop text matches`;
  context.report(
    'modelfile/template-no-stop',
    analysis.entry.instruction.keywordSpan,
    { token, reason },
    { fixes: addStop(context, analysis.entry, token) },
  );
}

function addStop(context: LintContext, entry: Entry, token: string): Fix[] {
  if (token.includes('"')) {
    return [];
  }
  const end = entry.instruction.span.end;
  return [
    fix(
      `Add PARAMETER stop "${token}"`,
      looksLikeToken(token),
      edit({ start: end, end }, `${context.newline}PARAMETER stop "${token}"`),
    ),
  ];
}

/** Stop texts that look like tokens of another model. */
function unknownStops(context: LintContext, analysis: TemplateAnalysis | undefined, base: BaseModel): void {
  if (base.specialTokens.length === 0) {
    return;
  }
  const known = new Set([...base.specialTokens, ...base.endTokens]);
  const templates = [analysis?.entry.command.args, base.chatTemplate, base.installed?.template];
  for (const entry of context.all('stop')) {
    const text = entry.command.args;
    if (looksLikeToken(text) && !known.has(text) && !templates.some((template) => template?.includes(text) === true)) {
      const tokens = base.endTokens.map((token) => `“${token}”`).join(', ') || 'tokens of its own';
      const [end] = base.endTokens;
      const fixes =
        end === undefined || end.includes('"') ? [] : [fix(`Write ${end}`, false, edit(entry.value.span, `"${end}"`))];
      context.report('modelfile/stop-unknown-token', entry.value.span, { word: text, tokens }, { fixes });
    }
  }
}

/** Stops of another family than the TEMPLATE, where the vocabulary of the model is not known. */
function foreignStops(context: LintContext, analysis: TemplateAnalysis | undefined, base: BaseModel): void {
  if (analysis === undefined || base.specialTokens.length > 0) {
    return;
  }
  const text = analysis.entry.command.args;
  const own = new Set(markersIn(text).flatMap((marker) => familyOf(marker)?.name ?? []));
  for (const entry of own.size === 0 ? [] : context.all('stop')) {
    const word = entry.command.args;
    const family = familyOf(word)?.name;
    if (family !== undefined && !own.has(family) && !text.includes(word)) {
      context.report('modelfile/stop-foreign', entry.value.span, { word, family, own: [...own].join(', ') });
    }
  }
}
