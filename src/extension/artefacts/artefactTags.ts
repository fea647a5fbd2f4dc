import type { Artefact, ArtefactKind } from '../../core/artefacts/artefact';

/** What can be done with an artefact: the words that the menus of the manifest ask for. */
export type ArtefactTag =
  | 'adapter'
  | 'model'
  | 'gguf'
  | 'buildable'
  | 'modelfile'
  | 'quantisable'
  | 'inspectable'
  | 'verifiable'
  | 'comparable'
  | 'viewable'
  | 'rebuildable'
  | 'broken'
  | 'file'
  | 'folder';

const ADAPTERS: readonly ArtefactKind[] = ['peft-adapter', 'mlx-adapter', 'mlx-checkpoint'];
const MODELS: readonly ArtefactKind[] = ['model', 'mlx-model'];
const GGUFS: readonly ArtefactKind[] = [
  'gguf-model',
  'gguf-split',
  'gguf-adapter',
  'gguf-mmproj',
  'gguf-vocab',
  'gguf-imatrix',
];

/** What a checkpoint, an output folder or a damaged file holds; the kind itself for all others. */
export function contentOf(artefact: Artefact): ArtefactKind {
  return artefact.content ?? artefact.kind;
}

/** Absolute path of the weights that would be taken: in the artefact's folder, or the artefact itself. */
export function weightsPath({ path, weightsFile }: Artefact): string {
  const name = weightsFile?.replaceAll('\\', '/');
  if (weightsFile === undefined || name === undefined || path.replaceAll('\\', '/').endsWith(name)) {
    return path;
  }
  return /^(?:[\\/]|[a-z]:[\\/])/i.test(weightsFile)
    ? weightsFile
    : `${path}${path.includes('\\') ? '\\' : '/'}${weightsFile}`;
}

/** An adapter in a folder or a numbered file of one, wherever training left it. */
export function isAdapter(artefact: Artefact): boolean {
  return !isBroken(artefact) && ADAPTERS.includes(contentOf(artefact));
}

/** A Hugging Face folder with weights. */
export function isModelFolder(artefact: Artefact): boolean {
  return !isBroken(artefact) && MODELS.includes(contentOf(artefact));
}

/** Something that cannot be used as it is: damaged, cut short, or only a pointer to it. */
export function isBroken({ kind }: Artefact): boolean {
  return kind === 'truncated' || kind === 'unreadable' || kind === 'lfs-pointer';
}

/** True for what a badge warns of: it is broken, or something in it will not work. */
export function hasProblems(artefact: Artefact): boolean {
  return isBroken(artefact) || artefact.problems.length > 0;
}

export function artefactTags(artefact: Artefact): readonly ArtefactTag[] {
  const { kind } = artefact;
  const isFile =
    GGUFS.includes(kind) ||
    ['mlx-checkpoint', 'safetensors', 'truncated', 'unreadable', 'lfs-pointer', 'pickle', 'imatrix'].includes(kind);
  const tags: ArtefactTag[] = [isFile ? 'file' : 'folder', 'inspectable'];
  if (isBroken(artefact)) {
    return [...tags, 'broken', ...(/\.(?:gguf|safetensors)$/i.test(artefact.path) ? ['viewable' as const] : [])];
  }
  if (isAdapter(artefact)) {
    tags.push('adapter', 'buildable', 'modelfile', 'verifiable');
  } else if (isModelFolder(artefact)) {
    tags.push('model', 'buildable', 'modelfile', 'quantisable', 'verifiable');
  }
  if (GGUFS.includes(kind)) {
    tags.push('gguf', 'verifiable');
  }
  if (kind === 'gguf-model') {
    tags.push('quantisable', 'modelfile', 'buildable');
  } else if (kind === 'gguf-adapter') {
    tags.push('modelfile');
  }
  if (/\.(?:gguf|safetensors)$/i.test(weightsPath(artefact))) {
    tags.push('viewable', 'comparable');
  }
  return artefact.builtFrom === undefined ? tags : [...tags, 'rebuildable'];
}
