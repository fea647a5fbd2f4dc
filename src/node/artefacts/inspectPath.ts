import type { Inspection } from '../../core/artefacts/inspection';
import { inspectPath as inspect, type InspectOptions } from '../../core/artefacts/inspectPath';
import { Semaphore } from '../../core/artefacts/semaphore';
import { nodeArtefactFiles } from './artefactFiles';

/** Paths looked at together. */
const AT_ONCE = 8;

/** Says what files and folders are; in the order given, a bad one does not stop the others. Throws `run/cancelled` only. */
export async function inspectPaths(paths: readonly string[], options: InspectOptions = {}): Promise<Inspection[]> {
  const files = nodeArtefactFiles(options.signal);
  const inspections = new Semaphore(AT_ONCE);
  return await Promise.all(paths.map((path) => inspections.run(() => inspect(files, path, options))));
}

/** The same for one. */
export async function inspectPath(path: string, options: InspectOptions = {}): Promise<Inspection> {
  return await inspect(nodeArtefactFiles(options.signal), path, options);
}
