import type * as vscode from 'vscode';
import { registerCommands } from './commands/registerCommands';
import { registerViewer } from './editors/registerViewer';
import { registerModelfileEditing } from './modelfile/registerModelfileEditing';
import { registerOllama } from './ollama/registerOllama';
import { registerOpenSample } from './openSample';
import { createServices, type Services } from './services';
import { registerTaskProvider } from './tasks/taskProvider';
import { registerArtefactsView } from './views/artefactsView';
import { registerJobsView } from './views/jobsView';

/** Every part of the extension, each registered by one function that returns at once and works only when it is used. */
const PARTS: readonly ((services: Services) => void)[] = [
  registerCommands,
  (services) => registerJobsView(services, registerArtefactsView(services)),
  registerTaskProvider,
  registerModelfileEditing,
  registerOllama,
  registerOpenSample,
  registerViewer,
];

/** What other extensions and tests get from `activate()`. */
export interface ExtensionApi {
  /** Milliseconds that activation took. */
  readonly activationMs: number;
}

export function activate(context: vscode.ExtensionContext): ExtensionApi {
  const started = performance.now();
  const services = createServices(context);
  PARTS.forEach((register) => register(services));
  const activationMs = performance.now() - started;
  services.log.info(`Activated in ${activationMs.toFixed(1)} ms`);
  return { activationMs };
}
