import { readBytes, type ByteSource } from '../../bytes';
import { throwIfAborted } from '../../errors';
import { LIMITS } from '../../limits';
import { DETECTION_BYTES } from '../detectFormat';
import { detectPickle, type PickleContainer } from './detectPickle';
import { walkPickle } from './pickleImports';
import { listZipEntries, storedZipEntry, type ZipEntry } from '../zipDirectory';

/** What can be said about a pickle without loading it. */
export interface PickleListing {
  readonly container: PickleContainer;
  /** `module.name`, sorted. */
  readonly imports: readonly string[];
  /** Whether everything was followed to its end; a listing that is not complete hides something. */
  readonly isComplete: boolean;
  /** Entries of the archive; empty for other containers. */
  readonly entries: readonly ZipEntry[];
}

/** What every listing must be shown with. */
export const PICKLE_NOTE =
  'A pickle cannot be proven safe: this lists what it would import, and it is never loaded here. Get the weights as safetensors.';

/**
 * Lists what a pickle would import, by walking its opcodes and never running them; undefined for a file that is no
 * pickle. `fileName` helps where the content leaves it open. The caps are {@link LIMITS.pickle} and {@link LIMITS.zip}.
 */
export async function listPickleImports(
  source: ByteSource,
  fileName: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<PickleListing | undefined> {
  throwIfAborted(options.signal);
  const container = detectPickle(await readBytes(source, 0, Math.min(DETECTION_BYTES, source.size)), fileName);
  switch (container) {
    case undefined:
      return undefined;
    case 'stream': {
      const { imports, isComplete } = await walk(source);
      return { container, imports: imports.toSorted(), isComplete, entries: [] };
    }
    case 'zip':
      return listArchive(source, options.signal);
    case 'legacy-tar':
      return { container, imports: [], isComplete: false, entries: [] };
  }
}

async function listArchive(source: ByteSource, signal: AbortSignal | undefined): Promise<PickleListing> {
  const listing = await listZipEntries(source);
  const pickles = listing.entries.filter((entry) => entry.name.endsWith('.pkl'));
  const imports = new Set<string>();
  let isComplete = listing.isComplete && pickles.length <= LIMITS.pickle.streams;
  for (const entry of pickles.slice(0, LIMITS.pickle.streams)) {
    throwIfAborted(signal);
    const stored = await storedZipEntry(source, entry);
    const walked = stored === undefined ? { imports: [], isComplete: false } : await walk(stored);
    walked.imports.forEach((name) => imports.add(name));
    isComplete &&= walked.isComplete;
  }
  return { container: 'zip', imports: [...imports].sort(), isComplete, entries: listing.entries };
}

async function walk(
  source: ByteSource,
): Promise<{ readonly imports: readonly string[]; readonly isComplete: boolean }> {
  return walkPickle(await readBytes(source, 0, Math.min(source.size, LIMITS.pickle.bytes)));
}
