import { afterEach, describe, expect, it } from 'vitest';
import {
  CodeActionRequest,
  CompletionRequest,
  DocumentFormattingRequest,
  DocumentLinkRequest,
  DocumentSymbolRequest,
  FoldingRangeRequest,
  HoverRequest,
  SemanticTokensRangeRequest,
  SemanticTokensRequest,
  SignatureHelpRequest,
  type CompletionItem,
  type MarkupContent,
  type Position,
  type TextEdit,
} from 'vscode-languageserver-protocol';
import { LineIndex } from '../../src/core/modelfile/lineIndex';
import { marked } from './markedText';
import { TestConnection } from './testConnection';

const URI = 'file:///nowhere/Modelfile';
let server: TestConnection | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function open(text: string): Promise<TestConnection> {
  server = await TestConnection.start();
  await server.open(URI, text);
  return server;
}

const apply = (text: string, edits: readonly TextEdit[]): string => {
  const lines = new LineIndex(text);
  return [...edits]
    .sort((a, b) => lines.offset(b.range.start) - lines.offset(a.range.start))
    .reduce(
      (result, { range, newText }) =>
        result.slice(0, lines.offset(range.start)) + newText + result.slice(lines.offset(range.end)),
      text,
    );
};

async function completed(source: string, label: string): Promise<string> {
  const { text, position } = marked(source);
  const { client } = await open(text);
  const items = (await client.sendRequest(CompletionRequest.type, {
    textDocument: { uri: URI },
    position,
  })) as CompletionItem[];
  const edit = items.find((item) => item.label === label)?.textEdit as TextEdit | undefined;
  expect(edit, items.map((item) => item.label).join(' ')).toBeDefined();
  return edit === undefined ? '' : apply(text, [edit]);
}

/** The range of a hover and its text. */
async function hovered(source: string): Promise<{ readonly word: string; readonly text: string }> {
  const { text, position } = marked(source);
  const { client } = await open(text);
  const hover = await client.sendRequest(HoverRequest.type, { textDocument: { uri: URI }, position });
  const lines = new LineIndex(text);
  const range = hover?.range ?? { start: position, end: position };
  return {
    word: text.slice(lines.offset(range.start), lines.offset(range.end)),
    text: (hover?.contents as MarkupContent | undefined)?.value ?? '',
  };
}

describe('documents with CRLF', () => {
  it('are completed, hovered, fixed and formatted in place, and keep their line ends', async () => {
    expect(await completed('FROM a\r\nPARAMETER te¦\r\nSYSTEM x\r\n', 'temperature')).toBe(
      'FROM a\r\nPARAMETER temperature ${1:0.8}\r\nSYSTEM x\r\n',
    );
    expect(await hovered('FROM a\r\nTEMPLATE """{{ .System }}\r\n{{ .Pro¦mpt }}"""\r\n')).toMatchObject({
      word: 'Prompt',
    });
    const text = 'from a\r\n\r\n\r\nPARAMETER temperature 0.7 # warm\r\nSYSTEM x\r\n';
    const { client } = await open(text);
    const range = { start: { line: 3, character: 0 }, end: { line: 3, character: 31 } };
    const actions = await client.sendRequest(CodeActionRequest.type, {
      textDocument: { uri: URI },
      range,
      context: { diagnostics: [] },
    });
    const edited = (title: string): string =>
      apply(
        text,
        actions?.flatMap((action) =>
          'edit' in action && action.title === title ? (action.edit.changes?.[URI] ?? []) : [],
        ) ?? [],
      );
    expect(edited('Move the comment above')).toBe(
      'from a\r\n\r\n\r\n# warm\r\nPARAMETER temperature 0.7\r\nSYSTEM x\r\n',
    );
    expect(edited('Ignore modelfile/parameter-value here')).toBe(
      'from a\r\n\r\n\r\n# modelfile-studio: ignore modelfile/parameter-value\r\nPARAMETER temperature 0.7 # warm\r\nSYSTEM x\r\n',
    );
    const fixedText = edited('Move the comment above');
    await server?.change(URI, 2, { text: fixedText });
    const edits = await client.sendRequest(DocumentFormattingRequest.type, {
      textDocument: { uri: URI },
      options: { tabSize: 2, insertSpaces: true },
    });
    expect(apply(fixedText, edits ?? [])).toBe('FROM a\r\n\r\n# warm\r\nPARAMETER temperature 0.7\r\nSYSTEM x\r\n');
  });
});

