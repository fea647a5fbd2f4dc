import { ollamaProfile } from '../../../src/core/ollama/ollamaProfile';
import type { Position, Range } from 'vscode-languageserver-types';
import { LineIndex } from '../../../src/core/modelfile/lineIndex';
import { LintContext } from '../../../src/core/modelfile/lintContext';
import type { ParsedModelfile, Span } from '../../../src/core/modelfile/modelfileTypes';
import { parseModelfile } from '../../../src/core/modelfile/parseModelfile';
import { analyseTemplate, type TemplateAnalysis } from '../../../src/core/modelfile/templateAnalysis';

/** One version of an open Modelfile; what is derived from its text is made once, when somebody asks. */
export class ModelfileDocument {
  private parsedText: ParsedModelfile | undefined;
  private lineIndex: LineIndex | undefined;
  private lintContext: LintContext | undefined;
  private analysis: { readonly value: TemplateAnalysis | undefined } | undefined;

  constructor(
    readonly uri: string,
    readonly version: number,
    readonly text: string,
  ) {}

  get parsed(): ParsedModelfile {
    this.parsedText ??= parseModelfile(this.text);
    return this.parsedText;
  }

  get lines(): LineIndex {
    this.lineIndex ??= new LineIndex(this.parsed.text);
    return this.lineIndex;
  }

  /** Commands by name, without any diagnostics. */
  get context(): LintContext {
    this.lintContext ??= new LintContext(this.parsed, ollamaProfile(undefined));
    return this.lintContext;
  }

  /** The TEMPLATE that counts. */
  get template(): TemplateAnalysis | undefined {
    this.analysis ??= { value: analyseTemplate(this.context) };
    return this.analysis.value;
  }

  offset(position: Position): number {
    return this.lines.offset(position);
  }

  range({ start, end }: Span): Range {
    return this.lines.range(start, end);
  }
}
