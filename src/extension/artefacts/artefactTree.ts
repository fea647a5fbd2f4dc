import type { Artefact } from '../../core/artefacts/artefact';
import { artefactLabel, pathParts, type LabelRoots } from './artefactLabel';
import { isAdapter } from './artefactTags';

/** A model in Ollama that a build of ours made from an artefact. */
export interface MadeModel {
  readonly name: string;
  /** Absolute path of the artefact that it was made from: the GGUF where one is left, else the adapter or the base. */
  readonly from: string;
}

interface NodeBase {
  /** Unique in the tree, and the same after another scan. */
  readonly id: string;
  readonly label: string;
  readonly children: readonly TreeNode[];
}

export interface ArtefactNode extends NodeBase {
  readonly kind: 'artefact';
  readonly artefact: Artefact;
  /** Under what it hangs, because it was made from it or for it. */
  readonly parent?: Artefact | undefined;
}

/** One line of the Artefacts view. */
export type TreeNode =
  | ArtefactNode
  /** Adapters whose base was not found in any scanned folder; `base` as they name it, empty where they name none. */
  | (NodeBase & { readonly kind: 'missing-base'; readonly base: string })
  /** Models of the Hugging Face cache that nothing in the workspace was made for. */
  | (NodeBase & { readonly kind: 'cache' })
  | (NodeBase & { readonly kind: 'ollama-model'; readonly name: string });

export interface TreeOptions extends LabelRoots {
  readonly models?: readonly MadeModel[] | undefined;
}

/** Kinds of parts that get a line of their own below the artefact that they belong to; other parts are told in its tooltip. */
const SHOWN_PARTS = new Set([
  'checkpoint',
  'mlx-checkpoint',
  'safetensors',
  'truncated',
  'unreadable',
  'lfs-pointer',
  'gguf-split',
]);

/**
 * The artefacts of a scan by lineage: base, below it adapters, fused models and GGUFs that were made from it, below those what was
 * made from them; then adapters by the base that they miss; then the rest, and at the end unused models of the cache.
 */
export function buildArtefactTree(artefacts: readonly Artefact[], options: TreeOptions): readonly TreeNode[] {
  return new TreeBuilder(artefacts, options).roots();
}

/** Lines of the tree in all. */
export function countNodes(nodes: readonly TreeNode[]): number {
  return nodes.reduce((count, node) => count + 1 + countNodes(node.children), 0);
}

class TreeBuilder {
  readonly #byPath: ReadonlyMap<string, Artefact>;
  readonly #children = new Map<string, Artefact[]>();
  readonly #tops: Artefact[] = [];

  constructor(
    artefacts: readonly Artefact[],
    private readonly options: TreeOptions,
  ) {
    const shown = foldSplits(artefacts);
    this.#byPath = new Map(shown.map((artefact) => [artefact.path, artefact]));
    for (const artefact of shown) {
      const owner = artefact.partOf === undefined ? undefined : this.#byPath.get(artefact.partOf);
      if (owner !== undefined && !SHOWN_PARTS.has(artefact.kind)) {
        continue;
      }
      const parent = owner ?? this.#parentOf(artefact);
      if (parent === undefined || this.#isBelow(parent, artefact)) {
        this.#tops.push(artefact);
      } else {
        this.#children.set(parent.path, [...(this.#children.get(parent.path) ?? []), artefact]);
      }
    }
  }

