import { mkdtempSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  CancellationTokenSource,
  CodeActionRequest,
  CompletionRequest,
  ConfigurationRequest,
  DidChangeConfigurationNotification,
  DidChangeWatchedFilesNotification,
  DidChangeWorkspaceFoldersNotification,
  DidCloseTextDocumentNotification,
  DocumentDiagnosticRequest,
  DocumentFormattingRequest,
  DocumentLinkRequest,
  DocumentSymbolRequest,
  FoldingRangeRequest,
  HoverRequest,
  LSPErrorCodes,
  ResponseError,
  PublishDiagnosticsNotification,
  SemanticTokensRequest,
  SignatureHelpRequest,
  WorkspaceDiagnosticRequest,
  type CompletionItem,
  type WorkspaceDocumentDiagnosticReport,
} from 'vscode-languageserver-protocol';
import { string } from '../../src/core/formats/gguf/ggufValue';
import { encodeGgufHeader } from '../../src/core/formats/gguf/writeGguf';
import { CLI } from '../support/cli';
import { TestConnection, type TestOptions } from './testConnection';

let connection: TestConnection | undefined;
const folders: string[] = [];

async function start(options: TestOptions = {}): Promise<TestConnection> {
  connection = await TestConnection.start(options);
  return connection;
}

function temporary(files: Readonly<Record<string, string>>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'modelfile-lsp-')));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

afterEach(async () => {
  await connection?.stop();
  connection = undefined;
  folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true }));
});

const URI = 'file:///nowhere/Modelfile';

describe('a TEMPLATE and the template of its model', () => {
  it('are compared behind the first diagnostics, which are told anew then', async () => {
    const { header, dataBytes } = encodeGgufHeader({
      metadata: [
        ['general.architecture', string('gemma3')],
        [
          'tokenizer.chat_template',
          string(
            '{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content }}<end_of_turn>\n{% endfor %}<start_of_turn>model\n',
          ),
        ],
      ],
      tensors: [{ name: 'token_embd.weight', shape: [32, 4], type: 'F32' }],
    });
    const folder = temporary({ 'x.txt': '' });
    writeFileSync(join(folder, 'm.gguf'), Buffer.concat([header, new Uint8Array(dataBytes)]));
    const uri = pathToFileURL(join(folder, 'Modelfile')).href;
    const { client } = await start({ bundleFolder: join(CLI, '..') });
    const rounds: string[][] = [];
    client.onNotification(PublishDiagnosticsNotification.type, ({ diagnostics }) => {
      rounds.push(diagnostics.map(({ code }) => String(code)));
    });
    const template =
      '{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n';
    await connection?.open(uri, `FROM ./m.gguf\nTEMPLATE """${template}"""\nPARAMETER stop "<|im_end|>"\n`);
    await expect.poll(() => rounds.at(-1), { timeout: 20_000 }).toEqual(['modelfile/template-differs']);
    expect(rounds[0]).toEqual([]);
  });
});

describe('the page of a diagnostic', () => {
  it('is linked from its code, at its heading', async () => {
    await start({
      bundleFolder: join(CLI, '..'),
      capabilities: { textDocument: { publishDiagnostics: { codeDescriptionSupport: true } } },
    });
    await connection?.open(URI, 'FROM a\nSYSTM hi\n');
    const [diagnostic] = (await connection?.diagnostics(URI, 1))?.diagnostics ?? [];
    const href = new globalThis.URL(diagnostic?.codeDescription?.href ?? '');
    const line = Number(href.hash.slice('#L'.length));
    const page = readFileSync(new globalThis.URL(href.pathname, 'file:///'), 'utf8').split('\n');
    expect(page[line - 1]).toBe('### `modelfile/unknown-instruction`');
  });
});

