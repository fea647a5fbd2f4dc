import * as vscode from 'vscode';
import type { Services } from '../services';

export const TASK_TYPE = 'modelfile-studio';

export function registerTaskProvider(services: Services): void {
  services.context.subscriptions.push(vscode.tasks.registerTaskProvider(TASK_TYPE, { provideTasks: () => [], resolveTask: () => undefined }));
}
