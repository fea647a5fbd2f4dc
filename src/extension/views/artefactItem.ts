import * as vscode from 'vscode';
import type { Artefact } from '../../core/artefacts/artefact';
import { describeArtefact } from '../../core/artefacts/describeArtefact';
import { escapeControls } from '../../core/escapeControls';
import { artefactTags, contentOf, hasProblems, isAdapter, isModelFolder } from '../artefacts/artefactTags';
import { accessibleLabel, artefactTooltip } from '../artefacts/artefactTooltip';
import type { ArtefactNode, TreeNode } from '../artefacts/artefactTree';
import { relativeTime } from '../relativeTime';

/** Scheme of the items' addresses: decorations of the tree that leave the files in the explorer alone. */
export const ARTEFACT_SCHEME = 'modelfile-studio-artefact';

/** The item of a node as VS Code shows it; the tooltip comes later, with {@link artefactMarkdown}. */
export function artefactItem(node: TreeNode, isOpen: boolean): vscode.TreeItem {
  const state =
    node.children.length === 0
      ? vscode.TreeItemCollapsibleState.None
      : isOpen
        ? vscode.TreeItemCollapsibleState.Expanded
        : vscode.TreeItemCollapsibleState.Collapsed;
  const item = new vscode.TreeItem(node.label, state);
  item.id = node.id;
  switch (node.kind) {
    case 'artefact':
      return dressArtefact(item, node);
    case 'missing-base':
      item.label =
        node.base === ''
          ? vscode.l10n.t('base not known')
          : vscode.l10n.t('base not found: {0}', escapeControls(node.base));
      item.iconPath = new vscode.ThemeIcon('question');
      item.contextValue = 'missingBase';
      item.accessibilityInformation = { label: item.label };
      item.tooltip = vscode.l10n.t(
        'These adapters fit none of the models that were found. Add the folder of their base to the scanned folders, or fetch it.',
      );
      return item;
    case 'cache':
      item.label = vscode.l10n.t('Hugging Face cache');
      item.description = vscode.l10n.t('{0} models', node.children.length);
      item.iconPath = new vscode.ThemeIcon('library');
      item.contextValue = 'cache';
      return item;
    case 'ollama-model':
      item.description = 'Ollama';
      item.iconPath = new vscode.ThemeIcon('comment-discussion');
      item.contextValue = 'ollamaModel';
      item.accessibilityInformation = { label: vscode.l10n.t('{0}, model in Ollama', node.label) };
      return item;
  }
}

/** Everything that is known of an artefact, as Markdown in which text from files stays text. @param bars the size of an adapter's delta by layer */
export function artefactMarkdown(artefact: Artefact, bars?: string): vscode.MarkdownString {
  const { title, rows: facts, problems } = artefactTooltip(artefact, (path) => vscode.workspace.asRelativePath(path));
  const rows = bars === undefined ? facts : [...facts, ['Delta', bars] as const];
  const markdown = new vscode.MarkdownString('', false);
  markdown.isTrusted = false;
  markdown.supportHtml = false;
  markdown.appendMarkdown('**').appendText(title).appendMarkdown('**\n\n');
  if (rows.length > 0) {
    markdown.appendMarkdown('| | |\n|---|---|\n');
    for (const [label, text] of rows) {
      markdown.appendMarkdown(`| ${label} | `);
      for (const [index, part] of text.split('|').entries()) {
        markdown.appendMarkdown(index === 0 ? '' : '\\|').appendText(part);
      }
      markdown.appendMarkdown(' |\n');
    }
  }
  for (const { code, message } of problems) {
    markdown.appendMarkdown(`\n\n\`${code}\` `).appendText(message);
  }
  return markdown;
}

function dressArtefact(item: vscode.TreeItem, node: ArtefactNode): vscode.TreeItem {
  const { artefact } = node;
  item.description = description(artefact);
  item.iconPath = icon(artefact);
  item.contextValue = artefactTags(artefact).join(' ');
  item.resourceUri = vscode.Uri.from({
    scheme: ARTEFACT_SCHEME,
    path: `/${artefact.path.replace(/^[\\/]+/, '').replaceAll('\\', '/')}`,
  });
  item.accessibilityInformation = { label: accessibleLabel(node.label, artefact) };
  if (node.children.length === 0 && /\.(?:gguf|safetensors)$/i.test(artefact.path)) {
    item.command = {
      command: 'modelfileStudio.openInViewer',
      title: vscode.l10n.t('Open in Viewer'),
      arguments: [node],
    };
  }
  return item;
}

function description(artefact: Artefact): string {
  const [problem] = artefact.problems;
  if (problem !== undefined) {
    return escapeControls(problem.message);
  }
  const facts = [describeArtefact(artefact)];
  const { modified, builtFrom } = artefact;
  if (modified !== undefined && (isAdapter(artefact) || builtFrom !== undefined)) {
    facts.push(builtFrom === undefined ? relativeTime(modified) : vscode.l10n.t('built {0}', relativeTime(modified)));
  }
  return escapeControls(facts.join(' · '));
}

function icon(artefact: Artefact): vscode.ThemeIcon {
  if (hasProblems(artefact)) {
    return new vscode.ThemeIcon('warning', new vscode.ThemeColor('problemsWarningIcon.foreground'));
  }
  if (artefact.builtFrom?.stale === true) {
    return new vscode.ThemeIcon('history');
  }
  if (artefact.kind === 'trainer-output') {
    return new vscode.ThemeIcon('folder-library');
  }
  if (artefact.kind === 'checkpoint' || artefact.kind === 'mlx-checkpoint') {
    return new vscode.ThemeIcon(artefact.isBest === true ? 'star-full' : 'circle-small-filled');
  }
  if (isAdapter(artefact) || contentOf(artefact) === 'gguf-adapter') {
    return new vscode.ThemeIcon('layers');
  }
  if (isModelFolder(artefact)) {
    return new vscode.ThemeIcon('package');
  }
  return new vscode.ThemeIcon(
    artefact.kind.startsWith('gguf') ? 'file-binary' : artefact.kind === 'pickle' ? 'circle-slash' : 'file',
  );
}
