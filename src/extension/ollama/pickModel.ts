import * as vscode from 'vscode';
import { StudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { parseModelName, shortModelName } from '../../core/ollama/modelName';
import { ollamaModelItem, type OllamaModelNode } from './ollamaModelItem';
import type { OllamaServer } from './ollamaServer';

/** The models of the server, the running ones marked. */
export async function readModels(server: OllamaServer): Promise<readonly OllamaModelNode[]> {
  const client = await server.client();
  const { requireOllama } = await import('../../node/ollama/ollamaState');
  await requireOllama(client);
  const [installed, running] = await Promise.all([client.list(), client.running()]);
  return installed.map((model) => ({
    name: model.name,
    installed: model,
    running: running.find(({ name }) => name === model.name),
  }));
}

export interface PickOptions {
  readonly title: string;
  readonly filter?: (node: OllamaModelNode) => boolean;
  /** Said where no model fits. */
  readonly none: string;
}

/** Lets the user choose one of the server's models. @throws StudioError run/cancelled, ollama/model-missing */
export async function pickModel(
  server: OllamaServer,
  { title, filter = () => true, none }: PickOptions,
): Promise<string> {
  const models = (await readModels(server)).filter(filter);
  if (models.length === 0) {
    throw new StudioError('ollama/model-missing', none);
  }
  const items = models.map((node) => ({
    label: plainLabel(node.name),
    description: String(ollamaModelItem(node).description),
    name: node.name,
  }));
  const chosen = await vscode.window.showQuickPick(items, { title, matchOnDescription: true });
  if (chosen === undefined) {
    throw new StudioError('run/cancelled', 'Nothing was chosen.');
  }
  return chosen.name;
}

/** A name in a list of the editor: control characters shown, no icon made of `$(…)`. */
export function plainLabel(name: string): string {
  return escapeControls(name).replaceAll('$(', '$\u200b(');
}

/** Asks for the name of a model. @throws StudioError run/cancelled */
export async function askModelName(options: {
  readonly title: string;
  readonly prompt: string;
  readonly value?: string;
}): Promise<string> {
  const name = await vscode.window.showInputBox({
    ...options,
    ignoreFocusOut: true,
    validateInput: (text) =>
      parseModelName(text.trim()) === undefined
        ? vscode.l10n.t(
            'A name is letters, digits, “-”, “_” and “.”, with a tag after “:” if wanted: rugby, rugby:q4, me/rugby.',
          )
        : undefined,
  });
  if (name === undefined) {
    throw new StudioError('run/cancelled', 'No name was given.');
  }
  return name.trim();
}

/**
 * The models that a command was called for: rows of a tree (the clicked one and all that are selected), or names.
 * What other extensions and links pass is looked at like any other input.
 */
export function modelArguments(args: readonly unknown[]): readonly string[] {
  const [clicked, selected] = args;
  const nodes = Array.isArray(selected) && selected.length > 0 ? (selected as readonly unknown[]) : [clicked];
  return nodes.flatMap((node) => {
    const name = modelNameOf(node);
    const parsed = name === undefined ? undefined : parseModelName(name);
    return parsed === undefined ? [] : [shortModelName(parsed)];
  });
}

function modelNameOf(node: unknown): string | undefined {
  if (typeof node === 'string') {
    return node;
  }
  if (typeof node !== 'object' || node === null) {
    return undefined;
  }
  // Rows of the Artefacts view say `model`, those of the Ollama view `name`.
  const { model, name } = node as { readonly model?: unknown; readonly name?: unknown };
  return typeof model === 'string' ? model : typeof name === 'string' ? name : undefined;
}
