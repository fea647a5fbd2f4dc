import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { runCliOk, FIXTURES } from './cli';
import { freePort } from './freePort';

const finder = new URL('../../scripts/install/installOllama.mjs', import.meta.url).href;

/** A real Ollama of a test's own, on a port and in a folder of its own. */
export interface TestOllama {
  readonly url: string;
  readonly bin: string;
  /** Makes a model of the rugby fixture: the base, or the base with an adapter fused. */
  createRugby(name: string, adapter?: string): Promise<void>;
  /** The base with an adapter layer on top, as versions made it that still attached adapters. */
  createWithAdapter(name: string, adapter: string): Promise<void>;
  /** As the `ollama` program, with its output. */
  run(...args: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

/** The Ollama that is installed for tests; undefined where there is none. */
export async function findTestOllama(version?: string): Promise<string | undefined> {
  const { findOllama } = (await import(finder)) as { findOllama: (version?: string) => string | undefined };
  return findOllama(version);
}

/**
 * Starts Ollama; undefined where none is installed.
 * @param options.version the older of those that are tested without it; `models`: a folder that stays
 */
export async function startOllama(
  options: { readonly version?: string; readonly models?: string } = {},
): Promise<TestOllama | undefined> {
  const bin = await findTestOllama(options.version);
  if (bin === undefined) {
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-ollama-'));
  const url = `http://127.0.0.1:${await freePort()}`;
  const env = {
    ...process.env,
    OLLAMA_HOST: url,
    OLLAMA_MODELS: options.models ?? join(folder, 'models'),
    HOME: folder,
    OLLAMA_NO_CLOUD: '1',
    OLLAMA_CONTEXT_LENGTH: '512',
  };
  const child = spawn(bin, ['serve'], { env, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  for (let attempt = 0; ; attempt++) {
    const answered = await fetch(`${url}/api/version`).then(
      (response) => response.ok,
      () => false,
    );
    if (answered) {
      break;
    }
    if (attempt > 150) {
      await stop();
      throw new Error(`${bin} serve does not answer`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const run = async (...args: readonly string[]): Promise<string> =>
    (await promisify(execFile)(bin, [...args], { env, cwd: dirname(bin) })).stdout;
  const createWithAdapter = async (name: string, adapter: string): Promise<void> => {
    const at = (file: string): string => join(folder, `${name.replaceAll(/\W/g, '_')}-${file}`);
    const base = join(FIXTURES, 'rugby/base');
    const source = join(FIXTURES, 'rugby', adapter);
    await runCliOk(['build', '--base', base, '--type', 'Q8_0', '--out', at('base.gguf')]);
    await runCliOk(['convert-adapter', '--adapter', source, '--base', base, '--out', at('adapter.gguf')]);
    writeFileSync(
      at('Modelfile'),
      `FROM ${at('base.gguf')}\nADAPTER ${at('adapter.gguf')}\nSYSTEM You answer questions about rugby league.\nPARAMETER stop <|im_end|>\nPARAMETER temperature 0\nLICENSE MIT\n`,
    );
    await run('create', name, '-f', at('Modelfile'));
  };
  const createRugby = async (name: string, adapter?: string): Promise<void> => {
    const out = join(folder, `${name.replaceAll(/\W/g, '_')}.gguf`);
    await runCliOk([
      'build',
      '--base',
      join(FIXTURES, 'rugby/base'),
      ...(adapter === undefined ? [] : ['--adapter', join(FIXTURES, 'rugby', adapter)]),
      '--type',
      'Q8_0',
      '--out',
      out,
    ]);
    const modelfile = join(folder, 'Modelfile');
    writeFileSync(
      modelfile,
      `FROM ${out}\nTEMPLATE """{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"""\nPARAMETER stop <|im_end|>\nPARAMETER temperature 0\n`,
    );
    await run('create', name, '-f', modelfile);
  };
  return { url, bin, createRugby, createWithAdapter, run, stop };
}
