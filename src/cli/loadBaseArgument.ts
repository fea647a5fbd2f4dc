import { existsSync } from 'node:fs';
import { StudioError } from '../core/errors';
import { parseModelName } from '../core/ollama/modelName';
import { loadInstalledBase } from '../node/create/installedBase';
import { readServer, type CreateServer } from '../node/create/createServer';
import { OLLAMA_PREFIX } from '../node/inputs/installedModel';
import type { OllamaClient } from '../node/ollama/ollamaClient';
import type { InstalledBase } from '../node/create/routeFacts';

/** What `--base` names: a path, or a model that Ollama has. */
export interface BaseArgument {
  readonly base: string;
  readonly installed?: InstalledBase | undefined;
  /** Where one answered: asked once, for all that is decided before anything is written. */
  readonly server?: CreateServer | undefined;
}

/**
 * A path that exists is a path; `ollama:NAME` never is. Anything else that can be a model's name is asked for at the server.
 * @param needsServer a server that does not answer is an error for a path as well
 * @throws StudioError input/missing for what is neither; ollama/… where only a server could tell
 */
export async function loadBaseArgument(
  base: string,
  {
    client,
    signal,
    needsServer,
  }: { readonly client: OllamaClient; readonly signal: AbortSignal; readonly needsServer: boolean },
): Promise<BaseArgument> {
  const isNamed = base.startsWith(OLLAMA_PREFIX);
  const name = isNamed ? base.slice(OLLAMA_PREFIX.length) : base;
  if (!isNamed && existsSync(base)) {
    const server = await readServer(client, signal).catch((thrown: unknown) => {
      if (needsServer) {
        throw thrown;
      }
      return unreachable(thrown);
    });
    return { base, server };
  }
  if (parseModelName(name) === undefined || (!isNamed && /^[./~]|\\/.test(base))) {
    throw new StudioError(
      'input/missing',
      `${base} does not exist, and it is no model's name either. Give the folder of the base, its GGUF, or the name of a model that Ollama has (modelfile-studio list).`,
      { path: base },
    );
  }
  const server = await readServer(client, signal);
  const installed = await loadInstalledBase(client, name, { models: await server.models(signal), signal });
  return { base: name, installed, server };
}

/** Whether a server answers only colours the advice; one that is too old is told, and a cancel stays one. */
function unreachable(thrown: unknown): undefined {
  if (thrown instanceof StudioError && (thrown.code === 'run/cancelled' || thrown.code === 'ollama/too-old')) {
    throw thrown;
  }
  return undefined;
}
