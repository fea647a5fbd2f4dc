import { freeModelfile } from '../wizard/freeModelfile';
import type { Proposal } from './proposal';

/** What was kept of an earlier run may have been edited since, and nobody is asked about it: each run keeps under a name that is free. */
export async function keptArguments({ args, modelfile }: NonNullable<Proposal['keep']>): Promise<readonly string[]> {
  const free = await freeModelfile(modelfile.replace(/\.Modelfile$/, ''));
  return args.map((argument) => (argument === modelfile ? free : argument));
}
