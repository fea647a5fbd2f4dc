import { addFolder } from './addFolder';
import { buildForModelfile } from './buildForModelfile';
import { buildOllamaModel } from './buildOllamaModel';
import { cleanUp } from './cleanUp';
import type { CommandHandler } from '../wizard/commandContext';
import { compare } from './compare';
import { convert } from './convert';
import { convertAdapter } from './convertAdapter';
import { copyDiagnostics } from './copyDiagnostics';
import { createFromModelfile, planFromModelfile } from './createFromModelfile';
import { diagnose } from './diagnose';
import { fetchBase } from './fetchBase';
import { fuse } from './fuse';
import { fuseInstalledAdapter } from './fuseInstalledAdapter';
import { inspect } from './inspect';
import { newModelfileFromArtefact } from './newModelfileFromArtefact';
import { openInViewer } from './openInViewer';
import { quantize } from './quantize';
import { rebuild } from './rebuild';
import { reveal } from './reveal';
import { setHubToken } from './setHubToken';
import { verify } from './verify';

/** Every command that works on artefacts, by the last part of its id; loaded with the first one that is used. */
export const COMMAND_TABLE = {
  addFolder,
  buildForModelfile,
  buildOllamaModel,
  cleanUp,
  compare,
  convert,
  convertAdapter,
  copyDiagnostics,
  createFromModelfile,
  diagnose,
  fetchBase,
  fuse,
  fuseInstalledAdapter,
  inspect,
  newModelfileFromArtefact,
  openInViewer,
  planFromModelfile,
  quantize,
  rebuild,
  reveal,
  setHubToken,
  verify,
} as const satisfies Readonly<Record<string, CommandHandler>>;
