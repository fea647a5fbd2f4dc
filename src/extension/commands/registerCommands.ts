import { registerCommand } from '../registerCommand';
import type { Services } from '../services';

export function registerCommands(services: Services): void {
  registerCommand(services, 'showLogs', () => services.log.show(), { untrusted: true });
  registerCommand(services, 'scan', () => services.artefacts.scan());
}
