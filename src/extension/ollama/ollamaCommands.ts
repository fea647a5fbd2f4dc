import * as vscode from 'vscode';
import { StudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { parseModelName, sameModelName } from '../../core/ollama/modelName';
import { registerCommand } from '../registerCommand';
import type { Services } from '../services';
import { showModelDocument } from './modelDocuments';
import type { OllamaServer } from './ollamaServer';
import { OLLAMA_VIEW, type OllamaView } from './ollamaView';
import { askModelName, modelArguments, pickModel, readModels } from './pickModel';

/** Registers what can be done with the models of the server: from the view, and from the palette with a list to choose from. */
export function registerOllamaCommands(services: Services, server: OllamaServer, view: OllamaView): void {
  const noModels = (): string => vscode.l10n.t('This Ollama has no model. Pull one, or build one of your own.');
  /** The models of the arguments, else the one that the user chooses. */
  const models = async (
    args: readonly unknown[],
    title: string,
    filter?: (running: boolean) => boolean,
  ): Promise<readonly string[]> => {
    const named = modelArguments(args);
    return named.length > 0
      ? named
      : [
          await pickModel(server, {
            title,
            none: filter === undefined ? noModels() : vscode.l10n.t('No model is in the memory of Ollama.'),
            ...(filter === undefined ? {} : { filter: ({ running }) => filter(running !== undefined) }),
          }),
        ];
  };
  const first = async (args: readonly unknown[], title: string): Promise<string> =>
    (await models(args, title))[0] ?? '';
  const busy = async <T>(work: () => Promise<T>): Promise<T> =>
    await vscode.window.withProgress({ location: { viewId: OLLAMA_VIEW } }, work);

  registerCommand(services, 'ollama.refresh', async () => {
    if (server.isEnabled) {
      await server.require();
    }
    await busy(() => view.refresh());
  });
  registerCommand(services, 'ollama.start', () => start(view, server));
  registerCommand(services, 'ollama.show', async (...args) =>
    showModelDocument(server, await first(args, vscode.l10n.t('Show Model'))),
  );
  registerCommand(services, 'ollama.run', async (...args) =>
    runInTerminal(services, server, await first(args, vscode.l10n.t('Run Model in Terminal'))),
  );
  registerCommand(services, 'ollama.copyName', async (...args) => {
    await vscode.env.clipboard.writeText((await models(args, vscode.l10n.t('Copy Model Name'))).join('\n'));
  });
  registerCommand(services, 'ollama.copy', async (...args) => {
    await busy(async () => copyModel(server, await first(args, vscode.l10n.t('Copy Model'))));
    await view.refresh();
  });
  registerCommand(services, 'ollama.remove', async (...args) => {
    const names = await models(args, vscode.l10n.t('Remove Model'));
    await removeModels(server, names, busy);
    await view.refresh();
  });
  registerCommand(services, 'ollama.unload', async (...args) => {
    const names = await models(args, vscode.l10n.t('Unload Model'), (running) => running);
    const client = await server.client();
    await busy(async () => {
      for (const name of names) {
        await client.unload(name);
      }
    });
    await view.refresh();
  });
  registerCommand(services, 'ollama.pull', async (...args) => {
    const [named] = modelArguments(args);
    const name =
      named ??
      (await askModelName({
        title: vscode.l10n.t('Pull Model'),
        prompt: vscode.l10n.t(
          'Name in the Ollama library, or with a registry of its own. Size and progress are shown under Jobs.',
        ),
        value: '',
      }));
    await server.require();
    services.jobs.start({ kind: 'pull', title: vscode.l10n.t('Pull {0}', name), args: ['pull', name], model: name });
  });
  registerCommand(services, 'ollama.push', async (...args) => {
    const name = await first(args, vscode.l10n.t('Push Model'));
    await server.require();
    await confirmPush(name);
    services.jobs.start({ kind: 'push', title: vscode.l10n.t('Push {0}', name), args: ['push', name], model: name });
  });
}

/** As a server of its own, which goes on when the editor is closed. */
async function start(view: OllamaView, server: OllamaServer): Promise<void> {
  const { startOllama } = await import('../../node/ollama/startOllama');
  await vscode.window.withProgress(
    { location: { viewId: OLLAMA_VIEW }, title: vscode.l10n.t('Starting Ollama') },
    async () => startOllama(await server.client()),
  );
  await view.refresh();
}

/** `ollama run` where Ollama is installed, else our own `run`; neither through a shell. */
async function runInTerminal(services: Services, server: OllamaServer, name: string): Promise<void> {
  await server.require();
  const { findOllama } = await import('../../node/ollama/ollamaState');
  const ollama = await findOllama();
  const env = { OLLAMA_HOST: server.address.url };
  const options: vscode.TerminalOptions =
    ollama === undefined
      ? {
          shellPath: process.execPath,
          shellArgs: [services.cli.script, 'run', name],
          env: { ...env, ELECTRON_RUN_AS_NODE: '1' },
        }
      : { shellPath: ollama, shellArgs: ['run', name], env };
  vscode.window
    .createTerminal({
      ...options,
      name: escapeControls(name),
      iconPath: new vscode.ThemeIcon('vm-running'),
      isTransient: true,
    })
    .show();
}

async function copyModel(server: OllamaServer, source: string): Promise<void> {
  const destination = await askModelName({
    title: vscode.l10n.t('Copy Model'),
    prompt: vscode.l10n.t('The second name of {0}. Nothing is stored twice.', escapeControls(source)),
    value: `${source.split(':')[0] ?? source}:copy`,
  });
  const parsed = parseModelName(destination);
  const same = (await readModels(server)).find(({ name }) => {
    const other = parseModelName(name);
    return other !== undefined && parsed !== undefined && sameModelName(other, parsed);
  });
  if (same !== undefined) {
    const replace = vscode.l10n.t('Replace');
    if (
      (await vscode.window.showWarningMessage(
        vscode.l10n.t('There is a model {0}. Replace it?', escapeControls(same.name)),
        { modal: true },
        replace,
      )) !== replace
    ) {
      throw new StudioError('run/cancelled', 'The model is kept.');
    }
  }
  await (await server.client()).copy(source, destination);
}

async function removeModels(
  server: OllamaServer,
  names: readonly string[],
  busy: (work: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const remove = vscode.l10n.t('Remove');
  const shown = names.map((name) => escapeControls(name)).join(', ');
  const question =
    names.length === 1
      ? vscode.l10n.t('Remove {0} from Ollama?', shown)
      : vscode.l10n.t('Remove {0} models from Ollama?', names.length);
  const detail = vscode.l10n.t('{0}\nIts files go where no other model needs them. This cannot be undone.', shown);
  if ((await vscode.window.showWarningMessage(question, { modal: true, detail }, remove)) !== remove) {
    throw new StudioError('run/cancelled', 'Nothing was removed.');
  }
  const client = await server.client();
  await busy(async () => {
    for (const name of names) {
      await client.delete(name);
    }
  });
}

/** What is pushed can be seen by others. */
async function confirmPush(name: string): Promise<void> {
  const push = vscode.l10n.t('Push');
  const parsed = parseModelName(name);
  const detail = vscode.l10n.t(
    'The model is uploaded to {0} under this name, where others may be able to download it.',
    parsed?.host ?? '',
  );
  if (
    (await vscode.window.showWarningMessage(
      vscode.l10n.t('Push {0}?', escapeControls(name)),
      { modal: true, detail },
      push,
    )) !== push
  ) {
    throw new StudioError('run/cancelled', 'Nothing was pushed.');
  }
}
