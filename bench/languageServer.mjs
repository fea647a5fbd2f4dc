// Times of the language server as an editor feels them, over stdio: `npm run bench -- --only languageServer`.
// Modelfiles of 2,000 lines: a key is pressed, diagnostics come back; hover and completion at random places.
// And the parser on 4 MiB of its worst shapes.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import {
  createProtocolConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver-protocol/node';

const root = join(import.meta.dirname, '..');
const LINES = 2000;
const KEYS = 200;
/** Milliseconds, medians. */
const AIMS = { diagnostics: 20, hover: 10, completion: 10 };
const PARSER_AIM = 200;

const TEMPLATE = [
  'TEMPLATE """{{- range .Messages }}<|im_start|>{{ .Role }}',
  '{{ .Content }}<|im_end|>',
  '{{ end }}<|im_start|>assistant',
  '"""',
];

/** As a careful person with much to say would write it; line 4 is within the template. */
function longConversation(head) {
  const lines = [...head, ...TEMPLATE, 'SYSTEM """'];
  lines.push(
    ...Array.from({ length: 900 }, (_, i) => `Rule ${i}: answer briefly, and say what you are not sure of.`),
    '"""',
  );
  while (lines.length < LINES - 1) {
    const n = lines.length;
    lines.push(`# Example ${n}`, `MESSAGE user What is ${n} plus ${n}?`, `MESSAGE assistant It is ${2 * n}.`);
  }
  return `${lines.slice(0, LINES - 1).join('\n')}\nPARAMETER stop ""`;
}

/** One template of almost 2,000 lines: examples and cases, an action on every other line. */
function longTemplate(head) {
  const lines = [...head, 'TEMPLATE """{{ .System }}', '{{ range $i, $m := .Messages }}'];
  for (let n = 0; lines.length < LINES - 8; n += 1) {
    lines.push(
      `{{- if and (eq .Role "user") (eq (len .Content) ${n}) }}<|im_start|>user`,
      `Example ${n}: a question of ${n} letters.`,
      '{{ .Content }}<|im_end|>',
      '{{- end }}',
    );
  }
  return [
    ...lines,
    '<|im_start|>{{ .Role }}',
    '{{ .Content }}<|im_end|>',
    '{{ end }}<|im_start|>assistant',
    '"""',
    'PARAMETER stop "<|im_end|>"',
    'SYSTEM ""',
  ].join('\n');
}

const median = (times) => [...times].sort((a, b) => a - b)[times.length >> 1];
const high = (times) => [...times].sort((a, b) => a - b)[Math.floor(times.length * 0.95)];

class Editor {
  constructor(server) {
    this.child = spawn(process.execPath, [server, '--stdio'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, OLLAMA_HOST: '127.0.0.1:9' },
    });
    this.client = createProtocolConnection(
      new StreamMessageReader(this.child.stdout),
      new StreamMessageWriter(this.child.stdin),
    );
    this.client.onNotification('textDocument/publishDiagnostics', (params) => this.published?.(params));
    this.client.listen();
  }

  async initialize() {
    const started = performance.now();
    await this.client.sendRequest('initialize', {
      processId: process.pid,
      rootUri: null,
      workspaceFolders: null,
      capabilities: {},
    });
    await this.client.sendNotification('initialized', {});
    return performance.now() - started;
  }

  diagnosticsOf(uri, version) {
    return new Promise((resolve) => {
      this.published = (params) => params.uri === uri && params.version === version && resolve(params.diagnostics);
    });
  }

  async measure(uri, text) {
    const textDocument = { uri };
    const first = this.diagnosticsOf(uri, 0);
    await this.client.sendNotification('textDocument/didOpen', {
      textDocument: { uri, languageId: 'modelfile', version: 0, text },
    });
    await first;
    const times = { diagnostics: [], hover: [], completion: [] };
    const timed = async (name, run) => {
      const begin = performance.now();
      await run();
      times[name].push(performance.now() - begin);
    };
    for (let version = 1; version <= KEYS; version += 1) {
      const position = { line: 20 + ((version * 37) % 1900), character: 0 };
      const done = this.diagnosticsOf(uri, version);
      // A key, and its removal with the next one, so that the text stays what it is.
      const change =
        version % 2 === 1
          ? { range: { start: position, end: position }, text: ' ' }
          : { range: { start: this.place, end: { ...this.place, character: 1 } }, text: '' };
      this.place = position;
      await timed('diagnostics', async () => {
        await this.client.sendNotification('textDocument/didChange', {
          textDocument: { uri, version },
          contentChanges: [change],
        });
        await done;
      });
      await timed('hover', () =>
        this.client.sendRequest('textDocument/hover', { textDocument, position: { line: 4, character: 6 } }),
      );
      await timed('completion', () =>
        this.client.sendRequest('textDocument/completion', { textDocument, position: { line: 4, character: 4 } }),
      );
    }
    return times;
  }
}

/** Seconds from the start of a server's process to its answer to `initialize`. */
export async function timeToReady(server = join(root, 'dist/server.js')) {
  const started = performance.now();
  const editor = new Editor(server);
  try {
    await editor.initialize();
    return (performance.now() - started) / 1000;
  } finally {
    editor.child.kill();
  }
}

/**
 * @param row prints one line: what, ours, aim, aim by ours, 1
 * @param server the bundle that is measured
 */
export async function benchLanguageServer(row, server = join(root, 'dist/server.js')) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-lsp-'));
  for (const name of ['base', 'lora']) {
    cpSync(join(root, 'test/fixtures/rugby', name), join(folder, name), { recursive: true });
  }
  const editor = new Editor(server);
  try {
    const ready = await editor.initialize();
    row('language server, start to ready', `${ready.toFixed(0)} ms`, '500 ms', 500 / ready, 1);
    const texts = {
      conversation: longConversation(['FROM llama3.2', 'PARAMETER temperature 0.7', 'PARAMETER num_ctx 8192']),
      'conversation, base and adapter beside it': longConversation([
        'FROM ./base',
        'ADAPTER ./lora',
        'PARAMETER num_ctx 8192',
      ]),
      template: longTemplate(['FROM llama3.2', 'PARAMETER temperature 0.7', 'PARAMETER num_ctx 8192']),
    };
    for (const [name, text] of Object.entries(texts)) {
      const times = await editor.measure(pathToFileURL(join(folder, `${name}.Modelfile`)).href, text);
      for (const [what, aim] of Object.entries(AIMS)) {
        const own = median(times[what]);
        row(
          `${what}, 2,000 lines (${name})`,
          `${own.toFixed(1)} ms`,
          `${aim} ms (95 %: ${high(times[what]).toFixed(1)} ms)`,
          aim / own,
          1,
        );
      }
    }
    await benchParser(row, folder);
  } finally {
    editor.child.kill();
    rmSync(folder, { recursive: true });
  }
}

async function benchParser(row, folder) {
  const outfile = join(folder, 'parser.mjs');
  await build({
    entryPoints: [join(root, 'src/core/modelfile/parseModelfile.ts')],
    bundle: true,
    format: 'esm',
    outfile,
  });
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
    row(`parser, 4 MiB: ${name}`, `${median(times).toFixed(0)} ms`, `${PARSER_AIM} ms`, PARSER_AIM / median(times), 1);
  }
}
