import { constants } from 'node:fs';
import { copyFile, lstat, mkdir, open, readlink, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { StudioError } from '../../core/errors';
import type { HubFile } from '../../core/formats/huggingface/hubFiles';
import { systemCode, writeError } from '../files/systemError';
import { hubCacheFolder } from './hubSettings';
import { checksumOf, contentDigest } from './incompleteFile';

/** Where fetched files go. */
export interface HubStore {
  /** What the lock that keeps another fetch away is named after; its folder is made when it is missing. */
  lockPath(): Promise<string>;
  /** Whether a file is there in full. */
  has(file: HubFile, signal: AbortSignal): Promise<boolean>;
  /** Where the whole, checked file is put, its folder there. */
  target(file: HubFile): Promise<string>;
  /** Shows the file under its name, once it is whole. */
  keep(file: HubFile): Promise<void>;
  finish(): Promise<void>;
}

/** A repository in the cache of huggingface_hub: content by its checksum, snapshots of links, the commit of each name. */
export class CacheStore implements HubStore {
  private readonly cache: string;
  /** Its name below the cache. */
  private readonly name: string;

  constructor(
    repositoryFolder: string,
    private readonly revision: string,
    private readonly commit: string,
  ) {
    this.cache = hubCacheFolder();
    this.name = basename(repositoryFolder);
  }

  async lockPath(): Promise<string> {
    return join(await this.folder(['.locks', this.name]), 'modelfile-studio-fetch');
  }

  async has(file: HubFile, signal: AbortSignal): Promise<boolean> {
    const { blob, link } = await this.places(file);
    if ((await regularSize(blob)) === file.bytes) {
      // What has a checksum for its name was compared when it got it.
      await this.keep(file);
      return true;
    }
    // Where links are not allowed, the content stands under its name, which tells nothing of it.
    return await isContent(link, file, signal);
  }

  async target(file: HubFile): Promise<string> {
    return (await this.places(file)).blob;
  }

  /** Links the snapshot's name to the content; where links are not allowed (Windows), the content itself is put there. */
  async keep(file: HubFile): Promise<void> {
    const { blob, link, linkTarget } = await this.places(file);
    if ((await readlink(link).catch(() => undefined)) === linkTarget) {
      return;
    }
    try {
      await rm(link, { force: true });
      await symlink(linkTarget, link).catch(async () => {
        await rename(blob, link).catch(async () => copyFile(blob, link, constants.COPYFILE_EXCL));
      });
    } catch (thrown) {
      throw writeError(thrown, link);
    }
  }

  async finish(): Promise<void> {
    const { revision, commit } = this;
    if (revision === commit) {
      return;
    }
    const parts = revision.split('/');
    const name = parts.pop()!;
    const path = join(await this.folder([this.name, 'refs', ...parts]), name);
    const whole = `${path}.${process.pid}.incomplete`;
    try {
      await writeFile(whole, commit, { flag: 'wx' });
      await rename(whole, path);
    } catch (thrown) {
      await unlink(whole).catch(() => undefined);
      throw writeError(thrown, path);
    }
  }

  private async places(
    file: HubFile,
  ): Promise<{ readonly blob: string; readonly link: string; readonly linkTarget: string }> {
    const blobs = await this.folder([this.name, 'blobs']);
    const { folders, name } = takenApart(file);
    const snapshot = await this.folder([this.name, 'snapshots', this.commit, ...folders]);
    const blob = join(blobs, checksumOf(file));
    return { blob, link: join(snapshot, name), linkTarget: relative(snapshot, blob) };
  }

  private folder(parts: readonly string[]): Promise<string> {
    return folderWithin(this.cache, parts);
  }
}

/** The path of a file in its repository. */
function takenApart({ path }: HubFile): { readonly folders: readonly string[]; readonly name: string } {
  const parts = path.split('/');
  return { folders: parts.slice(0, -1), name: parts.at(-1)! };
}

/** A plain folder that the user named. */
export class FolderStore implements HubStore {
  constructor(private readonly folder: string) {}

  async lockPath(): Promise<string> {
    return join(await folderWithin(this.folder, []), '.modelfile-studio-fetch');
  }

  /** By its content: another model of the same shape has files of the same sizes. */
  async has(file: HubFile, signal: AbortSignal): Promise<boolean> {
    const path = join(this.folder, file.path);
    if (await isContent(path, file, signal)) {
      return true;
    }
    await requireAbsent(path);
    return false;
  }

  async target(file: HubFile): Promise<string> {
    const { folders, name } = takenApart(file);
    const path = join(await folderWithin(this.folder, folders), name);
    await requireAbsent(path);
    return path;
  }

  async keep(): Promise<void> {
    // Downloaded where it belongs.
  }

  async finish(): Promise<void> {
    // Nothing but the files.
  }
}

async function requireAbsent(path: string): Promise<void> {
  // Also a link that leads nowhere.
  if ((await lstat(path).catch(() => undefined)) !== undefined) {
    throw new StudioError(
      'output/exists',
      `${path} is there already and is not the file on the hub. Choose an empty folder with --out, or remove it.`,
      { path },
    );
  }
}

/**
 * The folder below `root`, made where it is missing. `root` may be a link, as the user set it up; nothing below it may, or what is
 * fetched would be written elsewhere.
 */
async function folderWithin(root: string, parts: readonly string[]): Promise<string> {
  let path = root;
  try {
    await mkdir(root, { recursive: true });
    for (const part of parts) {
      path = join(path, part);
      await mkdir(path).catch((thrown: unknown) => {
        if (systemCode(thrown) !== 'EEXIST') {
          throw thrown;
        }
      });
      if (!(await lstat(path)).isDirectory()) {
        throw new StudioError(
          'output/exists',
          `${path} is a link or a file, where the cache has a folder of its own. Nothing was written through it: remove it, or fetch into a folder of your choice with --out.`,
          { path },
        );
      }
    }
    return path;
  } catch (thrown) {
    throw writeError(thrown, join(path, '…'));
  }
}

/** Undefined for anything but a regular file; links are not followed. */
async function regularSize(path: string): Promise<number | undefined> {
  return await lstat(path).then(
    (stats) => (stats.isFile() ? stats.size : undefined),
    () => undefined,
  );
}

/** Whether a regular file has the size and the checksum that the hub says; nothing else is opened. */
async function isContent(path: string, file: HubFile, signal: AbortSignal): Promise<boolean> {
  if ((await regularSize(path)) !== file.bytes) {
    return false;
  }
  const { O_NONBLOCK } = constants as Readonly<Record<string, number | undefined>>;
  const handle = await open(path, constants.O_RDONLY | (O_NONBLOCK ?? 0)).catch(() => undefined);
  try {
    return handle !== undefined && (await contentDigest(handle, file, signal)) === checksumOf(file);
  } finally {
    await handle?.close();
  }
}
