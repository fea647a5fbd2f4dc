// Times of the language server as an editor feels them, over stdio: `node bench/languageServer.mjs`.
// A Modelfile of 2,000 lines: a key is pressed, diagnostics come back; hover and completion at random places.
// And the parser on 4 MiB of its worst shapes.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { createProtocolConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-languageserver-protocol/node';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'bench-lsp-'));
const URI = 'file:///nowhere/Modelfile';

/** 2,000 lines as a careful person with much to say would write them. */
function longModelfile() {
  const lines = ['FROM llama3.2', 'PARAMETER temperature 0.7', 'PARAMETER num_ctx 8192'];
  lines.push('TEMPLATE """{{- range .Messages }}<|im_start|>{{ .Role }}', '{{ .Content }}<|im_end|>', '{{ end }}<|im_start|>assistant', '"""');
  lines.push('SYSTEM """', ...Array.from({ length: 900 }, (_, i) => `Rule ${i}: answer briefly, and say what you are not sure of.`), '"""');
  while (lines.length < 1999) {
    const n = lines.length;
    lines.push(`# Example ${n}`, `MESSAGE user What is ${n} plus ${n}?`, `MESSAGE assistant It is ${2 * n}.`);
  }
  return lines.slice(0, 1999).join('\n') + '\nPARAMETER stop ""';
}

const median = (times) => [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)];

async function measureServer() {
  const outfile = join(folder, 'server.js');
  await build({ entryPoints: [join(root, 'language-server/src/server/main.ts')], bundle: true, platform: 'node', format: 'cjs', target: 'node22', minify: true, loader: { '.wasm': 'binary' }, outfile });
  const child = spawn(process.execPath, [outfile, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, OLLAMA_HOST: '127.0.0.1:9' } });
  const client = createProtocolConnection(new StreamMessageReader(child.stdout), new StreamMessageWriter(child.stdin));
  let published;
  client.onNotification('textDocument/publishDiagnostics', (params) => published?.(params));
  client.listen();
  const started = performance.now();
  await client.sendRequest('initialize', { processId: process.pid, rootUri: null, workspaceFolders: null, capabilities: {} });
  const ready = performance.now() - started;
  await client.sendNotification('initialized', {});
  const text = longModelfile();
  const diagnosticsOf = (version) => new Promise((resolve) => { published = (params) => params.version === version && resolve(params); });
  const first = diagnosticsOf(0);
  await client.sendNotification('textDocument/didOpen', { textDocument: { uri: URI, languageId: 'modelfile', version: 0, text } });
  await first;
  const times = { key: [], hover: [], completion: [] };
  for (let version = 1; version <= 200; version += 1) {
    const position = { line: 20 + (version * 37) % 1900, character: 3 };
    const done = diagnosticsOf(version);
    let begin = performance.now();
    await client.sendNotification('textDocument/didChange', { textDocument: { uri: URI, version }, contentChanges: [{ range: { start: position, end: position }, text: 'x' }] });
    await done;
    times.key.push(performance.now() - begin);
    begin = performance.now();
    await client.sendRequest('textDocument/hover', { textDocument: { uri: URI }, position: { line: 4, character: 6 } });
    times.hover.push(performance.now() - begin);
    begin = performance.now();
    await client.sendRequest('textDocument/completion', { textDocument: { uri: URI }, position: { line: 4, character: 4 } });
    times.completion.push(performance.now() - begin);
  }
  child.kill();
  console.log(`ready after ${ready.toFixed(0)} ms; medians of 200: diagnostics ${median(times.key).toFixed(1)} ms, hover ${median(times.hover).toFixed(1)} ms, completion ${median(times.completion).toFixed(1)} ms`);
}

async function measureParser() {
  const outfile = join(folder, 'parser.mjs');
  await build({ entryPoints: [join(root, 'src/core/modelfile/parseModelfile.ts')], bundle: true, format: 'esm', outfile });
  const { parseModelfile } = await import(pathToFileURL(outfile).href);
  const size = 4 * 1024 * 1024;
  const fill = (piece) => piece.repeat(Math.ceil(size / piece.length)).slice(0, size);
  const shapes = {
    'a quote that never closes': `SYSTEM """${fill('a b\n')}`,
    'such quotes on every line': fill('SYSTEM """x\n'),
    'unknown words with open quotes': fill('foo "x y\n'),
    'one line': `FROM ${fill('x')}`,
    'short lines': fill('x\n'),
    'newlines in a quote': `SYSTEM "${fill('\n')}`,
    'dropped characters': `SYSTEM "${fill('\u200b')}"`,
    'letters beyond ASCII': `SYSTEM "${fill('語🦙')}"`,
    parameters: fill('PARAMETER stop "a"\n'),
  };
  for (const [name, text] of Object.entries(shapes)) {
    const times = Array.from({ length: 5 }, () => {
      const begin = performance.now();
      parseModelfile(text);
      return performance.now() - begin;
    });
    console.log(`4 MiB, ${name}: ${median(times).toFixed(0)} ms`);
  }
}

await measureServer();
await measureParser();
rmSync(folder, { recursive: true });
