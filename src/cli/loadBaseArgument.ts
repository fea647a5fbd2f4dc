import { existsSync } from 'node:fs';
import { StudioError } from '../core/errors';
import { parseModelName } from '../core/ollama/modelName';
import { loadInstalledBase } from '../node/installedBase';
import type { OllamaClient } from '../node/ollamaClient';
import type { InstalledBase } from '../node/routeFacts';

/** What `--base` names: a path, or a model that Ollama has. */
export interface BaseArgument {
  readonly base: string;
  readonly installed?: InstalledBase | undefined;
  /** Of the server, where one answered. */
  readonly ollamaVersion?: string | undefined;
}

/**
 * A path that exists is a path. Anything else that can be a model's name is asked for at the server.
 * @throws StudioError input/missing for what is neither; ollama/… where only a server could tell
 */
export async function loadBaseArgument(base: string, signal: AbortSignal, client: OllamaClient): Promise<BaseArgument> {
  if (existsSync(base)) {
    return { base, ollamaVersion: await client.version({ signal }).catch((thrown: unknown) => unreachable(thrown)) };
  }
  if (parseModelName(base) === undefined || /^[./~]|\\/.test(base)) {
    throw new StudioError('input/missing', `${base} does not exist, and it is no model's name either. Give the folder of the base, its GGUF, or the name of a model that Ollama has (modelfile-studio list).`, { path: base });
  }
  const ollamaVersion = await client.version({ signal });
  return { base, installed: await loadInstalledBase(client, base, signal), ollamaVersion };
}

/** Whether a server answers only colours the advice; a cancel stays one. */
function unreachable(thrown: unknown): undefined {
  if (thrown instanceof StudioError && thrown.code === 'run/cancelled') {
    throw thrown;
  }
  return undefined;
}
