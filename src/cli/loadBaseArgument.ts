import { existsSync } from 'node:fs';
import { StudioError } from '../core/errors';
import { parseModelName } from '../core/ollama/modelName';
import { loadInstalledBase } from '../node/create/installedBase';
import { OLLAMA_PREFIX } from '../node/inputs/installedModelFile';
import type { OllamaClient } from '../node/ollama/ollamaClient';
import type { InstalledBase } from '../node/create/routeFacts';

/** What `--base` names: a path, or a model that Ollama has. */
export interface BaseArgument {
  readonly base: string;
  readonly installed?: InstalledBase | undefined;
  /** Of the server, where one answered. */
  readonly ollamaVersion?: string | undefined;
}

/**
 * A path that exists is a path; `ollama:NAME` never is. Anything else that can be a model's name is asked for at the server.
 * @throws StudioError input/missing for what is neither; ollama/… where only a server could tell
 */
export async function loadBaseArgument(base: string, signal: AbortSignal, client: OllamaClient): Promise<BaseArgument> {
  const isNamed = base.startsWith(OLLAMA_PREFIX);
  const name = isNamed ? base.slice(OLLAMA_PREFIX.length) : base;
  if (!isNamed && existsSync(base)) {
    return { base, ollamaVersion: await client.version({ signal }).catch((thrown: unknown) => unreachable(thrown)) };
  }
  if (parseModelName(name) === undefined || (!isNamed && /^[./~]|\\/.test(base))) {
    throw new StudioError(
      'input/missing',
      `${base} does not exist, and it is no model's name either. Give the folder of the base, its GGUF, or the name of a model that Ollama has (modelfile-studio list).`,
      { path: base },
    );
  }
  const ollamaVersion = await client.version({ signal });
  return { base: name, installed: await loadInstalledBase(client, name, signal), ollamaVersion };
}

/** Whether a server answers only colours the advice; a cancel stays one. */
function unreachable(thrown: unknown): undefined {
  if (thrown instanceof StudioError && thrown.code === 'run/cancelled') {
    throw thrown;
  }
  return undefined;
}
