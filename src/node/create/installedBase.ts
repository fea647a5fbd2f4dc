import { targetOfGguf } from '../../core/engine/adapterTarget';
import { StudioError } from '../../core/errors';
import { elementCount } from '../../core/formats/tensorRef';
import { parseModelfile } from '../../core/modelfile/parseModelfile';
import { parseModelName, shortModelName } from '../../core/ollama/modelName';
import type { InstalledModel } from '../../core/ollama/ollamaModels';
import { mlxImportError } from '../inputs/installedModel';
import type { OllamaClient } from '../ollama/ollamaClient';
import type { InstalledBase } from './routeFacts';

/**
 * What an installed model tells of itself as a base: enough to write a GGUF adapter for it, not to fuse.
 * @param models what the server lists
 * @throws StudioError ollama/model-missing, ollama/mlx for what MLX imported, model/architecture for what no adapter can be written for, model/config where the server says too little
 */
export async function loadInstalledBase(
  client: OllamaClient,
  name: string,
  { models, signal }: { readonly models: readonly InstalledModel[]; readonly signal?: AbortSignal | undefined },
): Promise<InstalledBase> {
  const shown = await client.show(name, { signal });
  if (shown.format === 'safetensors') {
    throw mlxImportError(name, name);
  }
  const described = await client.tensors(name, { signal });
  if (described.tensors.size === 0) {
    throw new StudioError(
      'model/config',
      `Ollama does not tell which tensors ${name} has (its version is too old for that, or the model runs elsewhere). Give the Hugging Face folder of the base with --base DIR.`,
      { detail: { name } },
    );
  }
  const value = (key: string): string | number | undefined => {
    const found = described.info[key];
    return typeof found === 'string' || typeof found === 'number' ? found : undefined;
  };
  const parsed = parseModelName(name);
  const short = parsed === undefined ? name : shortModelName(parsed);
  const { instructions } = parseModelfile(new TextEncoder().encode(shown.modelfile));
  const argument = (command: string): string | undefined =>
    instructions.find((instruction) => instruction.command?.name === command)?.command?.args;
  const installed = models.find((model) => model.name === short || model.name === name);
  return {
    target: targetOfGguf({ path: name, value, tensors: described.tensors }),
    blob: /(?:^|[\\/])(sha256-[0-9a-f]{64})$/.exec(argument('model') ?? '')?.[1],
    host: client.address.host,
    client,
    type: described.quantisation ?? 'GGUF',
    bytes: installed?.bytes ?? 0,
    hasAdapter: argument('adapter') !== undefined,
    parameters: [...described.tensors.values()].reduce((sum, shape) => sum + elementCount(shape), 0),
  };
}
