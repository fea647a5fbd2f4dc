import type { Artefact } from '../../core/artefacts/artefact';
import { escapeControls } from '../../core/escapeControls';

export interface LabelRoots {
  /** Scanned folders, absolute, with the name that people know each by. */
  readonly roots: readonly { readonly path: string; readonly name: string }[];
}

/** The name of an artefact: its path below the scanned folder, or below the artefact that it is a part of; with several folders, the folder's name before it. */
export function artefactLabel(artefact: Artefact, { roots }: LabelRoots): string {
  const cached = /[\\/]models--([^\\/]+)[\\/]snapshots[\\/][^\\/]+(.*)$/.exec(artefact.path);
  if (cached !== null) {
    return escapeControls(`${cached[1]!.replace(/--/g, '/')}${cached[2]!.replace(/\\/g, '/')}`);
  }
  const part = artefact.partOf === undefined ? undefined : below(artefact.path, artefact.partOf);
  if (part !== undefined && part !== '') {
    return escapeControls(artefact.kind === 'mlx-checkpoint' ? part.replace(/_adapters\.safetensors$/, '') : part);
  }
  const root = [...roots]
    .sort((a, b) => b.path.length - a.path.length)
    .find(({ path }) => below(artefact.path, path) !== undefined);
  if (root === undefined) {
    return escapeControls(artefact.path);
  }
  const inside = below(artefact.path, root.path)!;
  return escapeControls(inside === '' ? root.name : roots.length > 1 ? `${root.name}/${inside}` : inside);
}

/** The components of a path of any system. */
export function pathParts(path: string): string[] {
  return path.split(/[\\/]/).filter((part) => part !== '');
}

/** The rest of `path` below `folder`, with `/`; undefined when it does not lie there. */
function below(path: string, folder: string): string | undefined {
  const base = folder.replace(/[\\/]+$/, '');
  const rest = path.startsWith(base) ? path.slice(base.length) : undefined;
  return rest === undefined || (rest !== '' && !/^[\\/]/.test(rest))
    ? undefined
    : rest.replace(/^[\\/]+/, '').replace(/\\/g, '/');
}