describe('the handshake', () => {
  it('names the server and its features', async () => {
    const { initialized } = await start();
    expect(initialized.serverInfo).toEqual({ name: 'modelfile-language-server', version: '0.0.0-test' });
    expect(initialized.capabilities).toMatchObject({
      textDocumentSync: { openClose: true, change: 2 },
      hoverProvider: true,
      documentSymbolProvider: true,
      foldingRangeProvider: true,
      documentFormattingProvider: true,
      documentRangeFormattingProvider: true,
      codeActionProvider: { codeActionKinds: ['quickfix', 'source.fixAll.modelfile'] },
    });
    expect(initialized.capabilities.diagnosticProvider).toBeUndefined();
  });

  it('offers to be asked for diagnostics where the client can', async () => {
    const { initialized } = await start({ capabilities: { textDocument: { diagnostic: {} } } });
    expect(initialized.capabilities.diagnosticProvider).toMatchObject({ workspaceDiagnostics: true });
  });
});

describe('pushed diagnostics', () => {
  it('follow every change, whole or incremental, and go with the document', async () => {
    const server = await start();
    await server.open(URI, 'FROM ./a.gguf\nPARAMETER temprature 1\n');
    const first = await server.diagnostics(URI, 1);
    expect(first.diagnostics.map(({ code, severity, range }) => [code, severity, range.start.line])).toContainEqual([
      'modelfile/unknown-parameter',
      1,
      1,
    ]);
    await server.change(URI, 2, {
      range: { start: { line: 1, character: 10 }, end: { line: 1, character: 20 } },
      text: 'temperature',
    });
    expect((await server.diagnostics(URI, 2)).diagnostics.filter(({ severity }) => severity === 1)).toEqual([]);
    await server.change(URI, 3, { text: 'SYSTEM x' });
    expect((await server.diagnostics(URI, 3)).diagnostics.map(({ code }) => code)).toEqual(['modelfile/no-from']);
    const closed = new Promise<number>((resolve) =>
      server.client.onNotification(PublishDiagnosticsNotification.type, ({ diagnostics }) =>
        resolve(diagnostics.length),
      ),
    );
    await server.client.sendNotification(DidCloseTextDocumentNotification.type, { textDocument: { uri: URI } });
    expect(await closed).toBe(0);
  });

  it('know the files around, and the comment that silences', async () => {
    const folder = temporary({ 'model.gguf': 'not one' });
    const uri = pathToFileURL(join(folder, 'Modelfile')).href;
    const server = await start();
    await server.open(uri, 'FROM ./model.gguf\n');
    // What the text tells may come first, where the disk is slow.
    await vi.waitFor(async () =>
      expect((await server.diagnostics(uri, 1)).diagnostics.map(({ code }) => code)).toEqual([
        'modelfile/gguf-invalid',
      ]),
    );
    await server.change(uri, 2, { text: '# modelfile-studio: ignore gguf-invalid\nFROM ./model.gguf\n' });
    await vi.waitFor(async () => expect((await server.diagnostics(uri, 2)).diagnostics).toEqual([]));
  });

  it('look at no file in an untrusted workspace', async () => {
    const folder = temporary({ 'model.gguf': 'not one' });
    const uri = pathToFileURL(join(folder, 'Modelfile')).href;
    const server = await start({ initializationOptions: { isTrusted: false } });
    await server.open(uri, 'FROM ./model.gguf\nADAPTER ./none\n');
    expect((await server.diagnostics(uri, 1)).diagnostics).toEqual([]);
  });

  it('obey settings that are sent', async () => {
    const server = await start({
      initializationOptions: { settings: { diagnostics: { severity: { 'modelfile/system-empty': 'error' } } } },
    });
    await server.open(URI, 'FROM a\nSYSTEM ""\n');
    expect((await server.diagnostics(URI, 1)).diagnostics.map(({ severity }) => severity)).toEqual([1]);
    await server.client.sendNotification(DidChangeConfigurationNotification.type, {
      settings: { modelfileStudio: { diagnostics: { severity: { 'system-empty': 'off' } } } },
    });
    await server.change(URI, 2, { text: 'FROM a\nSYSTEM ""\n ' });
    expect((await server.diagnostics(URI, 2)).diagnostics).toEqual([]);
  });

  it('obey settings that are asked for', async () => {
    const server = await start({ capabilities: { workspace: { configuration: true } } });
    const asked = new Promise<string | undefined>((resolve) => {
      server.client.onRequest(ConfigurationRequest.type, ({ items }) => {
        resolve(items[0]?.section);
        return [{ diagnostics: { severity: { 'modelfile/system-empty': 'off' } } }];
      });
    });
    await server.client.sendNotification(DidChangeConfigurationNotification.type, { settings: null });
    expect(await asked).toBe('modelfileStudio');
    await server.open(URI, 'FROM a\nSYSTEM ""\n');
    // The answer may come after the first check; then the document is checked again.
    await vi.waitFor(async () => expect((await server.diagnostics(URI, 1)).diagnostics).toEqual([]));
  });
});

