import { stat } from 'node:fs/promises';
import { prepareBuild, prepareQuantize } from '../../node/engine/prepareBuild';
import type { Command } from '../command';
import { fileType, flag, RUN_OPTIONS, TYPE_OPTIONS, typeChoices, usageError, workerCount } from '../options';
import { runAndReport } from '../runAndReport';

export const quantize: Command = {
  name: 'quantize',
  usage: 'IN OUT TYPE [--dry-run] [--allow-requantize] [options of build]',
  does: 'another type for a GGUF or a Hugging Face folder',
  options: { ...TYPE_OPTIONS, ...RUN_OPTIONS },
  async run(positionals, options, context) {
    const [input, output, type, extra] = positionals;
    if (input === undefined || output === undefined || type === undefined || extra !== undefined) {
      throw usageError(
        'quantize takes three things: the input, the output and the type. For example: quantize model-f16.gguf model-q4.gguf Q4_K_M',
      );
    }
    const workers = workerCount(options);
    const choices = {
      fileType: fileType(type),
      output,
      layout: 'quantised' as const,
      ...typeChoices(options),
      signal: context.signal,
    };
    const isFolder = await stat(input).then(
      (found) => found.isDirectory(),
      () => false,
    );
    const plan = isFolder
      ? await prepareBuild({ base: input, adapters: [], ...choices })
      : await prepareQuantize({ input, ...choices });
    return await runAndReport(
      plan,
      { force: flag(options, 'force'), workers, dryRun: flag(options, 'dry-run') },
      context,
    );
  },
};
