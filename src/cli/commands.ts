import type { Command } from './command';
import { build } from './commands/build';
import { compare } from './commands/compare';
import { clean } from './commands/clean';
import { convert } from './commands/convert';
import { convertAdapter } from './commands/convertAdapter';
import { cp } from './commands/cp';
import { create } from './commands/create';
import { createFromBase } from './commands/createFromBase';
import { doctor } from './commands/doctor';
import { fetchAdapter, fetchModel } from './commands/fetchFromHub';
import { fuse } from './commands/fuse';
import { inspect } from './commands/inspect';
import { list } from './commands/list';
import { modelfile } from './commands/modelfile';
import { MODELFILE_COMMANDS } from './commands/modelfileCommands';
import { plan } from './commands/plan';
import { ps } from './commands/ps';
import { pull } from './commands/pull';
import { push } from './commands/push';
import { quantize } from './commands/quantize';
import { rm } from './commands/rm';
import { routes } from './commands/routes';
import { run } from './commands/run';
import { scan } from './commands/scan';
import { show } from './commands/show';
import { template } from './commands/template';
import { unload } from './commands/unload';
import { verify } from './commands/verify';

/** Every command, in the order in which the help lists them. */
export const COMMANDS: readonly Command[] = [
  scan,
  inspect,
  compare,
  routes,
  plan,
  build,
  convert,
  convertAdapter,
  fuse,
  quantize,
  verify,
  fetchModel,
  fetchAdapter,
  clean,
  doctor,
  ...MODELFILE_COMMANDS,
  template,
  modelfile,
  create,
  createFromBase,
  run,
  list,
  show,
  ps,
  cp,
  rm,
  pull,
  push,
  unload,
];
