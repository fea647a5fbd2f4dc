import { OLLAMA_BEHAVIOURS } from '../ollama/ollamaBehaviours';
import { append } from '../append';
import { prefersJinja } from './templateChoice';
import { parseTemplate } from '../goTemplate/parseTemplate';
import type { ChatFormat, JinjaRenderer } from './chatFormat';
import { withContentForm } from './contentForm';
import {
  compareTemplate,
  renderExpectations,
  type Expectations,
  type TemplateComparison,
  type TemplateDifference,
} from './compareTemplate';
import { generateTemplate } from './generate/generateTemplate';
import { suspiciousJinja } from './suspiciousJinja';
import { stopTexts, type StopText } from './stopTexts';

/** A Go template that may be the right one. */
export interface TemplateCandidate {
  /** Name of the library model it is of: `qwen3:0.6b`. */
  readonly model: string;
  readonly template: string;
}

/** What is known of the library model that a base is, or is made from. */
export interface BaseLibraryModel extends Partial<TemplateCandidate> {
  readonly model: string;
  readonly stops?: readonly string[] | undefined;
  readonly parameters?: Readonly<Record<string, number | boolean | string>> | undefined;
  readonly renderer?: string | undefined;
  readonly parser?: string | undefined;
  readonly license?: readonly string[] | undefined;
}

/** A `PARAMETER` line, and why it is there. */
export interface ParameterLine {
  readonly name: string;
  readonly value: number | boolean | string;
  readonly reason: string;
}

/** Template, stops and the rest of a Modelfile, with the reasons. */
export interface TemplateChoice {
  /** The text for TEMPLATE; undefined where none should be written. */
  readonly template?: string | undefined;
  readonly origin: 'library' | 'generated' | 'base' | 'none';
  /** Of origins `library` and `base`: the library model. */
  readonly model?: string | undefined;
  /** The TEMPLATE gives what the model's own template gives in every conversation compared. */
  readonly exact: boolean;
  /** The same but for white space at the ends of messages, which no template of Ollama can take off. */
  readonly exactButTrim: boolean;
  readonly comparison?: TemplateComparison | undefined;
  /** In sentences, the weightiest first: what a user should know. */
  readonly notes: readonly string[];
  readonly stops: readonly StopText[];
  readonly parameters: readonly ParameterLine[];
  readonly renderer?: string | undefined;
  readonly parser?: string | undefined;
  readonly license?: readonly string[] | undefined;
  /** Since llama.cpp's own server runs the models, Ollama takes the model's own Jinja template and not this TEMPLATE, for it can more. */
  readonly jinjaWins: boolean;
}

export interface ChooseTemplateOptions {
  /** Templates of the library to try where the generated one is not the same; asked for only then. */
  readonly candidates?: (() => Promise<readonly TemplateCandidate[]>) | undefined;
  /** The library model that the base is; only then RENDERER and PARSER are taken over. */
  readonly base?: BaseLibraryModel | undefined;
  /** Milliseconds; the date for templates that write one. */
  readonly now: number;
  readonly signal?: AbortSignal | undefined;
}

interface Judged {
  readonly origin: 'library' | 'generated' | 'base';
  readonly model?: string | undefined;
  readonly template: string;
  readonly comparison: TemplateComparison;
  readonly gaps?: readonly string[] | undefined;
  readonly doubts?: readonly string[] | undefined;
}

/**
 * The Go template for a model, from its own Jinja template: one of the library, or one that is generated, taken for the right one only
 * if it renders all conversations as the Jinja does; else the nearest, with every difference said. Never a guess that is not told.
 */
