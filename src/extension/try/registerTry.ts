import * as vscode from 'vscode';
import { registerCommand } from '../registerCommand';
import type { Services } from '../services';
import type { OllamaServer } from '../ollama/ollamaServer';
import { modelArguments, pickModel } from '../ollama/pickModel';
import { TRY_STATE } from './tryMessages';
import { TryPanel, tryTitle } from './tryPanel';

const VIEW_TYPE = 'modelfileStudio.try';

/** *Try Model…*, *Try Beside Its Base…*, and panels that come back after a reload. */
export function registerTry(services: Services, server: OllamaServer): void {
  const none = (): string => vscode.l10n.t('This Ollama has no model. Pull one, or build one of your own.');
  const open = (models: readonly string[]): void => {
    new TryPanel(
      services,
      server,
      vscode.window.createWebviewPanel(VIEW_TYPE, tryTitle(models), vscode.ViewColumn.Active),
      models,
    );
  };
  registerCommand(services, 'try', async (...args) => {
    const [named] = modelArguments(args);
    const model = named ?? (await pickModel(server, { title: vscode.l10n.t('Try Model'), none: none() }));
    await server.require();
    open([model]);
  });
  registerCommand(services, 'tryWithBase', async (...args) => {
    const named = modelArguments(args);
    const model = named[0] ?? (await pickModel(server, { title: vscode.l10n.t('Try Model'), none: none() }));
    const filter = ({ name }: { readonly name: string }): boolean => name !== model;
    const base =
      named[1] ??
      (await pickModel(server, {
        title: vscode.l10n.t('Beside {0}', model),
        filter,
        none: vscode.l10n.t(
          '{0} is the only model of this Ollama. Create its base as a model too, to see both side by side.',
          model,
        ),
      }));
    open([model, base]);
  });
  services.context.subscriptions.push(
    vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
      deserializeWebviewPanel: async (panel: vscode.WebviewPanel, state: unknown) => {
        const parsed = TRY_STATE.safeParse(state);
        new TryPanel(services, server, panel, parsed.success ? parsed.data.models : []);
        return Promise.resolve();
      },
    }),
  );
}
