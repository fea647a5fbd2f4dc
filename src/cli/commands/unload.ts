import { StudioError } from '../../core/errors';
import { parseModelName, sameModelName } from '../../core/ollama/modelName';
import type { Command } from '../command';
import { forEachModel, OLLAMA_OPTIONS, runningOllama } from '../ollama';

export const unload: Command = {
  name: 'unload',
  usage: 'MODEL… [--host ADDRESS]',
  does: 'take models out of the memory of an Ollama server',
  options: OLLAMA_OPTIONS,
  async run(positionals, options, context) {
    const client = await runningOllama(options, context);
    return await forEachModel('unload', positionals, 'Unloaded', context, async (name) => {
      const wanted = parseModelName(name)!;
      const models = await client.list({ signal: context.signal });
      if (!models.some((model) => sameModelName(parseModelName(model.name) ?? wanted, wanted))) {
        throw new StudioError(
          'ollama/model-missing',
          `${client.address.host} has no ${name}. list shows what is installed.`,
        );
      }
      await client.unload(name, { signal: context.signal });
    });
  },
};
