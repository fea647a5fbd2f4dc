import { prepareFuse } from '../../node/engine/prepareBuild';
import { finishFusedFolder } from '../../node/engine/finishFusedFolder';
import type { FuseType } from '../../core/engine/planFuse';
import { baseOption } from '../baseOption';
import type { Command } from '../command';
import { adapterRequest, flag, list, required, RUN_OPTIONS, text, usageError, workerCount } from '../options';
import { runAndReport } from '../runAndReport';

/** Names that people use for the three types. */
const DTYPES: Readonly<Record<string, FuseType>> = {
  F32: 'F32',
  FLOAT32: 'F32',
  FP32: 'F32',
  F16: 'F16',
  FLOAT16: 'F16',
  FP16: 'F16',
  BF16: 'BF16',
  BFLOAT16: 'BF16',
};

export const fuse: Command = {
  name: 'fuse',
  usage: '--base DIR --adapter DIR[=W]… --out DIR [--dtype BF16|F16|F32] [--dry-run] [--force] [--workers N]',
  does: 'a merged Hugging Face folder',
  options: {
    base: { type: 'string' },
    adapter: { type: 'string', multiple: true },
    out: { type: 'string' },
    dtype: { type: 'string' },
    ...RUN_OPTIONS,
  },
  async run(positionals, options, context) {
    if (positionals.length > 0) {
      throw usageError(
        `fuse takes no ${positionals[0] ?? ''}: name the model with --base, the adapter with --adapter and the result with --out.`,
      );
    }
    const adapters = list(options, 'adapter').map(adapterRequest);
    if (adapters.length === 0) {
      throw usageError('--adapter is missing. For example: --adapter outputs/checkpoint-500');
    }
    const wanted = text(options, 'dtype');
    const dtype = wanted === undefined ? undefined : DTYPES[wanted.toUpperCase()];
    if (wanted !== undefined && dtype === undefined) {
      throw usageError(`--dtype ${wanted}: choose BF16, F16 or F32.`);
    }
    const workers = workerCount(options);
    const output = required(options, 'out', 'merged').replace(/(?<=.)[\\/]+$/, '');
    const { plan, base } = await prepareFuse({
      base: await baseOption(options, context),
      adapters,
      output,
      dtype,
      signal: context.signal,
    });
    return await runAndReport(
      plan,
      {
        force: flag(options, 'force'),
        workers,
        dryRun: flag(options, 'dry-run'),
        finishFolder: (folder) => finishFusedFolder(folder, plan, base),
      },
      context,
    );
  },
};
