import { homedir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { StudioError, throwIfAborted } from '../../core/errors';
import type { OllamaClient } from './ollamaClient';
import { findOllama } from './ollamaState';

/** A server answers within a second or two; more than this, and it does not come. */
const PATIENCE = 20_000;
const EVERY = 200;
/** What a server needs of the environment: its own settings, where home is, and the graphics card. No token of anybody else. */
const PASSED_ON =
  /^(?:OLLAMA_\w+|HOME|USER|LOGNAME|PATH|Path|LANG|LC_\w+|TMPDIR|TEMP|TMP|USERPROFILE|LOCALAPPDATA|APPDATA|SystemRoot|windir|CUDA_\w+|HIP_\w+|ROCR_\w+|HSA_\w+|GGML_\w+|HTTPS?_PROXY|https?_proxy|NO_PROXY|no_proxy|XDG_\w+)$/;

/**
 * Starts the installed Ollama's server, as `ollama serve` in a terminal does, and waits until it answers. It goes on running when this
 * process ends. One that answers already is left alone.
 * @returns false where a server was there
 * @throws StudioError ollama/not-installed, ollama/not-running where it does not come up, run/cancelled
 */
export async function startOllama(
  client: OllamaClient,
  { signal, env = process.env }: { readonly signal?: AbortSignal | undefined; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<boolean> {
  if (await answers(client, signal)) {
    return false;
  }
  if (!client.address.isLoopback) {
    throw new StudioError('ollama/not-running', `${client.address.host} is another machine: start Ollama there.`);
  }
  const program = await findOllama(env);
  if (program === undefined) {
    throw new StudioError(
      'ollama/not-installed',
      'No Ollama was found on this machine. Install it from ollama.com/download.',
    );
  }
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => PASSED_ON.test(name)));
  // Whom it listens to is the user's own setting, unless the editor's names another port. Never a shell, never a folder of the workspace; it must outlive this process.
  const server = execa(program, ['serve'], {
    cwd: homedir(),
    env: { ...own, ...(client.address.origin === 'setting' ? { OLLAMA_HOST: client.address.url } : {}) },
    extendEnv: false,
    detached: true,
    cleanup: false,
    stdio: 'ignore',
    preferLocal: false,
    reject: false,
    windowsHide: true,
  });
  server.unref();
  const life = { ended: false };
  void server.then(() => (life.ended = true));
  const deadline = Date.now() + PATIENCE;
  while (Date.now() < deadline && !life.ended) {
    throwIfAborted(signal);
    if (await answers(client, signal)) {
      return true;
    }
    await sleep(EVERY);
  }
  throw new StudioError(
    'ollama/not-running',
    `${program} serve was started and ${life.ended ? 'ended at once' : 'does not answer'} at ${client.address.host}. Run it in a terminal to see why.`,
    { path: program },
  );
}

async function answers(client: OllamaClient, signal: AbortSignal | undefined): Promise<boolean> {
  return await client.version({ signal }).then(
    () => true,
    () => false,
  );
}
