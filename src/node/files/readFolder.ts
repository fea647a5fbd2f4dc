import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readError } from './fileSource';

export interface FolderNames {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/** Names in a folder, sorted, links resolved; dangling ones count as files, so that opening them says what is wrong. */
export async function readFolder(path: string): Promise<FolderNames> {
  const entries = await readdir(path, { withFileTypes: true }).catch((cause: unknown) => {
    throw readError(path, cause);
  });
  const files: string[] = [];
  const folders: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    ((await isFolder(path, entry)) ? folders : files).push(entry.name);
  }
  return { files, folders };
}

async function isFolder(path: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) {
    return entry.isDirectory();
  }
  return await stat(join(path, entry.name)).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
