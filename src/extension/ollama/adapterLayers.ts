import type { InstalledModel } from '../../core/ollama/ollamaModels';
import { toStudioError } from '../../core/errors';
import type { OllamaClient } from '../../node/ollama/ollamaClient';

/** Which installed models are a base with an adapter on top: asked once for each, since no list says it. */
export class AdapterLayers {
  readonly #known = new Map<string, boolean>();
  #asking: Promise<void> | undefined;

  /** False also for what nobody has asked about yet. */
  has({ digest }: InstalledModel): boolean {
    return this.#known.get(digest) === true;
  }

  /**
   * Asks about the models that are new, one after the other. What a server does not say counts as no adapter until the window is reloaded.
   * @param changed called once at the end, where one of them has an adapter
   */
  learn(client: OllamaClient, models: readonly InstalledModel[], changed: () => void): void {
    const unknown = models.filter(({ digest, isCloud }) => !isCloud && !this.#known.has(digest));
    if (unknown.length > 0) {
      this.#asking ??= this.#ask(client, unknown, changed).finally(() => {
        this.#asking = undefined;
      });
    }
  }

  async #ask(client: OllamaClient, models: readonly InstalledModel[], changed: () => void): Promise<void> {
    let found = false;
    for (const { name, digest } of models) {
      const has = await hasAdapter(client, name).catch((thrown: unknown) => {
        // Gone meanwhile, or the server is: it is asked again when it is listed again.
        return toStudioError(thrown).code === 'ollama/model-missing' ? undefined : false;
      });
      if (has !== undefined) {
        this.#known.set(digest, has);
        found ||= has;
      }
    }
    if (found) {
      changed();
    }
  }
}

/** Whether the Modelfile that a server shows of a model names an adapter. @throws StudioError what the server answers */
export async function hasAdapter(client: OllamaClient, name: string): Promise<boolean> {
  const { parseModelfile } = await import('../../core/modelfile/parseModelfile');
  const { modelfile } = await client.show(name);
  return parseModelfile(modelfile).instructions.some(({ command }) => command?.name === 'adapter');
}
