import { escapeControls } from '../../core/escapeControls';
import { formatBytes } from '../../core/formatBytes';
import type { Command } from '../command';
import { OLLAMA_OPTIONS, runningOllama, table } from '../ollama';
import { usageError } from '../options';

export const ps: Command = {
  name: 'ps',
  usage: '[--host ADDRESS]',
  does: 'the models in the memory of an Ollama server',
  options: OLLAMA_OPTIONS,
  async run(positionals, options, context) {
    if (positionals.length > 0) {
      throw usageError('ps takes no names: it lists all models in memory.');
    }
    const client = await runningOllama(options, context);
    const models = await client.running({ signal: context.signal });
    const rows = models.map(({ name, bytes, gpuBytes, contextLength, expiresAt }) =>
      [
        name,
        formatBytes(bytes),
        bytes === 0 ? '' : `${Math.round((gpuBytes / bytes) * 100)} % GPU`,
        contextLength === undefined ? '' : String(contextLength),
        expiresAt?.slice(0, 19).replace('T', ' ') ?? '',
      ].map(escapeControls),
    );
    return {
      exitCode: 0,
      json: { models },
      text:
        models.length === 0
          ? 'No model is in memory.'
          : table([['NAME', 'MEMORY', 'WHERE', 'CONTEXT', 'UNTIL'], ...rows]),
    };
  },
};
