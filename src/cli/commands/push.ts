import { escapeControls } from '../../core/escapeControls';
import type { Command } from '../command';
import { follow } from '../follow';
import { oneModel, OLLAMA_OPTIONS, runningOllama } from '../ollama';
import { flag } from '../options';

const options = { insecure: { type: 'boolean' }, ...OLLAMA_OPTIONS } as const;

export const push: Command = {
  name: 'push',
  usage: 'MODEL [--insecure] [--host ADDRESS]',
  does: 'upload a model from an Ollama server to its registry',
  options,
  async run(positionals, values, context) {
    const name = oneModel('push', positionals);
    const client = await runningOllama(values, context);
    await follow(client.push(name, { signal: context.signal, insecure: flag(values, 'insecure') }), context);
    return { exitCode: 0, json: { ok: true, name }, text: `${context.palette.good('Pushed')} ${escapeControls(name)}` };
  },
};
