import type { Dirent, Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import type { ArtefactFiles, ListedEntry } from '../core/artefacts/artefactFiles';
import { openFileSource, readError } from './fileSource';

/** The file system as a scan sees it: regular files are opened, pipes and devices never. */
export function nodeArtefactFiles(signal?: AbortSignal): ArtefactFiles {
  return {
    list: listFolder,
    open: (path) => openFileSource(path, { signal }),
    stat: async (path) => await stat(path).then((stats) => listed(basename(path), stats), () => undefined),
    join: joinAsGiven,
    baseName: (path) => basename(resolve(path)),
    parent: dirname,
  };
}

async function listFolder(folder: string): Promise<ListedEntry[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw readError(folder, cause);
  });
  const listing = await Promise.all(entries.map((entry) => listEntry(folder, entry)));
  return listing.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function listEntry(folder: string, entry: Dirent): Promise<ListedEntry> {
  const missing: ListedEntry = { name: entry.name, kind: 'other', bytes: 0, modified: 0, identity: joinAsGiven(folder, entry.name) };
  return await stat(join(folder, entry.name)).then((stats) => listed(entry.name, stats), () => missing);
}

function listed(name: string, stats: Stats): ListedEntry {
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
  return { name, kind, bytes: stats.size, modified: stats.mtimeMs, identity: `${stats.dev}:${stats.ino}` };
}

/** `./outputs` stays `./outputs/…`: answers name paths as they were given. */
function joinAsGiven(folder: string, name: string): string {
  return /[/\\]$/.test(folder) && (folder.endsWith('/') || sep === '\\') ? `${folder}${name}` : `${folder}${sep}${name}`;
}
