import * as vscode from 'vscode';
import { formatBytes } from '../../core/formatBytes';
import { escapeControls } from '../../core/escapeControls';
import type { InstalledModel, RunningModel } from '../../core/ollama/ollamaModels';

/** A row of the Ollama view. */
export interface OllamaModelNode {
  readonly name: string;
  readonly installed: InstalledModel;
  readonly running: RunningModel | undefined;
  /** It is a base with an adapter on top, which later versions of Ollama will not serve. */
  readonly hasAdapter?: boolean;
}

/** `16:20`; undefined for a model that stays, and for what is no time. */
function untilText(expiresAt: string | undefined): string | undefined {
  const time = expiresAt === undefined ? Number.NaN : Date.parse(expiresAt);
  const far = 24 * 3600 * 1000;
  return Number.isNaN(time) || time - Date.now() > far
    ? undefined
    : new Date(time).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

function runningText(running: RunningModel): string {
  const until = untilText(running.expiresAt);
  return until === undefined ? vscode.l10n.t('running') : vscode.l10n.t('running until {0}', until);
}

export function ollamaModelItem({ name, installed, running, hasAdapter = false }: OllamaModelNode): vscode.TreeItem {
  const shown = escapeControls(name);
  const item = new vscode.TreeItem(shown, vscode.TreeItemCollapsibleState.None);
  const facts = [
    running === undefined ? undefined : runningText(running),
    hasAdapter ? vscode.l10n.t('adapter on top') : undefined,
    installed.parameterSize,
    installed.quantisation,
    installed.isCloud ? vscode.l10n.t('in the cloud') : formatBytes(installed.bytes),
  ];
  const description = facts
    .filter((fact) => fact !== undefined && fact !== '')
    .map((fact) => escapeControls(fact ?? ''))
    .join(' · ');
  item.id = name;
  item.description = description;
  item.contextValue = `ollamaModel${running === undefined ? '' : '.running'}${hasAdapter ? '.adapter' : ''}`;
  item.iconPath = new vscode.ThemeIcon(
    running === undefined ? 'vm' : 'vm-running',
    running === undefined ? undefined : new vscode.ThemeColor('charts.green'),
  );
  item.accessibilityInformation = { label: `${shown}, ${vscode.l10n.t('Ollama model')}, ${description}` };
  item.tooltip = tooltip(shown, installed, running);
  if (hasAdapter) {
    item.tooltip
      .appendMarkdown('\n')
      .appendText(
        vscode.l10n.t(
          'A base with an adapter on top. Ollama makes no more of these and will stop serving them: Fuse Installed Adapter… makes one model of it.',
        ),
      );
  }
  return item;
}

function tooltip(shown: string, installed: InstalledModel, running: RunningModel | undefined): vscode.MarkdownString {
  const text = new vscode.MarkdownString('', false);
  text.supportHtml = false;
  text.isTrusted = false;
  text.appendMarkdown('**').appendText(shown).appendMarkdown('**\n\n');
  const lines: [string, string | undefined][] = [
    [vscode.l10n.t('Size'), formatBytes(installed.bytes)],
    [vscode.l10n.t('Family'), installed.family],
    [vscode.l10n.t('Parameters'), installed.parameterSize],
    [vscode.l10n.t('Type'), installed.quantisation],
    [vscode.l10n.t('In memory'), running === undefined ? undefined : memoryText(running)],
    [vscode.l10n.t('Context'), running?.contextLength?.toLocaleString('en-US')],
    [
      vscode.l10n.t('Changed'),
      installed.modifiedAt === undefined ? undefined : new Date(installed.modifiedAt).toLocaleString(),
    ],
    [vscode.l10n.t('Digest'), installed.digest.slice(0, 12)],
  ];
  for (const [label, value] of lines) {
    if (value !== undefined && value !== '') {
      text.appendMarkdown(`- ${label}: `).appendText(escapeControls(value)).appendMarkdown('\n');
    }
  }
  return text;
}

function memoryText({ bytes, gpuBytes }: RunningModel): string {
  const all = formatBytes(bytes);
  return gpuBytes === 0
    ? vscode.l10n.t('{0}, all on the processor', all)
    : gpuBytes >= bytes
      ? vscode.l10n.t('{0}, all on the graphics card', all)
      : vscode.l10n.t('{0}, {1} of it on the graphics card', all, formatBytes(gpuBytes));
}
