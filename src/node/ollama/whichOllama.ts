import { execa } from 'execa';
import { stat } from 'node:fs/promises';
import { ollamaProfile, type OllamaProfile } from '../../core/ollama/ollamaProfile';
import { FactCache } from '../files/factCache';
import { findOllama } from './ollamaState';

/** A program that prints its version and nothing else takes no longer. */
const TIMEOUT = 5000;
/** Nothing listens there: `ollama --version` asks a server first, and is to say its own. */
const NOBODY = '127.0.0.1:1';

const versions = new FactCache<string | undefined>(4);

/**
 * What the installed program says of itself (`ollama --version`), no server asked; undefined where none is installed or it does not
 * say. It is started once for as long as the file stays the same.
 * @throws the reason of an aborted signal
 */
export async function installedOllamaVersion(
  signal?: AbortSignal,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  const program = await findOllama(env);
  const stats = program === undefined ? undefined : await stat(program).catch(() => undefined);
  return program === undefined || stats === undefined
    ? undefined
    : versions.get(program, `${stats.size} ${stats.mtimeMs}`, () => askProgram(program, env), signal);
}

async function askProgram(program: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const { stdout, stderr } = await execa(program, ['--version'], {
    env: { ...env, OLLAMA_HOST: NOBODY },
    extendEnv: false,
    stdin: 'ignore',
    timeout: TIMEOUT,
    maxBuffer: 64 * 1024,
    reject: false,
  });
  const said = `${stdout}\n${stderr}`;
  return /\bversion is v?(\d+\.\d+\.\d+[\w.+-]*)/.exec(said)?.[1];
}

/** Where a version may come from; absent where it is not to be looked for there. */
export interface OllamaVersionSources {
  /** By the flag or the setting. */
  readonly given?: string | undefined;
  /** Of the running server; undefined where it does not answer. */
  readonly server?: (() => Promise<string | undefined>) | undefined;
  /** Of the installed program. */
  readonly program?: (() => Promise<string | undefined>) | undefined;
}

/** The Ollama that counts: the one that was named, else the running server, else the installed program, else the newest known. */
export async function findOllamaProfile({ given, server, program }: OllamaVersionSources): Promise<OllamaProfile> {
  if (given !== undefined) {
    return ollamaProfile(given, 'given');
  }
  const running = await server?.();
  if (running !== undefined) {
    return ollamaProfile(running, 'server');
  }
  return ollamaProfile(await program?.(), 'program');
}