describe('pulled diagnostics', () => {
  it('answer for a document, and for the Modelfiles of the workspace', async () => {
    const folder = temporary({
      'a/Modelfile': 'SYSTEM x\n',
      'b/x.Modelfile': 'FROM a\n',
      'node_modules/Modelfile': 'SYSTEM x',
      'c.txt': 'SYSTEM x',
    });
    const rootUri = pathToFileURL(folder).href;
    const server = await start({ rootUri, capabilities: { textDocument: { diagnostic: {} } } });
    const uri = `${rootUri}/b/x.Modelfile`;
    await server.open(uri, 'FROM a\nSYSTEM ""\n', 7);
    const report = await server.client.sendRequest(DocumentDiagnosticRequest.type, { textDocument: { uri } });
    expect(report).toMatchObject({ kind: 'full', items: [{ code: 'modelfile/system-empty' }] });
    const all = await server.client.sendRequest(WorkspaceDiagnosticRequest.type, { previousResultIds: [] });
    expect(all.items.map(({ uri: at, version }) => [at.slice(rootUri.length), version]).sort()).toEqual([
      ['/a/Modelfile', null],
      ['/b/x.Modelfile', 7],
    ]);
    expect(all.items).toContainEqual(
      expect.objectContaining({ items: [expect.objectContaining({ code: 'modelfile/no-from' })] }),
    );
  });
});

describe('the workspace', () => {
  it('is told in one word where nothing changed, and of files that are gone', async () => {
    const folder = temporary({ 'a/Modelfile': 'SYSTEM x\n', 'b/Modelfile': 'SYSTEM x\n' });
    const rootUri = pathToFileURL(folder).href;
    const server = await start({ rootUri, capabilities: { textDocument: { diagnostic: {} } } });
    const ask = async (
      previousResultIds: { readonly uri: string; readonly value: string }[],
    ): Promise<WorkspaceDocumentDiagnosticReport[]> =>
      (await server.client.sendRequest(WorkspaceDiagnosticRequest.type, { previousResultIds })).items;
    const first = await ask([]);
    const ids = first.map(({ uri, resultId }) => ({ uri, value: resultId ?? '' }));
    expect((await ask(ids)).map(({ kind }) => kind)).toEqual(['unchanged', 'unchanged']);
    writeFileSync(join(folder, 'a/Modelfile'), 'FROM x\n');
    rmSync(join(folder, 'b/Modelfile'));
    await server.client.sendNotification(DidChangeWatchedFilesNotification.type, { changes: [] });
    expect(await ask(ids)).toMatchObject([
      { uri: `${rootUri}/a/Modelfile`, kind: 'full', items: [] },
      { uri: `${rootUri}/b/Modelfile`, kind: 'full', items: [] },
    ]);
  });

  it('is another one when its folders change', async () => {
    const folder = temporary({ 'a/Modelfile': 'SYSTEM x\n', 'b/Modelfile.x.y': 'SYSTEM x\n' });
    const [a, b] = ['a', 'b'].map((name) => ({ uri: pathToFileURL(join(folder, name)).href, name }));
    const server = await start({
      rootUri: a?.uri ?? '',
      capabilities: { textDocument: { diagnostic: {} }, workspace: { workspaceFolders: true } },
    });
    const uris = async (): Promise<string[]> =>
      (await server.client.sendRequest(WorkspaceDiagnosticRequest.type, { previousResultIds: [] })).items.map(
        ({ uri }) => uri,
      );
    expect(await uris()).toEqual([`${a?.uri ?? ''}/Modelfile`]);
    await server.client.sendNotification(DidChangeWorkspaceFoldersNotification.type, {
      event: { added: b === undefined ? [] : [b], removed: a === undefined ? [] : [a] },
    });
    expect(await uris()).toEqual([`${b?.uri ?? ''}/Modelfile.x.y`]);
  });
});

