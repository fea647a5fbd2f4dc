import { targetOfGguf } from '../../core/engine/adapterTarget';
import { StudioError } from '../../core/errors';
import { elementCount } from '../../core/formats/tensorRef';
import { parseModelfile } from '../../core/modelfile/parseModelfile';
import { parseModelName, shortModelName } from '../../core/ollama/modelName';
import type { OllamaClient } from '../ollama/ollamaClient';
import type { InstalledBase } from './routeFacts';

/**
 * What an installed model tells of itself as a base: enough to write a GGUF adapter for it, not to fuse.
 * @throws StudioError ollama/model-missing, ollama/adapter for a model that has an adapter already, model/architecture for what no adapter can be written for, model/config where the server says too little
 */
export async function loadInstalledBase(
  client: OllamaClient,
  name: string,
  signal?: AbortSignal,
): Promise<InstalledBase> {
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
  const { instructions } = parseModelfile(new TextEncoder().encode((await client.show(name, { signal })).modelfile));
  const argument = (command: string): string | undefined =>
    instructions.find((instruction) => instruction.command?.name === command)?.command?.args;
  if (argument('adapter') !== undefined) {
    throw new StudioError(
      'ollama/adapter',
      `${name} is a base with an adapter on top, and Ollama takes one adapter only. Give the base alone (its Hugging Face folder, its GGUF or the model that it was made from) and both adapters with --adapter.`,
      { detail: { name } },
    );
  }
  const installed = (await client.list({ signal })).find((model) => model.name === short || model.name === name);
  return {
    target: targetOfGguf({ path: name, value, tensors: described.tensors }),
    blob: /(?:^|[\\/])(sha256-[0-9a-f]{64})$/.exec(argument('model') ?? '')?.[1],
    host: client.address.host,
    type: described.quantisation ?? 'GGUF',
    bytes: installed?.bytes ?? 0,
    parameters: [...described.tensors.values()].reduce((sum, shape) => sum + elementCount(shape), 0),
  };
}
