import { basename, join } from 'node:path';
import * as vscode from 'vscode';
import { isAdapter } from '../artefacts/artefactTags';
import { DeltaMeter } from '../artefacts/deltaBars';
import { forgetRemoved, madeModels, onMadeModel } from '../artefacts/madeModels';
import { scannedFolders } from '../artefacts/scannedFolders';
import { buildArtefactTree, countNodes, isInCache, type MadeModel, type TreeNode } from '../artefacts/artefactTree';
import { contextKey } from '../contextKey';
import type { Services } from '../services';
import { ArtefactDecorations } from './artefactDecorations';
import { ArtefactDrag } from './artefactDrag';
import { artefactItem, artefactMarkdown } from './artefactItem';
import { watchArtefacts } from './watchArtefacts';

export const ARTEFACTS_VIEW = 'modelfileStudio.artefacts';

/** A tree of up to this many lines is shown opened to its leaves. */
const MAX_OPEN = 200;

/** More new artefacts at once are no result of a build, but of a folder that was added. */
const MAX_REVEALED = 5;

/** The tree of artefacts. Nothing is scanned before the view is seen or a command asks. */
export function registerArtefactsView(services: Services): vscode.TreeView<TreeNode> {
  const { context } = services;
  const provider = new ArtefactsProvider(services, (node) => {
    if (view.visible) {
      // Opens what it came under, which stays folded otherwise; the focus stays where it is.
      void Promise.resolve(view.reveal(node, { select: false, focus: false })).catch(() => undefined);
    }
  });
  const view: vscode.TreeView<TreeNode> = vscode.window.createTreeView(ARTEFACTS_VIEW, {
    treeDataProvider: provider,
    canSelectMany: true,
    showCollapseAll: true,
    dragAndDropController: new ArtefactDrag(),
  });
  const decorations = new ArtefactDecorations(services.artefacts);
  const refresh = (): void => void (services.artefacts.state.kind === 'idle' ? undefined : services.artefacts.scan());
  context.subscriptions.push(
    view,
    provider,
    decorations,
    vscode.window.registerFileDecorationProvider(decorations),
    vscode.workspace.onDidChangeWorkspaceFolders(refresh),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void services.artefacts.scan()),
    services.configuration.onChange('artefacts', refresh),
    watchArtefacts(services, view),
  );
  return view;
}

class ArtefactsProvider implements vscode.TreeDataProvider<TreeNode>, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly #meter: DeltaMeter;
  readonly #stop: readonly (() => void)[];
  #roots: readonly TreeNode[] = [];
  #parents = new Map<TreeNode, TreeNode>();
  #isSmall = true;

  /** @param onNew called with each artefact that came below another one since the last scan */
  constructor(
    private readonly services: Services,
    private readonly onNew: (node: TreeNode) => void,
  ) {
    this.#meter = new DeltaMeter(join(services.context.extensionPath, 'dist', 'viewerWorker.js'), (line) =>
      services.log.debug(line),
    );
    this.#stop = [
      services.artefacts.onChange(() => void this.#rebuild()),
      onMadeModel(services, () => void this.#rebuild()),
    ];
  }

  getTreeItem(node: TreeNode): vscode.TreeItem {
    return artefactItem(node, this.#isSmall && node.kind !== 'cache');
  }

  async getChildren(node?: TreeNode): Promise<TreeNode[]> {
    if (node === undefined && this.services.artefacts.state.kind === 'idle' && this.services.trust.isTrusted) {
      await this.services.artefacts.scan();
    }
    return [...(node === undefined ? this.#roots : node.children)];
  }

  getParent(node: TreeNode): TreeNode | undefined {
    return this.#parents.get(node);
  }

  async resolveTreeItem(item: vscode.TreeItem, node: TreeNode): Promise<vscode.TreeItem> {
    if (node.kind === 'artefact') {
      const isMeasured =
        this.services.trust.isTrusted && (isAdapter(node.artefact) || node.artefact.kind === 'gguf-adapter');
      item.tooltip = artefactMarkdown(node.artefact, isMeasured ? await this.#meter.of(node.artefact) : undefined);
    }
    return item;
  }

  dispose(): void {
    this.#stop.forEach((stop) => stop());
    this.#changed.dispose();
  }

  async #rebuild(): Promise<void> {
    const { artefacts } = this.services;
    if (artefacts.state.kind === 'scanning') {
      void vscode.window.withProgress({ location: { viewId: ARTEFACTS_VIEW } }, () => artefacts.settled());
      // What was found before stays in sight; an empty view says that it is being looked.
      contextKey('artefacts', this.#roots.length > 0 ? 'ready' : 'scanning');
      return;
    }
    const models: readonly MadeModel[] = madeModels(this.services);
    const before = new Set(this.#roots.flatMap((root) => [root.id, ...parentsBelow(root).map(([{ id }]) => id)]));
    this.#roots = buildArtefactTree(artefacts.artefacts, { roots: await namedRoots(this.services), models });
    this.#isSmall = countNodes(this.#roots) <= MAX_OPEN;
    this.#parents = new Map(this.#roots.flatMap(parentsBelow));
    contextKey('artefacts', this.#roots.length > 0 ? 'ready' : artefacts.state.kind === 'error' ? 'error' : 'empty');
    this.#changed.fire(undefined);
    this.#reportNew(before);
    if (await forgetRemoved(this.services)) {
      await this.#rebuild();
    }
  }

  #reportNew(before: ReadonlySet<string>): void {
    const fresh = [...this.#parents.keys()].filter(({ id }) => !before.has(id));
    if (before.size > 0 && fresh.length <= MAX_REVEALED) {
      fresh.forEach(this.onNew);
    }
  }
}

/** The scanned folders by the names that the workspace gives them; the cache names its models itself. */
async function namedRoots(services: Services): Promise<{ readonly path: string; readonly name: string }[]> {
  const folders = await scannedFolders(services.configuration);
  const workspace = vscode.workspace.workspaceFolders ?? [];
  return folders
    .map((path) => ({ path, name: workspace.find(({ uri }) => uri.fsPath === path)?.name ?? basename(path) }))
    .filter(
      ({ path, name }) => !isInCache(path) && (name !== 'hub' || workspace.some(({ uri }) => uri.fsPath === path)),
    );
}

function parentsBelow(node: TreeNode): [TreeNode, TreeNode][] {
  return node.children.flatMap((child) => [[child, node] as [TreeNode, TreeNode], ...parentsBelow(child)]);
}