describe('requests', () => {
  it('reach every feature', async () => {
    const folder = temporary({ 'model.gguf': 'x' });
    const uri = pathToFileURL(join(folder, 'Modelfile')).href;
    const server = await start();
    await server.open(uri, 'from ./model.gguf\nPARAMETER tempature 0.7\nSYSTEM """a\nb"""\nTEMPLATE {{ .Prompt }}\n');
    const textDocument = { uri };
    const { client } = server;
    const completions = (await client.sendRequest(CompletionRequest.type, {
      textDocument,
      position: { line: 1, character: 12 },
    })) as CompletionItem[];
    expect(completions.map(({ label }) => label)).toContain('temperature');
    expect(
      await client.sendRequest(HoverRequest.type, { textDocument, position: { line: 0, character: 2 } }),
    ).toMatchObject({ contents: { kind: 'markdown' } });
    expect(
      await client.sendRequest(SignatureHelpRequest.type, { textDocument, position: { line: 2, character: 9 } }),
    ).toMatchObject({ signatures: [{ label: 'SYSTEM text' }] });
    expect(await client.sendRequest(DocumentSymbolRequest.type, { textDocument })).toHaveLength(4);
    expect(await client.sendRequest(FoldingRangeRequest.type, { textDocument })).toEqual([
      { startLine: 2, endLine: 3 },
    ]);
    expect(await client.sendRequest(DocumentLinkRequest.type, { textDocument })).toMatchObject([
      { target: pathToFileURL(join(folder, 'model.gguf')).href },
    ]);
    expect(
      await client.sendRequest(DocumentFormattingRequest.type, {
        textDocument,
        options: { tabSize: 2, insertSpaces: true },
      }),
    ).toMatchObject([{ newText: 'FROM ./model.gguf' }]);
    const range = { start: { line: 1, character: 0 }, end: { line: 1, character: 20 } };
    const actions = await client.sendRequest(CodeActionRequest.type, {
      textDocument,
      range,
      context: { diagnostics: [] },
    });
    expect(actions?.map(({ title }) => title)).toEqual(
      expect.arrayContaining(['Write temperature', 'Ignore modelfile/unknown-parameter here', 'Apply all sure fixes']),
    );
    expect((await client.sendRequest(SemanticTokensRequest.type, { textDocument }))?.data.length).toBeGreaterThan(20);
  });

  it('of unknown documents get nothing', async () => {
    const server = await start();
    expect(
      await server.client.sendRequest(HoverRequest.type, {
        textDocument: { uri: URI },
        position: { line: 0, character: 0 },
      }),
    ).toBeNull();
  });

  it('that are cancelled end so', async () => {
    const server = await start({ capabilities: { textDocument: { diagnostic: {} } } });
    await server.open(URI, 'FROM a\n');
    const source = new CancellationTokenSource();
    source.cancel();
    // Cancelled before it is sent, or answered all the same: both are the protocol's.
    const answer = await server.client
      .sendRequest(DocumentDiagnosticRequest.type, { textDocument: { uri: URI } }, source.token)
      .catch((error: unknown) => error);
    expect(answer).toEqual(
      answer instanceof ResponseError
        ? expect.objectContaining({ code: LSPErrorCodes.RequestCancelled })
        : expect.objectContaining({ kind: 'full' }),
    );
    // The server goes on.
    expect(
      await server.client.sendRequest(DocumentDiagnosticRequest.type, { textDocument: { uri: URI } }),
    ).toMatchObject({ kind: 'full' });
  });
});
