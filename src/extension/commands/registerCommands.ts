import { registerPlanDocuments } from '../plans/planDocuments';
import { registerCommand } from '../registerCommand';
import { registerReportDocuments } from '../reports/reportDocuments';
import type { Services } from '../services';
import { addFolder } from './addFolder';
import { buildOllamaModel } from './buildOllamaModel';
import { cleanUp } from './cleanUp';
import type { CommandHandler } from './commandContext';
import { compare } from './compare';
import { convert } from './convert';
import { convertAdapter } from './convertAdapter';
import { diagnose } from './diagnose';
import { fuse } from './fuse';
import { inspect } from './inspect';
import { rememberBuilds } from './memory';
import { newModelfileFromArtefact } from './newModelfileFromArtefact';
import { openInViewer } from './openInViewer';
import { quantize } from './quantize';
import { rebuild } from './rebuild';
import { reveal } from './reveal';
import { verify } from './verify';

/** `modelfileStudio.NAME` of every command that works on artefacts. */
const COMMANDS: Readonly<Record<string, CommandHandler>> = {
  addFolder, buildOllamaModel, cleanUp, compare, convert, convertAdapter, diagnose, fuse, inspect, newModelfileFromArtefact, openInViewer, quantize, rebuild, reveal, verify,
};

export function registerCommands(services: Services): void {
  registerReportDocuments(services);
  rememberBuilds(services);
  const studio = { services, plans: registerPlanDocuments(services) };
  for (const [name, run] of Object.entries(COMMANDS)) {
    registerCommand(services, name, (...args) => run(studio, args));
  }
  registerCommand(services, 'scan', () => services.artefacts.scan());
  registerCommand(services, 'showLogs', () => services.log.show(), { untrusted: true });
}
