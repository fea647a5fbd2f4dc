import type { Artefact } from '../core/artefacts/artefact';
import { scanFolders, type ScanOptions, type ScanProgress } from '../core/artefacts/scanFolders';
import { nodeArtefactFiles } from './artefactFiles';

/**
 * Finds the artefacts in folders and below them, with their lineage; at most the header of each file is read. Folders that
 * cannot be read are among the answers, with the reason.
 * @throws StudioError run/cancelled only
 */
export async function* scanArtefacts(folders: readonly string[], options: ScanOptions = {}): AsyncGenerator<ScanProgress, Artefact[]> {
  return yield* scanFolders(nodeArtefactFiles(options.signal), folders, options);
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
