// From a request to a model with its name, on a server whose names may be in motion.
import { setTimeout as sleep } from 'node:timers/promises';
import { StudioError, throwIfAborted, toStudioError } from '../../core/errors';
import type { ModelfileLines } from '../../core/modelfile/modelfileLines';
import type { CreateNames } from '../../core/ollama/createNames';
import type { EngineEvent } from '../../core/progress';
import type { OllamaClient } from '../ollama/ollamaClient';
import { isUnsettled, PAUSES, whileUnsettled } from '../ollama/whileUnsettled';
import { findModel } from './createServer';

interface MakeOptions {
  readonly names: CreateNames;
  /** A model has the wanted name: it is kept under another one. */
  readonly exists: boolean;
  readonly client: OllamaClient;
  readonly lines: ModelfileLines;
  readonly signal: AbortSignal;
}

/**
 * Makes the model under a name of its own, and gives it the wanted one when it is whole.
 * @param body of `/api/create`, for the unfinished name
 * @throws StudioError what the server says, with the line of the Modelfile that it is about
 */
export async function* makeNamed(
  body: string,
  { names, exists, client, lines, signal }: MakeOptions,
): AsyncGenerator<EngineEvent, void> {
  let isNamed = false;
  try {
    yield* createUnfinished(client, body, signal);
    throwIfAborted(signal);
    // From here on it takes three short requests: too short to be cancelled.
    if (exists) {
      await whileUnsettled(() => client.copy(names.name, names.previous));
    }
    await whileUnsettled(() => client.copy(names.unfinished, names.name));
    isNamed = true;
    await removeUnfinished(client, names.unfinished);
  } catch (thrown) {
    throw lines.ofServer(toStudioError(thrown));
  } finally {
    if (!isNamed) {
      await removeUnfinished(client, names.unfinished);
    }
  }
}

/**
 * Takes the name away under which a model was made. A server that was left in the middle may still finish what it had begun: where there is
 * nothing yet, a second look is taken.
 */
async function removeUnfinished(client: OllamaClient, name: string): Promise<void> {
  let refusals = 0;
  for (const pause of [0, SECOND_LOOK, ...PAUSES]) {
    await sleep(pause);
    try {
      await client.delete(name, { signal: AbortSignal.timeout(2000) });
      return;
    } catch (thrown) {
      const isMissing = thrown instanceof StudioError && thrown.code === 'ollama/model-missing';
      refusals += isMissing || !isUnsettled(thrown) ? 1 : 0;
      if (refusals > 1) {
        return;
      }
    }
  }
}

const SECOND_LOOK = 200;

/** Sends a request to create, again for a while where it fell over the names of another creation: it is the same model every time. */
async function* createUnfinished(
  client: OllamaClient,
  body: string,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent, void> {
  for (const pause of [...PAUSES, undefined]) {
    try {
      yield* client.create(body, { signal });
      return;
    } catch (thrown) {
      const said = thrown instanceof StudioError ? thrown.detail?.['server'] : undefined;
      const isOther = typeof said === 'string' && /manifests[\\/].*(?:no such file|cannot find)/i.test(said);
      if (!isOther || pause === undefined) {
        throw thrown;
      }
      await sleep(pause);
      throwIfAborted(signal);
    }
  }
}

/** Of the new model: as the server tells it of what is in its memory, where the model was just asked; else from its list. */
export async function digestOf(client: OllamaClient, name: string): Promise<string> {
  const running = await client.running().catch(() => []);
  const digest =
    findModel(running, name)?.digest ??
    (await whileUnsettled(async () => {
      const found = findModel(await client.list(), name)?.digest;
      if (found === undefined) {
        throw new StudioError(
          'ollama/lost',
          `${name} was created and is gone again: something else removed it. Run this again.`,
          { detail: { server: `model '${name}' not found` } },
        );
      }
      return found;
    }));
  return `sha256:${digest.replace(/^sha256:/, '')}`;
}
