import { execFile, spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;
const installer = new URL('../../scripts/install/installHelix.mjs', import.meta.url).href;
const { findHelix } = (await import(installer)) as { readonly findHelix: () => string | undefined };
const helix = findHelix();

let folder = '';
const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  HOME: folder,
  XDG_CONFIG_HOME: join(folder, 'config'),
  XDG_CACHE_HOME: join(folder, 'cache'),
  PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
  TERM: 'xterm-256color',
  OLLAMA_HOST: '127.0.0.1:9',
});

/** A command as `npm install -g` makes it, and Helix with the configuration of the documentation. */
async function setUp(): Promise<void> {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'modelfile-helix-')));
  for (const name of ['bin', 'config/helix', 'cache', 'work']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  const server = join(folder, 'server.js');
  await build({
    entryPoints: [join(root, 'language-server/src/server/main.ts')],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node22',
    loader: { '.wasm': 'binary' },
    outfile: server,
    logLevel: 'error',
  });
  writeFileSync(
    join(folder, 'bin/modelfile-language-server'),
    `#!/bin/sh\nexec '${process.execPath}' '${server}' "$@"\n`,
  );
  chmodSync(join(folder, 'bin/modelfile-language-server'), 0o755);
  cpSync(join(root, 'language-server/editors/helix.toml'), join(folder, 'config/helix/languages.toml'));
}

/** Runs Helix on a terminal, types, and gives all that it drew, without the colours. */
async function inTerminal(
  file: string,
  keys: readonly { readonly until: string | (() => boolean); readonly type: string; readonly meanwhile?: string }[],
): Promise<string> {
  const command = `stty rows 40 cols 160; exec '${helix ?? ''}' '${file}'`;
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    cwd: join(folder, 'work'),
    env: environment(),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let drawn = '';
  child.stdout.on('data', (data: Buffer) => {
    drawn += data
      .toString()
      .replace(/\u001b\[[0-9;:?>]*[ -/]*[@-~]/g, ' ')
      .replace(/\s+/g, ' ');
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  for (const { until, type, meanwhile } of keys) {
    const deadline = Date.now() + 20_000;
    while (typeof until === 'string' ? !drawn.includes(until) : !until()) {
      if (Date.now() > deadline) {
        child.kill();
        throw new Error(`Helix never drew ${String(until)}: ${drawn.slice(-2000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, meanwhile === undefined ? 50 : 700));
      child.stdin.write(meanwhile ?? '');
    }
    child.stdin.write(type);
  }
  child.stdin.end();
  await ended;
  return drawn;
}

function pause(milliseconds: number): () => boolean {
  let from: number | undefined;
  return () => Date.now() - (from ??= Date.now()) >= milliseconds;
}

describe.skipIf(helix === undefined)(
  'Helix (HELIX_BIN, the path, or scripts/install/installHelix.mjs) with the configuration of the documentation',
  () => {
    beforeAll(setUp);
    afterAll(() => rmSync(folder, { recursive: true }));

    it('finds the server', async () => {
      const { stdout } = await promisify(execFile)(helix ?? '', ['--health', 'modelfile'], { env: environment() });
      expect(stdout).toMatch(/modelfile/);
      expect(stdout).toContain(join(folder, 'bin/modelfile-language-server'));
    });

    it('opens a Modelfile, shows its diagnostics and formats', { timeout: 90_000 }, async () => {
      const file = join(folder, 'work/Modelfile');
      writeFileSync(file, 'from ./none.gguf\nPARAMETER seed 1\n\n\n\nSYSTEM ""\n');
      const formatted = 'FROM ./none.gguf\nPARAMETER seed 1\n\nSYSTEM ""\n';
      const drawn = await inTerminal(file, [
        // The warning in the status line; what the information on the first line says; the picker; the text formatted; and out.
        { until: '● 1', type: ' d' },
        { until: './none.gguf does not exist', type: '\u001b' },
        // An escape at once followed by a colon is another key.
        { until: pause(500), type: ':format\r' },
        // Helix formats in the background: it writes until that was done.
        { until: () => readFileSync(file, 'utf8') === formatted, meanwhile: ':w\r', type: ':q!\r' },
      ]);
      expect(drawn).toContain('An empty SYSTEM');
      expect(readFileSync(file, 'utf8')).toBe(formatted);
    });
  },
);
