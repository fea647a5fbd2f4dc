import { parseTemplate, parseTemplateTolerantly, type TemplateParse, type TolerantParse } from '../template/parseTemplate';
import type { Entry, LintContext } from './lintContext';
import type { Span } from './modelfileTypes';
import { offsetInDocument } from './scanValue';
import { probeTemplate, type TemplateProbe } from './templateProbe';
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

/** The last TEMPLATE of the file; undefined when there is none or it is empty, which Ollama ignores. */
export function analyseTemplate(context: LintContext): TemplateAnalysis | undefined {
  const entry = context.last('template');
  if (entry === undefined || entry.command.args === '') {
    return undefined;
  }
  const text = entry.command.args;
  const verdict = parseTemplate(text);
  const tolerant = parseTemplateTolerantly(text);
  const probe = verdict.ok && text.length <= MAX_PROBED ? probeTemplate(verdict.template) : undefined;
  return { entry, verdict, tolerant, scopes: templateScopes(tolerant), probe };
}

/** A place of the template in the document. */
export function inDocument(entry: Entry, span: Span): Span {
  const start = offsetInDocument(entry.value, span.start);
  return { start, end: Math.max(offsetInDocument(entry.value, span.end), start) };
}
