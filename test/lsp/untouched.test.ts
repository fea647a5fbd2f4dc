import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  CompletionRequest,
  DocumentDiagnosticRequest,
  DocumentLinkRequest,
  HoverRequest,
  WorkspaceDiagnosticRequest,
} from 'vscode-languageserver-protocol';
import { TestConnection } from './testConnection';

/** Every path that the file system was asked for; the calls themselves are the real ones. */
const asked = vi.hoisted((): string[] => []);
vi.mock('node:fs/promises', async (original) => {
  const real = await original<Record<string, unknown>>();
  const spied = Object.entries(real).map(([name, value]) => {
    const call = (...args: unknown[]): unknown => {
      asked.push(`${name} ${String(args[0])}`);
      return (value as (...all: unknown[]) => unknown)(...args);
    };
    return [name, typeof value === 'function' ? call : value] as const;
  });
  return { ...Object.fromEntries(spied), default: real['default'] };
});

let server: TestConnection | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
  asked.length = 0;
});

const URI = 'file:///tmp/nowhere/Modelfile';

/** Everything that an editor asks of a line. */
async function everything(text: string, isTrusted: boolean): Promise<void> {
  server = await TestConnection.start({
    capabilities: { textDocument: { diagnostic: {} } },
    rootUri: 'file:///tmp/nowhere',
    // Without a version the installed program would be looked for.
    initializationOptions: { isTrusted, settings: { ollama: { version: '0.34.4' } } },
  });
  const { client } = server;
  await server.open(URI, text);
  const textDocument = { uri: URI };
  await client.sendRequest(DocumentDiagnosticRequest.type, { textDocument });
  await client.sendRequest(DocumentLinkRequest.type, { textDocument });
  for (const [line, words] of text.split('\n').entries()) {
    await client.sendRequest(HoverRequest.type, { textDocument, position: { line, character: words.length - 1 } });
    // Where the path is whole: the folder beside the file is rightly listed for an empty one.
    await client.sendRequest(CompletionRequest.type, {
      textDocument,
      position: { line, character: words.replace(/"$/, '').length },
    });
  }
  if (!isTrusted) {
    await client.sendRequest(WorkspaceDiagnosticRequest.type, { previousResultIds: [] });
  }
}

describe('no file is asked for', () => {
  it.each([
    '\\\\host\\share\\model.gguf',
    '//host/share/model.gguf',
    '\\\\?\\UNC\\host\\share',
    '\\??\\UNC\\host\\x',
    '\\\\.\\pipe\\x',
    'file://host/share',
    'https://host/model.gguf',
    '/dev/zero',
    '/proc/self/mem',
    'CON',
    './models/nul.gguf',
  ])('by FROM, ADAPTER and DRAFT with %s', async (path) => {
    await everything(`FROM ${path}\nADAPTER ${path}\nDRAFT "${path}"`, true);
    expect(asked).toEqual([]);
  });

  it('in an untrusted workspace', async () => {
    await everything('FROM ./model\nADAPTER ./lora\nDRAFT /tmp/draft\nFROM ~/x', false);
    expect(asked).toEqual([]);
  });

  it('but one beside the file is', async () => {
    await everything('FROM ./model', true);
    expect(asked.some((call) => call.endsWith('/tmp/nowhere/model'))).toBe(true);
  });
});