describe('characters outside of the basic plane before a position', () => {
  it('count two, as the protocol wants', async () => {
    expect(await completed('FROM a\nTEMPLATE 🦙🦙{{ .Sys¦ }}\n', 'System')).toBe(
      'FROM a\nTEMPLATE 🦙🦙{{ .System }}\n',
    );
    expect(await hovered('FROM a\nTEMPLATE """🦙{{ .Pro¦mpt }}𝒳"""\n')).toMatchObject({ word: 'Prompt' });
    const text = 'FROM a\nTEMPLATE """🦙🦙 {{ .System }} {{ foo }}"""\n';
    const opened = await open(text);
    const { diagnostics } = await opened.diagnostics(URI, 1);
    const lines = new LineIndex(text);
    expect(diagnostics.map(({ range }) => text.slice(lines.offset(range.start), lines.offset(range.end)))).toEqual([
      'foo',
    ]);
  });
});

describe('an empty document', () => {
  it('gets what can be there, and nothing else', async () => {
    const { client } = await open('');
    const textDocument = { uri: URI };
    const position: Position = { line: 0, character: 0 };
    const items = (await client.sendRequest(CompletionRequest.type, { textDocument, position })) as CompletionItem[];
    expect(items.map(({ label }) => label)).toContain('FROM');
    expect(await client.sendRequest(HoverRequest.type, { textDocument, position })).toBeNull();
    expect(await client.sendRequest(SignatureHelpRequest.type, { textDocument, position })).toBeNull();
    expect(await client.sendRequest(DocumentSymbolRequest.type, { textDocument })).toEqual([]);
    expect(await client.sendRequest(FoldingRangeRequest.type, { textDocument })).toEqual([]);
    expect(await client.sendRequest(DocumentLinkRequest.type, { textDocument })).toEqual([]);
    expect(
      await client.sendRequest(DocumentFormattingRequest.type, {
        textDocument,
        options: { tabSize: 2, insertSpaces: true },
      }),
    ).toEqual([]);
    expect(await client.sendRequest(SemanticTokensRequest.type, { textDocument })).toEqual({ data: [] });
    expect(
      await client.sendRequest(SemanticTokensRangeRequest.type, {
        textDocument,
        range: { start: position, end: position },
      }),
    ).toEqual({ data: [] });
    expect((await server?.diagnostics(URI, 1))?.diagnostics).toMatchObject([
      { code: 'modelfile/no-from', range: { start: position, end: position } },
    ]);
  });
});

describe('an error in the third line of a TEMPLATE', () => {
  it.each(['\n', '\r\n'])('stands in that line of the file, and is called as Go calls it', async (newline) => {
    const text = [
      'FROM a',
      'PARAMETER seed 1',
      'TEMPLATE """{{ .System }}',
      '{{ .Prompt }}',
      '{{ if .Response }}{{ foo }}{{ end }}"""',
      '',
    ].join(newline);
    const { diagnostics } = await (await open(text)).diagnostics(URI, 1);
    expect(diagnostics.filter(({ severity }) => severity === 1)).toMatchObject([
      {
        code: 'modelfile/template-syntax',
        message: 'template: :3: function "foo" not defined',
        range: { start: { line: 4, character: 21 }, end: { line: 4, character: 24 } },
      },
    ]);
  });
});
