import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { lstat, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { StudioError, throwIfAborted } from '../../core/errors';
import type { HubFile } from '../../core/formats/huggingface/hubFiles';
import { systemCode, writeError } from '../files/systemError';

const CHUNK = 4 * 1024 * 1024;

/**
 * `NAME.incomplete`: what of a file has arrived. Only ever a regular file of this user under one name: a link would lead the bytes
 * elsewhere, a pipe would never answer.
 */
export class IncompleteFile {
  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    /** Bytes that are there. */
    public size: number,
  ) {}

  /** @throws StudioError output/exists where something else stands there, output/…, disk/… */
  static async open(path: string): Promise<IncompleteFile> {
    const there = await lstat(path).catch(() => undefined);
    if (there !== undefined && !isOwnFile(there)) {
      throw notOurs(path);
    }
    // Windows has neither flag; there lstat alone must do.
    const { O_NOFOLLOW, O_NONBLOCK } = constants as Readonly<Record<string, number | undefined>>;
    const flags = constants.O_RDWR | constants.O_CREAT | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0);
    const handle = await open(path, flags).catch((cause: unknown) => {
      throw ['ELOOP', 'ENXIO', 'EISDIR'].includes(systemCode(cause) ?? '') ? notOurs(path) : writeError(cause, path);
    });
    try {
      const stats = await handle.stat();
      // One that was made here may belong to another number: where a server maps its users.
      if (!stats.isFile() || stats.nlink > 1 || (there !== undefined && !isOwnFile(stats))) {
        throw notOurs(path);
      }
      return new IncompleteFile(path, handle, stats.size);
    } catch (thrown) {
      await handle.close();
      throw thrown;
    }
  }

  async clear(): Promise<void> {
    await this.orTyped(() => this.handle.truncate(0));
    this.size = 0;
  }

  async append(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const { bytesWritten } = await this.orTyped(() => this.handle.write(chunk, at, chunk.length - at, this.size));
      if (bytesWritten === 0) {
        throw writeError(new Error('the file system takes no more bytes'), this.path);
      }
      at += bytesWritten;
      this.size += bytesWritten;
    }
  }

  /** Brings what was written to the disk and compares it with the hub's checksum; what is not the file is thrown away. */
  async check(file: HubFile, signal: AbortSignal): Promise<void> {
    await this.orTyped(() => this.handle.sync());
    const found = await contentDigest(this.handle, file, signal);
    if (found !== checksumOf(file)) {
      const expected = checksumOf(file);
      await unlink(this.path).catch(() => undefined);
      throw new StudioError(
        'hub/checksum',
        `${file.path} arrived damaged: its checksum is ${found.slice(0, 12)}…, and the hub says ${expected.slice(0, 12)}…. It was thrown away: run the command again.`,
        { path: this.path, detail: { expected, found } },
      );
    }
  }

  /** Gives the file its name, if it is still what was checked. */
  async moveTo(target: string): Promise<void> {
    const [own, there] = await Promise.all([this.handle.stat(), lstat(this.path).catch(() => undefined)]);
    if (there === undefined || there.ino !== own.ino || there.dev !== own.dev) {
      throw new StudioError(
        'output/busy',
        `${this.path} was taken away or replaced while it was written. Let no other tool fetch the same model at once, and run the command again.`,
        { path: this.path },
      );
    }
    await this.orTyped(() => rename(this.path, target));
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  private async orTyped<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      throw writeError(thrown, this.path);
    }
  }
}

/** The checksum that the hub promises. */
export function checksumOf({ sha256, gitOid }: HubFile): string {
  // One of them is there: nothing else becomes a HubFile.
  return sha256 ?? gitOid ?? '';
}

/** Of an open file, in the form of what the hub promises: plain SHA-256 of large files, git's name of the blob of small ones. */
export async function contentDigest(handle: FileHandle, file: HubFile, signal: AbortSignal): Promise<string> {
  const { size } = await handle.stat();
  const hash =
    file.sha256 !== undefined
      ? createHash('sha256')
      : createHash(file.gitOid?.length === 64 ? 'sha256' : 'sha1').update(`blob ${size}\0`);
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(CHUNK, size)));
  for (let at = 0; ;) {
    throwIfAborted(signal);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) {
      return hash.digest('hex');
    }
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}

function isOwnFile(stats: Stats): boolean {
  return stats.isFile() && stats.nlink <= 1 && (process.getuid === undefined || stats.uid === process.getuid());
}

function notOurs(path: string): StudioError {
  return new StudioError(
    'output/exists',
    `${path} is there and is not what an earlier fetch left: a link, a pipe, or the file of somebody else. Nothing was written to it. Look what it is, remove it, and run the command again.`,
    { path },
  );
}
