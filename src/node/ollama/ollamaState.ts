import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { StudioError } from '../../core/errors';
import type { OllamaState } from '../../core/ollama/ollamaModels';
import { behaviour } from '../../core/ollama/ollamaBehaviours';
import { ollamaProfile } from '../../core/ollama/ollamaProfile';
import type { OllamaClient } from './ollamaClient';

/** Where Ollama's installers put it, beside the folders of PATH. */
function usualPlaces(env: NodeJS.ProcessEnv): string[] {
  switch (process.platform) {
    case 'win32':
      return env['LOCALAPPDATA'] === undefined ? [] : [join(env['LOCALAPPDATA'], 'Programs', 'Ollama', 'ollama.exe')];
    case 'darwin':
      return [
        '/Applications/Ollama.app/Contents/Resources/ollama',
        '/opt/homebrew/bin/ollama',
        '/usr/local/bin/ollama',
      ];
    default:
      return ['/usr/local/bin/ollama', '/usr/bin/ollama', '/snap/bin/ollama'];
  }
}

/** The absolute path of the installed Ollama; only absolute folders of PATH are looked into. Undefined where there is none. */
export async function findOllama(env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const name = process.platform === 'win32' ? 'ollama.exe' : 'ollama';
  const folders = (env['PATH'] ?? env['Path'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  for (const path of [...folders.map((folder) => join(folder, name)), ...usualPlaces(env)]) {
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) {
      return path;
    }
  }
  return undefined;
}

/**
 * Where a server stands. Only a loopback address that nobody answers at can mean that Ollama is not installed.
 * @throws StudioError run/cancelled; what answers and is no Ollama: ollama/protocol, ollama/redirect, ollama/server
 */
export async function ollamaState(
  client: OllamaClient,
  { signal, env }: { readonly signal?: AbortSignal | undefined; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<OllamaState> {
  const isRemote = !client.address.isLoopback;
  let version: string;
  try {
    version = await client.version({ signal });
  } catch (thrown) {
    if (!(thrown instanceof StudioError)) {
      throw thrown;
    }
    if (thrown.code === 'ollama/not-running') {
      return { state: (await findOllama(env)) === undefined ? 'not-installed' : 'not-running' };
    }
    if (thrown.code === 'ollama/unreachable' || thrown.code === 'ollama/timeout' || thrown.code === 'ollama/lost') {
      return { state: 'unreachable', reason: thrown.message };
    }
    throw thrown;
  }
  const profile = ollamaProfile(version);
  if (!profile.does('createsFromFiles')) {
    return { state: 'too-old', version, minimum: behaviour('createsFromFiles').since ?? '', isRemote };
  }
  return { state: 'running', version, isRemote, mayQuantise: profile.does('quantisesSafely') };
}

/** A server that can be worked with, or the error that says what to do to get one. */
export async function requireOllama(
  client: OllamaClient,
  options: { readonly signal?: AbortSignal | undefined; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Extract<OllamaState, { readonly state: 'running' }>> {
  const state = await ollamaState(client, options);
  const { host } = client.address;
  switch (state.state) {
    case 'running':
      return state;
    case 'not-installed':
      throw new StudioError(
        'ollama/not-installed',
        `Nothing answers at ${host}, and no Ollama was found on this machine. Install it from https://ollama.com/download, or name a server in OLLAMA_HOST.`,
      );
    case 'not-running':
      throw new StudioError(
        'ollama/not-running',
        `Nothing answers at ${host}. Start Ollama (the application, or ollama serve) and run this again.`,
      );
    case 'unreachable':
      throw new StudioError('ollama/unreachable', state.reason);
    case 'too-old':
      throw new StudioError(
        'ollama/too-old',
        `Ollama at ${host} is version ${state.version}; ${state.minimum} or later is needed. Update it: https://ollama.com/download.`,
        { detail: { version: state.version, minimum: state.minimum } },
      );
  }
}
