import { StudioError } from '../../core/errors';
import type { CreateNames } from '../../core/ollama/createNames';
import { parseModelName, sameModelName } from '../../core/ollama/modelName';
import type { InstalledModel, OllamaState } from '../../core/ollama/ollamaModels';
import { ollamaProfile, type OllamaProfile } from '../../core/ollama/ollamaProfile';
import type { OllamaClient } from '../ollama/ollamaClient';
import { requireOllama } from '../ollama/ollamaState';
import { whileUnsettled } from '../ollama/whileUnsettled';

/** A server, asked once for its version and once for its models: everything that is decided before anything is written rests on these. */
export class CreateServer {
  private listed: Promise<readonly InstalledModel[]> | undefined;

  constructor(
    private readonly client: OllamaClient,
    readonly state: Extract<OllamaState, { readonly state: 'running' }>,
  ) {}

  get version(): string {
    return this.state.version;
  }

  get profile(): OllamaProfile {
    return ollamaProfile(this.version, 'server');
  }

  /** The models that it had when they were first asked for. */
  models(signal?: AbortSignal): Promise<readonly InstalledModel[]> {
    this.listed ??= whileUnsettled(() => this.client.list({ signal }), signal);
    return this.listed;
  }
}

/**
 * Asks a server for its version.
 * @throws StudioError ollama/… where none can be worked with
 */
export async function readServer(client: OllamaClient, signal?: AbortSignal): Promise<CreateServer> {
  return new CreateServer(client, await requireOllama(client, { signal }));
}

/** The model of that name among them, whatever way the name is written. */
export function findModel<Model extends { readonly name: string }>(
  models: readonly Model[],
  name: string,
): Model | undefined {
  const wanted = parseModelName(name);
  return models.find((model) => {
    const candidate = parseModelName(model.name);
    return wanted !== undefined && candidate !== undefined && sameModelName(candidate, wanted);
  });
}

/**
 * Whether a model of that name is replaced.
 * @throws StudioError ollama/model-exists where it may not be
 */
export async function requireFreeName(
  server: CreateServer,
  { name, previous }: CreateNames,
  options: { readonly force: boolean; readonly host: string; readonly signal: AbortSignal },
): Promise<boolean> {
  const exists = findModel(await server.models(options.signal), name) !== undefined;
  if (exists && !options.force) {
    throw new StudioError(
      'ollama/model-exists',
      `${name} exists on ${options.host} and was not touched. Choose another name, or --force: it is then kept as ${previous}.`,
      { detail: { name } },
    );
  }
  return exists;
}
