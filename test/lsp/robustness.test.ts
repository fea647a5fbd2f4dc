import { describe, expect, it } from 'vitest';
import {
  DocumentDiagnosticRequest,
  type FullDocumentDiagnosticReport,
  type Range,
} from 'vscode-languageserver-protocol';
import {
  computeCodeActions,
  computeCompletions,
  computeDiagnostics,
  computeDocumentLinks,
  computeDocumentSymbols,
  computeFoldingRanges,
  computeFormatting,
  computeHover,
  computeSemanticTokens,
  computeSignatureHelp,
  ModelfileDocument,
} from '../../language-server/src/service/languageService';
import { NO_FACTS } from '../../src/core/modelfile/workspaceFacts';
import { mutate, randomModelfile } from '../support/modelfileGenerator';
import { Random } from '../support/random';
import { TemplateGenerator } from '../support/templateGenerator';
import { TestConnection } from './testConnection';

const URI = 'file:///nowhere/Modelfile';
const EDITS = Number(process.env['MODELFILE_STUDIO_LSP_EDITS'] ?? 10_000);
/** A text is begun anew before it grows beyond what somebody edits. */
const LONGEST = 4000;

function seedText(random: Random): string {
  const template = random.chance(0.5) ? `TEMPLATE """${new TemplateGenerator(random).template()}"""\n` : '';
  return randomModelfile(random) + template;
}

function inside(document: ModelfileDocument, range: Range): boolean {
  const start = document.offset(range.start);
  const end = document.offset(range.end);
  return (
    start <= end &&
    range.start.line >= 0 &&
    range.end.line < document.lines.lineCount &&
    document.lines.position(end).character === range.end.character
  );
}

/** Every feature at one place; what it gives must lie within the document. */
async function everything(document: ModelfileDocument, offset: number, note: string): Promise<void> {
  const position = document.lines.position(offset);
  const range = { start: position, end: position };
  const diagnostics = await computeDiagnostics(document, NO_FACTS);
  const ranges: (Range | undefined)[] = diagnostics.map((diagnostic) => diagnostic.range);
  for (const { textEdit } of await computeCompletions(document, position, NO_FACTS)) {
    ranges.push(textEdit !== undefined && 'range' in textEdit ? textEdit.range : undefined);
  }
  ranges.push((await computeHover(document, position, NO_FACTS))?.range);
  computeSignatureHelp(document, position);
  ranges.push(...computeDocumentSymbols(document).flatMap((symbol) => [symbol.range, symbol.selectionRange]));
  ranges.push(...computeDocumentLinks(document).map(({ link }) => link.range));
  ranges.push(...computeFormatting(document).map((edit) => edit.range));
  ranges.push(
    ...(await computeCodeActions(document, { range, diagnostics }, NO_FACTS)).flatMap((action) =>
      Object.values(action.edit?.changes ?? {})
        .flat()
        .map((edit) => edit.range),
    ),
  );
  expect(
    computeFoldingRanges(document).every(
      ({ startLine, endLine }) => startLine < endLine && endLine < document.lines.lineCount,
    ),
    note,
  ).toBe(true);
  expect(
    computeSemanticTokens(document).data.every((value) => value >= 0),
    note,
  ).toBe(true);
  expect(
    ranges.filter((found) => found !== undefined && !inside(document, found)),
    note,
  ).toEqual([]);
}

describe('the service', () => {
  it(`survives ${EDITS} edits, each looked at from everywhere`, { timeout: 600_000 }, async () => {
    const seed = Number(process.env['MODELFILE_STUDIO_FUZZ_SEED'] ?? Date.now() % 1_000_000_000);
    const random = new Random(seed);
    let text = seedText(random);
    for (let i = 0; i < EDITS; i += 1) {
      text = text.length > LONGEST || random.chance(0.02) ? seedText(random) : mutate(random, text);
      const document = new ModelfileDocument(URI, i, text);
      await everything(document, random.below(text.length + 1), `seed ${seed}, edit ${i}: ${JSON.stringify(text)}`);
    }
  });

  it('has the severest symbol within its parent, whatever the edit', () => {
    const random = new Random(7);
    for (let i = 0; i < 500; i += 1) {
      const document = new ModelfileDocument(URI, i, mutate(random, seedText(random)));
      for (const { range, selectionRange } of computeDocumentSymbols(document)) {
        expect(document.offset(selectionRange.start)).toBeGreaterThanOrEqual(document.offset(range.start));
        expect(document.offset(selectionRange.end)).toBeLessThanOrEqual(document.offset(range.end));
      }
    }
  });
});

describe('the server', () => {
  it('knows a text after incremental edits as it knows it whole', { timeout: 120_000 }, async () => {
    const server = await TestConnection.start({ capabilities: { textDocument: { diagnostic: {} } } });
    const random = new Random(11);
    let text = seedText(random);
    await server.open(URI, text, 0);
    for (let version = 1; version <= 300; version += 1) {
      const lines = new ModelfileDocument(URI, 0, text).lines;
      const start = random.below(text.length + 1);
      const end = Math.min(text.length, start + random.below(20));
      const newText = random.pick(['', 'x', '"', '"""', '\n', '\r\n', 'PARAMETER stop "a"\n', '{{ .Prompt }}', '🦙']);
      // Positions between \r and \n are those of the line's end, as in every editor.
      const range = { start: lines.position(start), end: lines.position(end) };
      const [from, to] = [lines.offset(range.start), lines.offset(range.end)];
      text = text.slice(0, from) + newText + text.slice(to);
      await server.change(URI, version, { range, text: newText });
      const report = (await server.client.sendRequest(DocumentDiagnosticRequest.type, {
        textDocument: { uri: URI },
      })) as FullDocumentDiagnosticReport;
      const whole = await computeDiagnostics(new ModelfileDocument(URI, 0, text), NO_FACTS);
      const errors = (items: readonly { readonly severity?: number | undefined }[]): unknown =>
        items.filter(({ severity }) => severity === 1);
      expect(errors(report.items), `edit ${version}: ${JSON.stringify(text)}`).toEqual(errors(whole));
    }
    await server.stop();
  });
});
