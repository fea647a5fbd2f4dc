import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** A workspace with more folders is not searched to its end. */
const MAX_FOLDERS = 5000;
const MAX_FILES = 500;
const SKIPPED: ReadonlySet<string> = new Set(['node_modules', '.git', '.hg', '.svn', 'dist', '.venv', 'venv', '__pycache__']);

/** Whether a file is a Modelfile by its name: `Modelfile`, `Modelfile.x`, `x.Modelfile`, in any case. */
export function isModelfileName(path: string): boolean {
  return /^modelfile(?:\.[^.]+)?$|\.modelfile$/i.test(basename(path));
}

/** Modelfiles below a folder, the nearest first; links are not followed. */
export async function findModelfiles(root: string, signal?: AbortSignal): Promise<string[]> {
  const found: string[] = [];
  const pending = [root];
  for (let visited = 0; pending.length > 0 && visited < MAX_FOLDERS && found.length < MAX_FILES; visited += 1) {
    signal?.throwIfAborted();
    const folder = pending.shift() ?? root;
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) {
        pending.push(join(folder, entry.name));
      } else if (entry.isFile() && isModelfileName(entry.name)) {
        found.push(join(folder, entry.name));
      }
    }
  }
  return found;
}
