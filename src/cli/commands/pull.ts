import { escapeControls } from '../../core/escapeControls';
import type { Command } from '../command';
import { follow } from '../follow';
import { oneModel, OLLAMA_OPTIONS, runningOllama } from '../ollama';
import { flag } from '../options';

const options = { insecure: { type: 'boolean' }, ...OLLAMA_OPTIONS } as const;

export const pull: Command = {
  name: 'pull',
  usage: 'MODEL [--insecure] [--host ADDRESS]',
  does: 'download a model to an Ollama server',
  options,
  async run(positionals, values, context) {
    const name = oneModel('pull', positionals);
    const client = await runningOllama(values, context);
    await follow(client.pull(name, { signal: context.signal, insecure: flag(values, 'insecure') }), context);
    return { exitCode: 0, json: { ok: true, name }, text: `${context.palette.good('Pulled')} ${escapeControls(name)}` };
  },
};
