import { describePlan } from '../../core/engine/describePlan';
import { planJson } from '../../core/engine/planJson';
import { prepareBuild } from '../../node/engine/prepareBuild';
import type { Command } from '../command';
import { RUN_OPTIONS, usageError, workerCount } from '../options';
import { BUILD_OPTIONS, buildRequest } from './build';

export const plan: Command = {
  name: 'plan',
  usage: '--base DIR|FILE.gguf|ollama:NAME [--adapter DIR[=W]]… --type T --out F.gguf [options of build]',
  does: 'what build would do; nothing is written',
  options: { ...BUILD_OPTIONS, ...RUN_OPTIONS },
  async run(positionals, options, context) {
    if (positionals.length > 0) {
      throw usageError(`plan takes no ${positionals[0] ?? ''}: name the model with --base and the result with --out.`);
    }
    const workers = workerCount(options);
    const planned = await prepareBuild(await buildRequest(options, context));
    return {
      exitCode: 0,
      json: context.json ? planJson(planned, workers) : undefined,
      text: describePlan(planned, workers, context.palette),
    };
  },
};
