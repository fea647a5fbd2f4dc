import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { localPath } from './serverState';

/** A workspace with more folders is not searched to its end. */
const MAX_FOLDERS = 5000;
const MAX_FILES = 500;
/** How long a search is good for: editors ask every few seconds, and Modelfiles come and go seldom. */
const FRESH = 15_000;
const SKIPPED: ReadonlySet<string> = new Set([
  'node_modules',
  '.git',
  '.hg',
  '.svn',
  'dist',
  '.venv',
  'venv',
  '__pycache__',
]);

/** Whether a file is a Modelfile by its name: `Modelfile`, `Modelfile.x`, `x.Modelfile`, in any case. */
export function isModelfileName(path: string): boolean {
  return /^modelfile(?:\..+)?$|\.modelfile$/is.test(basename(path));
}

export interface FoundModelfiles {
  readonly files: readonly string[];
  /** False where the search ended before the folder did. */
  readonly isComplete: boolean;
}

/** Modelfiles below a folder, the nearest first; links are not followed. */
export async function findModelfiles(root: string, signal?: AbortSignal): Promise<FoundModelfiles> {
  const files: string[] = [];
  const pending = [root];
  for (let next = 0; next < pending.length; next += 1) {
    if (next >= MAX_FOLDERS || files.length >= MAX_FILES) {
      return { files, isComplete: false };
    }
    signal?.throwIfAborted();
    const folder = pending[next] ?? root;
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) {
        pending.push(join(folder, entry.name));
      } else if (entry.isFile() && isModelfileName(entry.name)) {
        files.push(join(folder, entry.name));
      }
    }
  }
  return { files, isComplete: true };
}

/** The Modelfiles of the open folders, searched for now and then. */
export class WorkspaceModelfiles {
  private roots: readonly string[] = [];
  private known: { readonly until: number; readonly files: readonly string[] } | undefined;

  /** @param warn told once for each folder that is too large to be searched to its end */
  constructor(private readonly warn: (text: string) => void) {}

  /** @param uris of the folders; those that are not on this machine are left out */
  setFolders(uris: readonly string[]): void {
    this.roots = uris.flatMap((uri) => localPath(uri) ?? []);
    this.forget();
  }

  changeFolders(added: readonly string[], removed: readonly string[]): void {
    const gone = new Set(removed.flatMap((uri) => localPath(uri) ?? []));
    this.roots = [...this.roots.filter((root) => !gone.has(root)), ...added.flatMap((uri) => localPath(uri) ?? [])];
    this.forget();
  }

  /** Files were made or removed. */
  forget(): void {
    this.known = undefined;
  }

  async files(signal: AbortSignal): Promise<readonly string[]> {
    if (this.known !== undefined && this.known.until > Date.now()) {
      return this.known.files;
    }
    // A folder may be open beside one that it lies in.
    const found = new Set<string>();
    for (const root of this.roots) {
      const { files, isComplete } = await findModelfiles(root, signal);
      files.forEach((file) => found.add(file));
      if (!isComplete) {
        this.warn(
          `${root} is too large to be searched to its end: its ${files.length} nearest Modelfiles are checked, others when they are opened.`,
        );
      }
    }
    this.known = { until: Date.now() + FRESH, files: [...found] };
    return this.known.files;
  }
}
