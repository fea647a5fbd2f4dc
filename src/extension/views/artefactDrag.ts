import * as vscode from 'vscode';
import type { Artefact } from '../../core/artefacts/artefact';
import { isAdapter, isModelFolder } from '../artefacts/artefactTags';
import type { TreeNode } from '../artefacts/artefactTree';

const MIME = 'application/vnd.code.tree.modelfilestudio.artefacts';

/** Adapters that are dropped on a model are fused with it; anything can be dragged out as a path. */
export class ArtefactDrag implements vscode.TreeDragAndDropController<TreeNode> {
  readonly dragMimeTypes = ['text/uri-list'];
  readonly dropMimeTypes = [MIME];

  handleDrag(nodes: readonly TreeNode[], data: vscode.DataTransfer): void {
    const artefacts = nodes.flatMap((node) => (node.kind === 'artefact' ? [node.artefact] : []));
    data.set(MIME, new vscode.DataTransferItem(artefacts));
    data.set(
      'text/uri-list',
      new vscode.DataTransferItem(artefacts.map(({ path }) => vscode.Uri.file(path).toString()).join('\r\n')),
    );
  }

  async handleDrop(target: TreeNode | undefined, data: vscode.DataTransfer): Promise<void> {
    const dragged = data.get(MIME)?.value as readonly Artefact[] | undefined;
    const adapters = (dragged ?? []).filter(isAdapter).map(({ path }) => path);
    if (target?.kind === 'artefact' && isModelFolder(target.artefact) && adapters.length > 0) {
      await vscode.commands.executeCommand('modelfileStudio.fuse', { base: target.artefact.path, adapters });
    }
  }
}
