import { ARTEFACT_OPTIONS } from '../artefactOptions';
import type { Command } from '../command';
import { OLLAMA_OPTIONS } from '../ollama';
import { list, required, usageError } from '../options';
import { createFromArtefacts } from './createFromArtefacts';

export const createFromBase: Command = {
  name: 'create-from-base',
  usage:
    '--base DIR|BASE.gguf|NAME --adapter DIR --name N [--type T] [--library MODEL] [--system TEXT] [--temperature N] [--num-ctx N] [--out-modelfile F] [--route R] [--dry-run] [--force] [--keep] [--host ADDRESS]',
  does: 'a model in Ollama from a base (a folder, or a model that Ollama has) and an adapter',
  options: {
    ...ARTEFACT_OPTIONS,
    name: { type: 'string' },
    force: { type: 'boolean' },
    keep: { type: 'boolean' },
    'allow-requantize': { type: 'boolean' },
    workers: { type: 'string' },
    ...OLLAMA_OPTIONS,
  },
  async run(positionals, options, context) {
    if (positionals.length > 0) {
      throw usageError(
        `create-from-base takes no ${positionals[0] ?? ''}: name the model with --name, its base with --base and the adapter with --adapter.`,
      );
    }
    if (list(options, 'adapter').length === 0) {
      throw usageError('--adapter is missing. For example: --adapter outputs/checkpoint-500');
    }
    return await createFromArtefacts(required(options, 'name', 'rugby'), options, context);
  },
};
