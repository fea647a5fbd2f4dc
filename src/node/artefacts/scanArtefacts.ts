import type { Artefact } from '../../core/artefacts/artefact';
import type { Inspection } from '../../core/artefacts/inspection';
import { inspectPath } from '../../core/artefacts/inspectPath';
import { scanFolders, type ScanOptions, type ScanProgress } from '../../core/artefacts/scanFolders';
import { nodeArtefactFiles } from './artefactFiles';

/**
 * Finds the artefacts in folders and below them, with their lineage; at most the header of each file is read. Folders that
 * cannot be read are among the answers, with the reason.
 * @throws StudioError run/cancelled only
 */
export async function* scanArtefacts(
  folders: readonly string[],
  options: ScanOptions = {},
): AsyncGenerator<ScanProgress, Artefact[]> {
  const files = nodeArtefactFiles(options.signal);
  const single: Artefact[] = [];
  const rest: string[] = [];
  for (const path of folders) {
    if ((await files.stat(path))?.kind === 'file') {
      single.push(asArtefact(await inspectPath(files, path, options), path));
    } else {
      rest.push(path);
    }
  }
  return [...single, ...(yield* scanFolders(files, rest, options))];
}

/** A file that was given in place of a folder. */
function asArtefact(inspection: Inspection, path: string): Artefact {
  if (inspection.kind === undefined || inspection.kind === 'folder') {
    return {
      path,
      kind: 'unreadable',
      bytes: 0,
      problems: inspection.ok ? [] : [{ code: inspection.error.code, message: inspection.error.message }],
    };
  }
  // A listing of a scan is no place for all keys and tensors.
  const artefact = {
    bytes: 0,
    problems: [],
    ...inspection,
    kind: inspection.kind,
    ok: undefined,
    error: undefined,
    metadata: undefined,
    tensorList: undefined,
    artefacts: undefined,
  };
  return artefact;
}

/** The same without progress. */
export async function collectArtefacts(folders: readonly string[], options: ScanOptions = {}): Promise<Artefact[]> {
  const scan = scanArtefacts(folders, options);
  for (;;) {
    const step = await scan.next();
    if (step.done === true) {
      return step.value;
    }
  }
}
