import { fromByteString, type ByteString } from '../../golang/byteString';
import { quote } from '../../golang/quote';
import { isEmptyList } from './emptyTree';
import type { ListNode, Tree } from './nodes';
import type { TreeState } from './treeState';

/** The named templates of a text. */
export class DefinedTrees {
  private readonly trees = new Map<ByteString, Tree>();

  get byName(): ReadonlyMap<ByteString, Tree> {
    return this.trees;
  }

  /** Go keeps the first definition of a name that is not empty, and refuses a second one. */
  define(name: ByteString, root: ListNode, tree: TreeState): void {
    const known = this.trees.get(name);
    if (known === undefined || isEmptyList(known.root)) {
      this.trees.set(name, { name, root });
    } else if (!isEmptyList(root)) {
      tree.fail(`template: multiple definition of template ${fromByteString(quote(name))}`);
    }
  }
}
