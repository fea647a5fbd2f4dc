import { inspectText } from '../../core/artefacts/inspectText';
import { inspectPaths } from '../../node/artefacts/inspectPath';
import type { Command } from '../command';
import { usageError } from '../options';

export const inspect: Command = {
  name: 'inspect',
  usage: 'PATH…',
  does: 'say what files and folders are, by their headers',
  options: {},
  async run(positionals, _options, context) {
    if (positionals.length === 0) {
      throw usageError('inspect needs a file or a folder. For example: inspect model.gguf');
    }
    const files = await inspectPaths(positionals, { signal: context.signal });
    return {
      exitCode: files.every((file) => file.ok) ? 0 : 1,
      json: { files },
      text: inspectText(files, context.palette),
    };
  },
};
