import { compareTwoFiles, type ComparedFiles } from '../../node/viewer/compareTwoFiles';
import type { Command, CommandResult } from '../command';
import { flag, usageError } from '../options';
import { compareText } from './compareText';

export const compare: Command = {
  name: 'compare',
  usage: 'A B [--values]',
  does: 'say how two GGUF or safetensors files differ: keys, tensors, and with --values every value',
  options: { values: { type: 'boolean' } },
  async run(positionals, options, context): Promise<CommandResult> {
    const [a, b] = positionals;
    if (a === undefined || b === undefined || positionals.length !== 2) {
      throw usageError('compare needs two files. For example: compare old.gguf new.gguf');
    }
    const compared: ComparedFiles = await compareTwoFiles(a, b, {
      values: flag(options, 'values'),
      signal: context.signal,
      onTensor: (name, done, total) => context.status?.(`${done} of ${total} tensors · ${name}`),
    });
    context.status?.('');
    return { exitCode: 0, json: { ok: true, ...compared }, text: compareText(compared, context.palette) };
  },
};
