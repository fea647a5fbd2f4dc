import { close, constants, open, read, stat, type Dirent, type Stats } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import type { ArtefactFiles, ListedEntry, OpenedFile } from '../../core/artefacts/artefactFiles';
import { openFileSource, readError } from '../files/fileSource';

/** Windows has no such flag: a pipe that took the place of a file since it was listed must not hold the scan up. */
const READ_FLAGS = constants.O_RDONLY | ((constants as Readonly<Record<string, number | undefined>>).O_NONBLOCK ?? 0);

/** The file system as a scan sees it: regular files are opened, pipes and devices never. */
export function nodeArtefactFiles(signal?: AbortSignal): ArtefactFiles {
  return {
    list: listFolder,
    open: (path, listed) =>
      listed?.kind === 'file' ? openListed(path, listed.bytes) : openFileSource(path, { signal }),
    stat: async (path) => await statEntry(path, basename(path)),
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
  return (
    (await statEntry(join(folder, entry.name), entry.name)) ?? {
      name: entry.name,
      kind: 'other',
      bytes: 0,
      modified: 0,
      identity: joinAsGiven(folder, entry.name),
    }
  );
}

function statEntry(path: string, name: string): Promise<ListedEntry | undefined> {
  return new Promise((settle) => {
    stat(path, (error, stats) => settle(error === null ? entryOf(name, stats) : undefined));
  });
}

function entryOf(name: string, stats: Stats): ListedEntry {
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
  return { name, kind, bytes: stats.size, modified: stats.mtimeMs, identity: `${stats.dev}:${stats.ino}` };
}

/** Tens of thousands of files are opened: a bare descriptor costs half of what a FileHandle does. */
function openListed(path: string, size: number): Promise<OpenedFile> {
  return new Promise((settle, fail) => {
    open(path, READ_FLAGS, (error, descriptor) => {
      if (error === null) {
        settle(listedSource(path, descriptor, size));
      } else {
        fail(readError(path, error));
      }
    });
  });
}

function listedSource(path: string, descriptor: number, size: number): OpenedFile {
  return {
    size,
    read: (offset, target) => {
      const length = Math.min(target.length, size - offset);
      return length <= 0
        ? Promise.resolve(0)
        : new Promise((settle, fail) => {
            read(descriptor, target, 0, length, offset, (error, bytes) => {
              if (error === null) {
                settle(bytes);
              } else {
                fail(readError(path, error));
              }
            });
          });
    },
    close: () =>
      new Promise((settle) => {
        close(descriptor, () => settle());
      }),
  };
}

/** `./outputs` stays `./outputs/…`: answers name paths as they were given. */
function joinAsGiven(folder: string, name: string): string {
  const ended = folder.endsWith('/') || (sep === '\\' && folder.endsWith('\\'));
  return ended ? `${folder}${name}` : `${folder}${sep}${name}`;
}
