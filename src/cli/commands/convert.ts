import { prepareBuild } from '../../node/engine/prepareBuild';
import type { Command } from '../command';
import { fileType, flag, required, RUN_OPTIONS, usageError, workerCount } from '../options';
import { runAndReport } from '../runAndReport';

const CONVERTED = ['F32', 'F16', 'BF16', 'Q8_0'];

export const convert: Command = {
  name: 'convert',
  usage: '--base DIR --type F32|F16|BF16|Q8_0 --out F.gguf [--dry-run] [--force] [--workers N]',
  does: 'a Hugging Face folder as GGUF, as llama.cpp converts it',
  options: { base: { type: 'string' }, type: { type: 'string' }, out: { type: 'string' }, ...RUN_OPTIONS },
  async run(positionals, options, context) {
    if (positionals.length > 0) {
      throw usageError(
        `convert takes no ${positionals[0] ?? ''}: name the model with --base and the result with --out.`,
      );
    }
    const type = fileType(required(options, 'type', 'BF16'));
    if (!CONVERTED.includes(type)) {
      throw usageError(
        `convert writes ${CONVERTED.join(', ')}. For ${type} use build, which does it in the same single pass.`,
      );
    }
    const workers = workerCount(options);
    const plan = await prepareBuild({
      base: required(options, 'base', 'models/Qwen3-0.6B'),
      adapters: [],
      fileType: type,
      output: required(options, 'out', 'model.gguf'),
      layout: 'converter',
      signal: context.signal,
    });
    return await runAndReport(
      plan,
      { force: flag(options, 'force'), workers, dryRun: flag(options, 'dry-run') },
      context,
    );
  },
};
