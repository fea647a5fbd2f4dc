import type { Command } from './command';
import { build } from './commands/build';
import { convert } from './commands/convert';
import { convertAdapter } from './commands/convertAdapter';
import { fuse } from './commands/fuse';
import { inspect } from './commands/inspect';
import { MODELFILE_COMMANDS } from './commands/modelfileCommands';
import { plan } from './commands/plan';
import { quantize } from './commands/quantize';
import { routes } from './commands/routes';
import { scan } from './commands/scan';
import { verify } from './commands/verify';

/** Every command, in the order in which the help lists them. */
export const COMMANDS: readonly Command[] = [scan, inspect, routes, plan, build, convert, convertAdapter, fuse, quantize, verify, ...MODELFILE_COMMANDS];