export async function chooseTemplate(
  format: ChatFormat,
  render: JinjaRenderer,
  options: ChooseTemplateOptions,
): Promise<TemplateChoice> {
  const { base, signal } = options;
  if (format.jinja === undefined || format.jinja.trim() === '') {
    return withoutJinja(format, base);
  }
  const own = await withContentForm({ ...format, jinja: format.jinja }, render, signal);
  const { template, gaps, knowsTools } = await generateTemplate(own, render, signal);
  const expectations = await renderExpectations(
    own,
    render,
    { now: options.now, tools: knowsTools, thinking: knowsThinking(own) },
    signal,
  );
  if (!expectations.cases.some(({ answer }) => answer.ok)) {
    return unreadable(format, base, expectations);
  }
  const judged: Judged[] = [];
  const judge = (candidate: Omit<Judged, 'comparison'>): void => {
    judged.push({ ...candidate, comparison: compareTemplate(candidate.template, expectations) });
  };
  if (base?.template !== undefined) {
    judge({ origin: 'base', model: base.model, template: base.template });
  }
  if (template !== undefined) {
    judge({ origin: 'generated', template: template.text, gaps: template.gaps, doubts: template.doubts });
  }
  if (!judged.some(({ comparison }) => isRight(comparison))) {
    for (const candidate of (await options.candidates?.()) ?? []) {
      judge({ origin: 'library', ...candidate });
    }
  }
  // Among equals the first: the base's own, the generated one, the library's.
  const [best] = judged.sort((a, b) => distance(a.comparison) - distance(b.comparison));
  return best === undefined ? unreadable(format, base, expectations, gaps) : decided(best, format, base, expectations);
}

/** Words alone decide: nothing is run. */
function knowsThinking({ jinja }: { readonly jinja: string }): boolean {
  return /\benable_thinking\b|\bthinking\b|\breasoning_content\b/.test(jinja);
}

/** White space at the ends of messages is beyond what any template of Ollama can do. */
function isRight({ differences }: TemplateComparison): boolean {
  return differences.every(({ kind }) => kind === 'trim');
}

function distance({ differences }: TemplateComparison): number {
  const weights = { trim: 1, json: 10, text: 100, error: 1000 };
  return differences.reduce((sum, { kind }) => sum + weights[kind], 0);
}

function decided(
  best: Judged,
  format: ChatFormat,
  base: BaseLibraryModel | undefined,
  expectations: Expectations,
): TemplateChoice {
  const { template, comparison, origin, model } = best;
  const parsed = parseTemplate(template);
  const jinjaWins = parsed.ok && format.jinja !== undefined && prefersJinja(format.jinja, parsed.template);
  const real = comparison.differences.filter(({ kind }) => kind !== 'trim');
  return {
    template,
    origin,
    model,
    exact: comparison.differences.length === 0,
    exactButTrim: real.length === 0,
    comparison,
    notes: [
      ...suspiciousJinja(format.jinja ?? ''),
      ...differenceNotes(comparison),
      ...(best.gaps ?? []),
      ...(real.length > 0 || comparison.refused.length > 0 ? (best.doubts ?? []) : []),
      ...bosNote(format, expectations),
      ...(jinjaWins ? [JINJA_WINS] : []),
      ...rendererNote(base),
    ],
    stops: stopTexts(format, template, base?.stops),
    ...fromBase(format, base),
    jinjaWins,
  };
}

const JINJA_WINS = `Ollama ${OLLAMA_BEHAVIOURS.prefersJinja.since} and later uses the model's own Jinja template instead of this TEMPLATE, because that one can more; OLLAMA_GO_TEMPLATE=1 on the server forces the TEMPLATE.`;

function rendererNote(base: BaseLibraryModel | undefined): string[] {
  return base?.renderer === undefined && base?.parser === undefined
    ? []
    : [
        `RENDERER and PARSER are those of ${base.model}; with them Ollama writes the prompt itself, and TEMPLATE counts only for versions that do not know them.`,
      ];
}

