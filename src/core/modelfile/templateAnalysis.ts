import { LIMITS } from '../limits';
import {
  checkTemplate,
  parseTemplate,
  parseTemplateTolerantly,
  type TemplateParse,
  type TolerantParse,
} from '../goTemplate/parseTemplate';
import type { Entry, LintContext } from './lintContext';
import type { ParsedModelfile, Span } from './modelfileTypes';
import { offsetInDocument } from './scanValue';
import { probeTemplate, type TemplateProbe } from '../chatTemplate/templateProbe';
import { templateScopes, type TemplateScopes } from './templateScope';

/** The TEMPLATE that counts, looked at from all sides. */
export interface TemplateAnalysis {
  readonly entry: Entry;
  /** What Ollama says of it. */
  readonly verdict: TemplateParse;
  readonly tolerant: TolerantParse;
  readonly scopes: TemplateScopes;
  /** Undefined where Ollama refuses the template. */
  readonly probe?: TemplateProbe | undefined;
}

/** Longer templates are parsed, but not rendered while somebody types. */
const MAX_PROBED = 256 * 1024;

type TextAnalysis = Omit<TemplateAnalysis, 'entry'>;

/** One text is looked at by diagnostics, hover and the rest in turn. */
const analysed = new WeakMap<ParsedModelfile, { readonly analysis: TemplateAnalysis | undefined }>();
/** Most keys are pressed outside of the template: its text is then the one of before. */
let last: { readonly text: string; readonly analysis: TextAnalysis } | undefined;

/** The last TEMPLATE of the file; undefined when there is none or it is empty, which Ollama ignores. */
export function analyseTemplate(context: LintContext): TemplateAnalysis | undefined {
  const known = analysed.get(context.parsed);
  if (known !== undefined) {
    return known.analysis;
  }
  const entry = context.last('template');
  const text = entry?.command.args ?? '';
  let analysis: TemplateAnalysis | undefined;
  if (entry !== undefined && text !== '') {
    last = last?.text === text ? last : { text, analysis: analyse(text) };
    analysis = { entry, ...last.analysis };
  }
  analysed.set(context.parsed, { analysis });
  return analysis;
}

/** Whether only the syntax of a template is looked at. */
export function isLargeTemplate(text: string): boolean {
  return text.length > LIMITS.chatTemplateBytes;
}

function analyse(text: string): TextAnalysis {
  if (isLargeTemplate(text)) {
    return syntaxOnly(text);
  }
  const verdict = parseTemplate(text);
  // What Ollama accepts has no problems to recover from; only where a definition hides the text itself is there more to see.
  const isPlain = verdict.ok && !verdict.template.definitions.some(({ name }) => name === '');
  const tolerant = isPlain
    ? { problems: [], template: verdict.template, root: verdict.template.main.root }
    : parseTemplateTolerantly(text);
  const probe = verdict.ok && text.length <= MAX_PROBED ? probeTemplate(verdict.template) : undefined;
  return { verdict, tolerant, scopes: templateScopes(tolerant), probe };
}

function syntaxOnly(text: string): TextAnalysis {
  const verdict = checkTemplate(text);
  const { template, root } = parseTemplateTolerantly('');
  const problems = verdict.ok
    ? []
    : [{ error: verdict.error, line: verdict.line, start: verdict.offset, end: verdict.offset + 1 }];
  return { verdict, tolerant: { problems, template, root }, scopes: { fields: [], functions: [], areas: [] } };
}

/** A place of the template in the document. */
export function inDocument(entry: Entry, span: Span): Span {
  const start = offsetInDocument(entry.value, span.start);
  return { start, end: Math.max(offsetInDocument(entry.value, span.end), start) };
}
