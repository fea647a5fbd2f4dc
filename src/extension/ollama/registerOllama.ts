import type { Services } from '../services';
import { registerTry } from '../try/registerTry';
import { registerModelDocuments } from './modelDocuments';
import { registerOllamaCommands } from './ollamaCommands';
import { OllamaServer } from './ollamaServer';
import { OllamaView } from './ollamaView';

/** The Ollama view, what can be done with its models, and the panel to try them in. */
export function registerOllama(services: Services): void {
  const server = new OllamaServer(services);
  const view = new OllamaView(services, server);
  services.context.subscriptions.push(view);
  registerModelDocuments(services, server);
  registerOllamaCommands(services, server, view);
  registerTry(services, server);
}