  roots(): readonly TreeNode[] {
    const isUnused = (artefact: Artefact): boolean =>
      isInCache(artefact.path) &&
      (this.#children.get(artefact.path) ?? []).every(({ partOf }) => partOf === artefact.path);
    const unused = this.#tops.filter(isUnused);
    const own = this.#tops.filter((artefact) => !isUnused(artefact));
    const missing = own.filter(
      (artefact) => isAdapter(artefact) && artefact.base !== undefined && artefact.base.path === undefined,
    );
    const models = own.filter((artefact) => !missing.includes(artefact) && isModel(artefact));
    const rest = own.filter((artefact) => !missing.includes(artefact) && !models.includes(artefact));
    return [
      ...models.map((artefact) => this.#node(artefact)),
      ...this.#missingBases(missing),
      ...rest.map((artefact) => this.#node(artefact)),
      ...(unused.length === 0
        ? []
        : [
            {
              kind: 'cache' as const,
              id: 'cache',
              label: 'Hugging Face cache',
              children: unused.map((artefact) => this.#node(artefact)),
            },
          ]),
    ];
  }

  #missingBases(adapters: readonly Artefact[]): TreeNode[] {
    const names = [...new Set(adapters.map((adapter) => adapter.base?.name ?? ''))];
    return names.map((base) => ({
      kind: 'missing-base',
      id: `missing:${base}`,
      label: base,
      base,
      children: adapters.filter((adapter) => (adapter.base?.name ?? '') === base).map((adapter) => this.#node(adapter)),
    }));
  }

  #node(artefact: Artefact, parent?: Artefact): ArtefactNode {
    const id = artefact.path;
    const below = [...(this.#children.get(artefact.path) ?? [])].sort(byOrder);
    const models = (this.options.models ?? []).filter(({ from }) => from === artefact.path);
    return {
      kind: 'artefact',
      id,
      artefact,
      parent,
      label: artefactLabel(artefact, this.options),
      children: [
        ...below.map((child) => this.#node(child, artefact)),
        ...models.map((model): TreeNode => ({
          kind: 'ollama-model',
          id: `${id}\0${model.name}`,
          label: model.name,
          name: model.name,
          children: [],
        })),
      ],
    };
  }

  /** The adapter that it was made with, where it is one alone; else its base. */
  #parentOf(artefact: Artefact): Artefact | undefined {
    const { builtFrom, base } = artefact;
    const adapters = builtFrom?.adapters ?? [];
    const adapter = adapters.length === 1 ? this.#find(adapters[0]!.path) : undefined;
    const found =
      adapter ??
      (base?.path === undefined ? undefined : this.#byPath.get(base.path)) ??
      (builtFrom === undefined ? undefined : this.#find(builtFrom.base));
    return found === artefact ? undefined : found;
  }

  /** By the path as a record has it, which may be relative to a folder that nobody knows any more: then only if just one fits. */
  #find(path: string): Artefact | undefined {
    const exact = this.#byPath.get(path.replace(/(?<=.)[\\/]+$/, ''));
    if (exact !== undefined || isAbsolutePath(path)) {
      return exact;
    }
    const wanted = pathParts(path).filter((part) => part !== '.');
    const fitting = wanted.includes('..')
      ? []
      : [...this.#byPath.values()].filter((one) => endsWith(pathParts(one.path), wanted));
    return fitting.length === 1 ? fitting[0] : undefined;
  }

  /** True when `artefact` hangs above `below` already: records of files that were swapped can go in circles. */
  #isBelow(below: Artefact, artefact: Artefact): boolean {
    const seen = new Set<Artefact>();
    let at: Artefact | undefined = below;
    while (at !== undefined && !seen.has(at)) {
      if (at === artefact) {
        return true;
      }
      seen.add(at);
      at = (at.partOf === undefined ? undefined : this.#byPath.get(at.partOf)) ?? this.#parentOf(at);
    }
    return at !== undefined;
  }
}

/** The parts of a split GGUF hang below its first one. */
function foldSplits(artefacts: readonly Artefact[]): readonly Artefact[] {
  const stem = ({ path }: Artefact): string => path.replace(/-\d{5}-of-\d{5}\.gguf$/i, '');
  const first = new Map(
    artefacts.filter((one) => one.kind === 'gguf-split' && one.split?.number === 1).map((one) => [stem(one), one.path]),
  );
  return artefacts.map((one) => {
    const head = one.kind === 'gguf-split' ? first.get(stem(one)) : undefined;
    return head === undefined || head === one.path ? one : { ...one, partOf: head };
  });
}

function isModel({ kind, content }: Artefact): boolean {
  const of = kind === 'checkpoint' || kind === 'trainer-output' ? content : kind;
  return of === 'model' || of === 'mlx-model' || of === 'gguf-model' || of === 'gguf-split';
}

/** Checkpoints newest first, then everything else by path. */
function byOrder(a: Artefact, b: Artefact): number {
  const difference = (b.step ?? -1) - (a.step ?? -1);
  return difference !== 0 ? difference : a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

/** In the layout of huggingface_hub's cache. */
export function isInCache(path: string): boolean {
  return /[\\/]models--[^\\/]+[\\/]snapshots[\\/]/.test(path);
}

function isAbsolutePath(path: string): boolean {
  return /^(?:[\\/]|[a-z]:[\\/])/i.test(path);
}

function endsWith(parts: readonly string[], end: readonly string[]): boolean {
  return (
    end.length > 0 &&
    end.length <= parts.length &&
    end.every((part, index) => parts[parts.length - end.length + index] === part)
  );
}
