import type { ByteString } from '../golang/byteString';
import { isTemplateFunction } from './functionNames';
import { IdentifierCollector, identifiers, variableNames, type Identifiers } from './identifiers';
import type { CommentSpan } from './syntax/lexer';
import type { Definition, ListNode, Span, Tree } from './syntax/nodes';
import { TemplateParser } from './syntax/parser';
import type { ParseOutput, ParserOptions } from './syntax/parserOptions';
import { lineAt, SyntaxFailure } from './syntax/treeState';

/** A template that Ollama accepts. */
export interface ParsedTemplate {
  readonly text: string;
  /** The text itself under the empty name, and what `define` and `block` made. */
  readonly trees: ReadonlyMap<ByteString, Tree>;
  readonly main: Tree;
  readonly definitions: readonly Definition[];
  readonly comments: readonly CommentSpan[];
  /** Ollama's `Vars`: names of fields and variables, in lower case and sorted; `response` too where it is appended. */
  readonly vars: readonly string[];
  /** Whether Ollama adds `{{ .Response }}` at the end, for the text names neither .Messages nor .Response. */
  readonly appendsResponse: boolean;
}

/** Something that Ollama's `template.Parse` refuses. */
export interface TemplateProblem extends Span {
  /** Go's whole text, `template: :3: unexpected EOF`. */
  readonly error: string;
  /** 1-based line, as Go gives it. */
  readonly line: number;
  /** Of a block without an end: its opening action. */
  readonly related?: Span;
}

export type TemplateParse =
  | { readonly ok: true; readonly template: ParsedTemplate }
  | { readonly ok: false; readonly error: string; readonly line: number; readonly offset: number };

/** Behind this many problems an editor's parse stops reading. */
const MAX_PROBLEMS = 100;
const BARE_CALL = 'undefined template specified';

/** What Ollama would read of a text with lone surrogates: U+FFFD in their places. Offsets stay. */
function wellFormed(text: string): string {
  // Without the u flag the search is several times faster, and most texts have no surrogates at all.
  return /[\ud800-\udfff]/.test(text) ? text.replace(/[\ud800-\udfff]/gu, '\ufffd') : text;
}

function toProblem(failure: SyntaxFailure, text: string, unclosed: Span | undefined): TemplateProblem {
  const line = lineAt(text, failure.at.start);
  const { start, end } = failure.focus;
  const error = `template: :${line}: ${failure.text}`;
  return { error, line, start, end, ...(unclosed === undefined ? {} : { related: unclosed }) };
}

function finish(text: string, output: ParseOutput, names: ReadonlySet<string>): ParsedTemplate {
  const empty: Tree = { name: '', root: output.root };
  const main = output.trees.get('') ?? empty;
  const vars = variableNames(names);
  const appendsResponse = !vars.includes('messages') && !vars.includes('response');
  const { trees, definitions, comments } = output;
  return {
    text,
    trees,
    main,
    definitions,
    comments,
    vars: appendsResponse ? variableNames([...names, 'Response']) : vars,
    appendsResponse,
  };
}

function treeRoots(output: ParseOutput): ListNode[] {
  return Array.from(output.trees.values(), (tree) => tree.root);
}

/**
 * What Ollama's `template.Parse` makes of a text: the parsed template, or the error in its very words.
 * Linear in the length of the text; never throws.
 * @param isFunction the functions that there are: those of the newest Ollama unless another is meant
 */
export function parseTemplate(
  source: string,
  isFunction: ParserOptions['isFunction'] = isTemplateFunction,
): TemplateParse {
  return parse(source, { isFunction }, (output) => identifiers(treeRoots(output)));
}

/**
 * The same verdict and the same names without the tree: every list of the result has at most one statement. For texts
 * so long that what is kept of them takes more time than reading them.
 */
export function checkTemplate(source: string): TemplateParse {
  const collector = new IdentifierCollector();
  return parse(source, { visitor: collector, isFunction: isTemplateFunction }, () => collector.result());
}

function parse(
  source: string,
  options: Pick<ParserOptions, 'visitor' | 'isFunction'>,
  identifiersOf: (output: ParseOutput) => Identifiers,
): TemplateParse {
  const text = wellFormed(source);
  let output: ParseOutput;
  try {
    output = new TemplateParser(text, options).parse();
  } catch (thrown) {
    if (!(thrown instanceof SyntaxFailure)) {
      throw thrown;
    }
    const { error, line, start } = toProblem(thrown, text, undefined);
    return { ok: false, error, line, offset: start };
  }
  const { names, bareCall } = identifiersOf(output);
  if (bareCall !== undefined) {
    return { ok: false, error: BARE_CALL, line: lineAt(text, bareCall.start), offset: bareCall.start };
  }
  return { ok: true, template: finish(text, output, names) };
}

export interface TolerantParse {
  /** Every problem in the order of the text; Ollama itself reports the first only. */
  readonly problems: readonly TemplateProblem[];
  /** What could be read; where an action was wrong its node is missing or its pipeline empty. */
  readonly template: ParsedTemplate;
  /** The list of the text itself, also where a `{{define ""}}` took its place. */
  readonly root: ListNode;
}

/** Parses for an editor: goes on behind every error. Never throws. */
export function parseTemplateTolerantly(source: string): TolerantParse {
  const text = wellFormed(source);
  const problems: TemplateProblem[] = [];
  const output = new TemplateParser(text, {
    isFunction: isTemplateFunction,
    onFailure: (failure, unclosed) => {
      problems.push(toProblem(failure, text, unclosed));
      return problems.length < MAX_PROBLEMS;
    },
  }).parse();
  const { bareCall } = identifiers([output.root, ...output.definitions.map((definition) => definition.root)]);
  if (bareCall !== undefined) {
    problems.push({ error: BARE_CALL, line: lineAt(text, bareCall.start), start: bareCall.start, end: bareCall.end });
  }
  return { problems, template: finish(text, output, identifiers(treeRoots(output)).names), root: output.root };
}
