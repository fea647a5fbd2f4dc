import type { Command } from '../command';
import { forEachModel, OLLAMA_OPTIONS, runningOllama } from '../ollama';

export const rm: Command = {
  name: 'rm',
  usage: 'MODEL… [--host ADDRESS]',
  does: 'remove models from an Ollama server',
  options: OLLAMA_OPTIONS,
  async run(positionals, options, context) {
    const client = await runningOllama(options, context);
    return await forEachModel('rm', positionals, 'Removed', context, (name) =>
      client.delete(name, { signal: context.signal }),
    );
  },
};
