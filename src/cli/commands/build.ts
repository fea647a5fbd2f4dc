import { prepareBuild } from '../../node/engine/prepareBuild';
import { baseOption } from '../baseOption';
import type { Command, CommandContext, OptionValues } from '../command';
import {
  adapterRequest,
  fileType,
  flag,
  list,
  required,
  RUN_OPTIONS,
  TYPE_OPTIONS,
  typeChoices,
  usageError,
  workerCount,
} from '../options';
import { runAndReport } from '../runAndReport';
import type { BuildRequest } from '../../node/engine/prepareBuild';

export const BUILD_OPTIONS = {
  base: { type: 'string' },
  adapter: { type: 'string', multiple: true },
  type: { type: 'string' },
  out: { type: 'string' },
  ...TYPE_OPTIONS,
} as const;

/** What `build` and `plan` are asked for. */
export async function buildRequest(options: OptionValues, context: CommandContext): Promise<BuildRequest> {
  const wanted = fileType(required(options, 'type', 'Q4_K_M'));
  const output = required(options, 'out', 'model.gguf');
  return {
    base: await baseOption(options, context),
    adapters: list(options, 'adapter').map(adapterRequest),
    fileType: wanted,
    output,
    layout: 'quantised',
    ...typeChoices(options),
    signal: context.signal,
  };
}

export const build: Command = {
  name: 'build',
  usage:
    '--base DIR|FILE.gguf|ollama:NAME [--adapter DIR[=W]]… --type T --out F.gguf [--dry-run] [--force] [--workers N] [--imatrix F] [--tensor-type PATTERN=T]… [--output-tensor-type T] [--token-embedding-type T] [--pure] [--leave-output-tensor]',
  does: 'fuse, convert and quantise in one pass',
  options: { ...BUILD_OPTIONS, ...RUN_OPTIONS },
  async run(positionals, options, context) {
    if (positionals.length > 0) {
      throw usageError(`build takes no ${positionals[0] ?? ''}: name the model with --base and the result with --out.`);
    }
    const workers = workerCount(options);
    const plan = await prepareBuild(await buildRequest(options, context));
    return await runAndReport(
      plan,
      { force: flag(options, 'force'), workers, dryRun: flag(options, 'dry-run') },
      context,
    );
  },
};
