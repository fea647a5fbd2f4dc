import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CancellationTokenSource,
  createProtocolConnection,
  DidOpenTextDocumentNotification,
  DocumentDiagnosticRequest,
  ExitNotification,
  InitializedNotification,
  InitializeRequest,
  ShutdownRequest,
  StreamMessageReader,
  StreamMessageWriter,
  type ProtocolConnection,
} from 'vscode-languageserver-protocol/node';

let folder = '';
let server = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'modelfile-stdio-'));
  server = join(folder, 'server.js');
  const entry = new URL('../../language-server/src/server/main.ts', import.meta.url).pathname;
  await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node22',
    loader: { '.wasm': 'binary' },
    outfile: server,
    logLevel: 'error',
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** An older field that the protocol still demands. */
const NO_FOLDER = { processId: process.pid, rootUri: null, workspaceFolders: null };

interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly client: ProtocolConnection;
  readonly ended: Promise<number | null>;
}

async function start(): Promise<Running> {
  const child = spawn(process.execPath, [server, '--stdio'], {
    stdio: 'pipe',
    env: { ...process.env, OLLAMA_HOST: '127.0.0.1:9' },
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const client = createProtocolConnection(new StreamMessageReader(child.stdout), new StreamMessageWriter(child.stdin));
  client.listen();
  await client.sendRequest(InitializeRequest.type, {
    ...NO_FOLDER,
    capabilities: { textDocument: { diagnostic: {} } },
  });
  await client.sendNotification(InitializedNotification.type, {});
  return { child, client, ended };
}

const URI = 'file:///nowhere/Modelfile';
const ask = async (client: ProtocolConnection): Promise<unknown> => {
  await client.sendNotification(DidOpenTextDocumentNotification.type, {
    textDocument: { uri: URI, languageId: 'modelfile', version: 1, text: 'SYSTEM x' },
  });
  return client.sendRequest(DocumentDiagnosticRequest.type, { textDocument: { uri: URI } });
};

describe('the server as a process', () => {
  it('answers, shuts down, and can be started again', async () => {
    for (let run = 0; run < 2; run += 1) {
      const { client, ended } = await start();
      expect(await ask(client)).toMatchObject({ kind: 'full', items: [{ code: 'modelfile/no-from' }] });
      await client.sendRequest(ShutdownRequest.type);
      await client.sendNotification(ExitNotification.type);
      expect(await ended).toBe(0);
      client.dispose();
    }
  });

  it('takes cancellations and goes on', async () => {
    const { child, client, ended } = await start();
    const source = new CancellationTokenSource();
    const answer = client
      .sendRequest(DocumentDiagnosticRequest.type, { textDocument: { uri: URI } }, source.token)
      .catch((error: unknown) => error);
    source.cancel();
    await answer;
    expect(await ask(client)).toMatchObject({ kind: 'full' });
    client.dispose();
    child.stdin.end();
    await ended;
  });

  it('ends with the one who speaks to it', async () => {
    const { child, client, ended } = await start();
    client.dispose();
    child.stdin.end();
    expect(await ended).not.toBeNull();
  });

  it.each([
    [[], 2, /it is started by an editor\. Start it with --stdio/],
    [['--stdoi'], 2, /"--stdoi" is no option\. Start it with --stdio/],
    [['Modelfile'], 2, /"Modelfile" is no option/],
    [['--socket'], 2, /--socket needs a port number/],
    [['--socket=x'], 2, /--socket needs a port number/],
    [['--stdio=yes'], 2, /"--stdio=yes" is no option/],
    [['--stdio', '--pipe=x'], 2, /--stdio and --pipe cannot go together/],
    [['--version'], 0, /^\d+\.\d+\.\d+\n$/],
    [['--help'], 0, /--stdio[^]*--node-ipc/],
  ])('with %j ends with %d and says why', async (args, code, said) => {
    const child = spawn(process.execPath, [server, ...args], { stdio: 'pipe' });
    let text = '';
    (code === 0 ? child.stdout : child.stderr).on('data', (data: Buffer) => (text += data.toString()));
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(code);
    expect(text).toMatch(said);
  });

  it('names its version in the handshake, and can be run as a command', async () => {
    const child = spawn(process.execPath, [server, '--stdio', '--clientProcessId', String(process.pid)], {
      stdio: 'pipe',
      env: { ...process.env, OLLAMA_HOST: '127.0.0.1:9' },
    });
    const client = createProtocolConnection(
      new StreamMessageReader(child.stdout),
      new StreamMessageWriter(child.stdin),
    );
    client.listen();
    const { serverInfo } = await client.sendRequest(InitializeRequest.type, { ...NO_FOLDER, capabilities: {} });
    const { version, bin } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      readonly version: string;
      readonly bin: Readonly<Record<string, string>>;
    };
    expect(serverInfo).toEqual({ name: 'modelfile-language-server', version });
    expect(bin['modelfile-language-server']).toBe('dist/server.js');
    expect(readFileSync(server, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    client.dispose();
    child.stdin.end();
    await new Promise((resolve) => child.once('exit', resolve));
  });
});
