import { registerPlanDocuments } from '../plans/planDocuments';
import { registerCommand } from '../registerCommand';
import { registerReportDocuments } from '../reports/reportDocuments';
import type { Services } from '../services';
import type { COMMAND_TABLE } from './commandTable';
import { rememberBuilds } from '../wizard/memory';

/** `modelfileStudio.NAME`: what activation knows of the commands on artefacts. */
const NAMES: readonly (keyof typeof COMMAND_TABLE)[] = [
  'addFolder',
  'buildForModelfile',
  'buildOllamaModel',
  'cleanUp',
  'compare',
  'convert',
  'convertAdapter',
  'copyDiagnostics',
  'createFromModelfile',
  'diagnose',
  'fetchBase',
  'fuse',
  'fuseInstalledAdapter',
  'inspect',
  'newModelfileFromArtefact',
  'openInViewer',
  'planFromModelfile',
  'quantize',
  'rebuild',
  'reveal',
  'setHubToken',
  'verify',
];

export function registerCommands(services: Services): void {
  registerReportDocuments(services);
  rememberBuilds(services);
  const studio = { services, plans: registerPlanDocuments(services) };
  for (const name of NAMES) {
    registerCommand(services, name, async (...args) => {
      const { COMMAND_TABLE: table } = await import('./commandTable');
      return await table[name](studio, args);
    });
  }
  registerCommand(services, 'scan', () => services.artefacts.scan());
  registerCommand(services, 'showLogs', () => services.log.show(), { untrusted: true });
}
