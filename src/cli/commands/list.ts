import { escapeControls } from '../../core/escapeControls';
import { formatBytes } from '../../core/formatBytes';
import type { Command } from '../command';
import { OLLAMA_OPTIONS, runningOllama, table } from '../ollama';
import { usageError } from '../options';

export const list: Command = {
  name: 'list',
  usage: '[--host ADDRESS]',
  does: 'the models of an Ollama server',
  options: OLLAMA_OPTIONS,
  async run(positionals, options, context) {
    if (positionals.length > 0) {
      throw usageError('list takes no names: show MODEL describes one.');
    }
    const client = await runningOllama(options, context);
    const models = await client.list({ signal: context.signal });
    const rows = models.map(({ name, digest, bytes, family, parameterSize, quantisation, modifiedAt, isCloud }) =>
      [
        name,
        digest.slice(0, 12),
        isCloud ? 'cloud' : formatBytes(bytes),
        [family, parameterSize, quantisation].filter((part) => part !== undefined).join(' '),
        modifiedAt?.slice(0, 16).replace('T', ' ') ?? '',
      ].map(escapeControls),
    );
    const text =
      models.length === 0
        ? `${client.address.host} has no models. pull gets one from the library; create makes one.`
        : table([['NAME', 'DIGEST', 'SIZE', 'MODEL', 'CHANGED'], ...rows]);
    return { exitCode: 0, json: { models }, text };
  },
};