function differenceNotes({ differences, compared, refused }: TemplateComparison): string[] {
  const real = differences.filter(({ kind }) => kind !== 'trim');
  const notes: string[] = [];
  if (real.length > 0) {
    notes.push(
      `The TEMPLATE is not the model's own: ${real.length} of ${compared.length} conversations come out otherwise (${real.map(({ conversation }) => conversation).join(', ')}).`,
    );
    append(notes, real.slice(0, MAX_TOLD).map(differenceNote));
  }
  if (differences.length > real.length) {
    notes.push(
      "The model's own template takes white space off the ends of messages; Ollama's templates cannot. It matters only for messages that begin or end with it.",
    );
  }
  if (refused.length > 0) {
    notes.push(
      `The model's own template refuses ${refused.length === 1 ? 'one kind' : `${refused.length} kinds`} of conversations (${refused.map(({ conversation }) => conversation).join(', ')}): what the TEMPLATE does there is nobody's rule.`,
    );
  }
  return notes;
}

const MAX_TOLD = 3;

function differenceNote({ conversation, kind, at, expected, found }: TemplateDifference): string {
  return kind === 'error'
    ? `${conversation}: the TEMPLATE fails: ${found}`
    : `${conversation}, from character ${at}: ${JSON.stringify(expected)} became ${JSON.stringify(found)}.`;
}

function bosNote({ jinja = '', specials, addsBos }: ChatFormat, { cases }: Expectations): string[] {
  const { bos_token: bos = '' } = specials;
  if (!addsBos || bos === '') {
    return [];
  }
  if (!jinja.includes('bos_token') && !jinja.includes(bos)) {
    return [
      `Ollama puts ${bos} before every prompt, because the tokenizer says so; the model's own template does not.`,
    ];
  }
  const [first] = cases;
  return first?.answer.ok === true && first.answer.text.includes(bos)
    ? [
        `Ollama puts ${bos} before every prompt, and the model's own template writes it once more after other text: the model sees it twice.`,
      ]
    : [];
}

function fromBase(
  format: ChatFormat,
  base: BaseLibraryModel | undefined,
): Pick<TemplateChoice, 'parameters' | 'renderer' | 'parser' | 'license'> {
  const lines = new Map<string, ParameterLine>();
  for (const [name, value] of Object.entries(format.parameters)) {
    lines.set(name, { name, value, reason: format.parametersSource ?? 'the model' });
  }
  for (const [name, value] of Object.entries(base?.parameters ?? {})) {
    lines.set(name, { name, value, reason: `as ${base?.model ?? ''} of the library has it` });
  }
  return { parameters: [...lines.values()], renderer: base?.renderer, parser: base?.parser, license: base?.license };
}

function withoutJinja(format: ChatFormat, base: BaseLibraryModel | undefined): TemplateChoice {
  const taken = base?.template;
  return {
    template: taken,
    origin: taken === undefined ? 'none' : 'base',
    model: taken === undefined ? undefined : base?.model,
    exact: false,
    exactButTrim: false,
    notes: [
      taken === undefined
        ? 'The model has no chat template, so it is probably no chat model: no TEMPLATE is written, and Ollama sends prompts as they are. If it was trained on a chat format, write that as TEMPLATE.'
        : `The model has no chat template of its own to compare with; the TEMPLATE is that of ${base?.model ?? ''}.`,
    ],
    stops: stopTexts(format, taken, base?.stops),
    ...fromBase(format, base),
    jinjaWins: false,
  };
}

function unreadable(
  format: ChatFormat,
  base: BaseLibraryModel | undefined,
  expectations: Expectations,
  gaps: readonly string[] = [],
): TemplateChoice {
  const failed = expectations.cases.find(({ answer }) => !answer.ok)?.answer;
  const why = failed === undefined || failed.ok ? gaps : [`It ends with: ${failed.error}`];
  const choice = withoutJinja({ ...format, jinja: undefined }, base);
  return {
    ...choice,
    notes: [
      `No TEMPLATE is taken over from the model's chat template: it could not be worked with, and Ollama ${OLLAMA_BEHAVIOURS.prefersJinja.since} and later may use it as it is.`,
      ...why,
      ...(choice.template === undefined ? [] : choice.notes),
    ],
    jinjaWins: true,
  };
}
