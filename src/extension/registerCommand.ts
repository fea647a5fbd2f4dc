import * as vscode from 'vscode';
import { toStudioError } from '../core/errors';
import { escapeControls } from '../core/escapeControls';
import { editorWords } from './editorWords';
import { noteError } from './recentErrors';
import type { Services } from './services';

export interface CommandOptions {
  /** Also in a workspace that is not trusted: only what neither runs, scans, sends nor writes anything. */
  readonly untrusted?: boolean;
}

/**
 * Registers `modelfileStudio.NAME`. In a workspace that is not trusted the command refuses, however it was called; what
 * it throws is shown with the way to the log. A cancelled one says nothing.
 */
export function registerCommand(
  services: Services,
  name: string,
  run: (...args: readonly unknown[]) => unknown,
  options: CommandOptions = {},
): void {
  const guarded = async (...args: readonly unknown[]): Promise<unknown> => {
    if (options.untrusted !== true && !services.trust.isTrusted) {
      void services.trust.refuse();
      return undefined;
    }
    const started = Date.now();
    try {
      const answer = await run(...args);
      services.log.info(`Command ${name}: ${Date.now() - started} ms`);
      return answer;
    } catch (thrown) {
      await showError(services, thrown);
      return undefined;
    }
  };
  services.context.subscriptions.push(vscode.commands.registerCommand(`modelfileStudio.${name}`, guarded));
}

/** Tells what went wrong: message and code as they are in the documentation, with the log one click away. */
export async function showError(services: Services, thrown: unknown): Promise<void> {
  const error = toStudioError(thrown);
  if (error.code === 'run/cancelled') {
    return;
  }
  noteError(error.code, error.message);
  services.log.error(
    `${error.code}: ${escapeControls(error.message)}`,
    ...(error.code === 'internal/unexpected' && thrown instanceof Error ? [thrown.stack ?? ''] : []),
  );
  const logs = vscode.l10n.t('Show Logs');
  if (
    (await vscode.window.showErrorMessage(`${escapeControls(editorWords(error.message))} (${error.code})`, logs)) ===
    logs
  ) {
    services.log.show();
  }
}
