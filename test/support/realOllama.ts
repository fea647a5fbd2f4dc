import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { resolveOllamaAddress } from '../../src/core/ollama/ollamaAddress';
import { OllamaClient, type OllamaTimeouts } from '../../src/node/ollama/ollamaClient';
import { freePort } from './freePort';

// The path is computed, so that type checking does not follow it into a plain script.
const installer = new URL('../../scripts/install/installOllama.mjs', import.meta.url).href;

const cache = new URL('../../scripts/go/buildOracle.mjs', import.meta.url).href;

/** An installed Ollama: OLLAMA_BIN first, then the one that scripts/install/installOllama.mjs built. */
export interface FoundOllama {
  readonly path: string;
  /** It has llama.cpp's programs, so that it can run and quantise models. */
  readonly runsModels: boolean;
}

export async function findRealOllama(): Promise<FoundOllama | undefined> {
  const { findOllama } = (await import(installer)) as { findOllama: () => string | undefined };
  const path = findOllama();
  if (path === undefined) {
    return undefined;
  }
  const folder = join(dirname(path), '..', 'lib', 'ollama');
  return { path, runsModels: existsSync(join(folder, 'llama-server')) || process.env['OLLAMA_BIN'] !== undefined };
}

/** The versions that creation is tested on: the last before adapters, conversion and quantisation went, and the newest known. */
export const CREATE_VERSIONS = ['0.32.15', '0.34.4'] as const;

export interface VersionedOllama {
  readonly version: string;
  readonly path: string;
  /** Why nothing can be tried on it here; empty where it can. */
  readonly reason: string;
}

/** One Ollama of each of these versions, beside one another in the cache; of OLLAMA_BIN that one alone. */
export async function realOllamas(): Promise<readonly VersionedOllama[]> {
  const named = await findRealOllama();
  if (process.env['OLLAMA_BIN'] !== undefined && named !== undefined) {
    const said = spawnSync(named.path, ['--version'], { encoding: 'utf8' });
    const version = /(\d+\.\d+\.\d+)/.exec(said.stdout + said.stderr)?.[1] ?? 'unknown';
    return [{ version, path: named.path, reason: '' }];
  }
  const { cacheDirectory } = (await import(cache)) as { cacheDirectory: () => string };
  return CREATE_VERSIONS.map((version) => {
    const folder = join(cacheDirectory(), `ollama-${version}`);
    const path = join(folder, 'bin', 'ollama');
    const reason = !existsSync(path)
      ? `There is no Ollama ${version} here (scripts/install/installOllama.mjs).`
      : !existsSync(join(folder, 'lib', 'ollama', 'llama-server'))
        ? NO_LLAMA
        : '';
    return { version, path, reason };
  });
}

export const NO_OLLAMA = 'There is no Ollama here (OLLAMA_BIN, or scripts/install/installOllama.mjs).';
export const NO_LLAMA = 'This Ollama has no llama-server (scripts/install/installLlama.mjs).';

/** A server of a test's own: its port, its models, its home. */
export class RealOllama {
  private constructor(
    readonly host: string,
    readonly folder: string,
    readonly models: string,
    private readonly path: string,
    private child: ChildProcess,
    private readonly ownsModels: boolean,
  ) {}

  /** @param models a folder for the models, which is left alone at the end; else one of its own */
  static async start(path: string, { models }: { readonly models?: string } = {}): Promise<RealOllama> {
    const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-ollama-'));
    const host = `127.0.0.1:${await freePort()}`;
    const server = new RealOllama(
      host,
      folder,
      models ?? join(folder, 'models'),
      path,
      launch(path, host, folder, models ?? join(folder, 'models')),
      models === undefined,
    );
    await server.answers();
    return server;
  }

  client(timeouts: Partial<OllamaTimeouts> = {}): OllamaClient {
    return new OllamaClient(resolveOllamaAddress({ setting: this.host }), timeouts);
  }

  /** For the environment of a command line. */
  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, OLLAMA_HOST: this.host };
  }

  /** Ends the server as a crash does, and waits until it is gone. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      // The group: llama-server processes that it started go with it.
      killGroup(child, 'SIGKILL');
      await gone;
    }
  }

  async restart(): Promise<void> {
    await this.kill();
    this.child = launch(this.path, this.host, this.folder, this.models);
    await this.answers();
  }

  async stop(): Promise<void> {
    await this.kill();
    if (this.ownsModels || this.folder !== this.models) {
      rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  private async answers(): Promise<void> {
    const client = this.client();
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(50)) {
      if (this.child.exitCode !== null) {
        throw new Error(`ollama serve ended with ${this.child.exitCode}`);
      }
      if (
        await client.version().then(
          () => true,
          () => false,
        )
      ) {
        return;
      }
    }
    await this.kill();
    throw new Error('ollama serve did not answer within 30 s');
  }
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) {
    killGroup(child, 'SIGKILL');
  }
});

function launch(path: string, host: string, folder: string, models: string): ChildProcess {
  const child = spawn(path, ['serve'], {
    // Nothing of the user's own Ollama: no models, no keys, no settings.
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      USERPROFILE: folder,
      OLLAMA_HOST: host,
      OLLAMA_MODELS: models,
      OLLAMA_NO_CLOUD: '1',
      OLLAMA_KEEP_ALIVE: '30s',
    },
    stdio: 'ignore',
    detached: true,
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-(child.pid ?? 0), signal);
  } catch {
    child.kill(signal);
  }
}
