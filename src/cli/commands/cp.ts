import { StudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { parseModelName, sameModelName } from '../../core/ollama/modelName';
import type { Command } from '../command';
import { modelName, OLLAMA_OPTIONS, runningOllama } from '../ollama';
import { flag, usageError } from '../options';

export const cp: Command = {
  name: 'cp',
  usage: 'MODEL NAME [--force] [--host ADDRESS]',
  does: 'give a model a second name',
  options: { force: { type: 'boolean' }, ...OLLAMA_OPTIONS },
  async run(positionals, options, context) {
    const [source, destination, ...rest] = positionals;
    if (source === undefined || destination === undefined || rest.length > 0) {
      throw usageError('cp takes a model and its second name. For example: cp rugby me/rugby');
    }
    const wanted = parseModelName(modelName(destination))!;
    const client = await runningOllama(options, context);
    const { signal } = context;
    const exists = (await client.list({ signal })).some((model) =>
      sameModelName(parseModelName(model.name) ?? { ...wanted, model: '' }, wanted),
    );
    if (exists && !flag(options, 'force')) {
      throw new StudioError(
        'ollama/model-exists',
        `${destination} exists and was not touched. Choose another name, or --force to replace it.`,
        { detail: { name: destination } },
      );
    }
    await client.copy(modelName(source), destination, { signal });
    return {
      exitCode: 0,
      json: { ok: true, source, destination },
      text: `${context.palette.good('Copied')} ${escapeControls(source)} to ${escapeControls(destination)}`,
    };
  },
};
