import { isUnspeakable, UNSPEAKABLE } from '../../core/unspeakableName';
import { constants, readSync, type BigIntStats } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import type { ByteSource } from '../../core/bytes';
import { StudioError, throwIfAborted } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';

const AT_ONCE = 256 * 1024;

/** What tells one state of one file from another. */
export interface FileIdentity {
  readonly size: number;
  /** Nanoseconds since 1970, as a decimal number: it does not fit a double. */
  readonly mtimeNs: string;
  /** Inode and device, as decimal numbers. */
  readonly ino: string;
  readonly dev: string;
}

/** A regular file, open for reading. */
export interface FileSource extends ByteSource {
  /** As it was opened. */
  readonly path: string;
  /** When it was opened. */
  readonly identity: FileIdentity;
  /** Throws `input/changed` when the file, or what stands under its path, is no longer what was opened. */
  assertUnchanged(): Promise<void>;
  /** May be called more than once. */
  close(): Promise<void>;
}

export interface OpenFileOptions {
  /** Reads reject with `run/cancelled` once it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a regular file for reading by range. Anything else is refused without waiting for it: a pipe, a device or
 * a folder with `input/not-regular`, a path or link that leads nowhere with `input/missing`, a file that the
 * operating system withholds with `input/unreadable`.
 */
export async function openFileSource(path: string, options: OpenFileOptions = {}): Promise<FileSource> {
  throwIfAborted(options.signal);
  requireRegular(path, await orTyped(path, () => stat(path, { bigint: true })));
  // Between the two calls the file may become a pipe: O_NONBLOCK keeps the open from waiting for a writer.
  const handle = await orTyped(path, () => open(path, constants.O_RDONLY | nonBlocking()));
  try {
    const stats = await orTyped(path, () => handle.stat({ bigint: true }));
    requireRegular(path, stats);
    return new OpenFile(path, handle, identityOf(stats), options.signal);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Size, time and place of a file, from its stats. */
export function identityOf(stats: BigIntStats): FileIdentity {
  return {
    size: Number(stats.size),
    mtimeNs: stats.mtimeNs.toString(),
    ino: stats.ino.toString(),
    dev: stats.dev.toString(),
  };
}

/** The typed error for what the operating system says about reading `path`. */
export function readError(path: string, cause: unknown): StudioError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      if (isUnspeakable(path)) {
        return new StudioError('input/unreadable', `${escapeControls(path)} ${UNSPEAKABLE}`, { path, cause });
      }
      return new StudioError(
        'input/missing',
        `There is no file at ${escapeControls(path)}. Check the path; if it is a link, check that its target exists.`,
        { path, cause },
      );
    case 'EISDIR':
    case 'ENXIO':
    case 'ENODEV':
      return notRegular(path, cause);
    default:
      return new StudioError(
        'input/unreadable',
        `The operating system refused to read ${escapeControls(path)}${code === undefined ? '' : ` (${code})`}. Check its permissions and the disk it is on.`,
        { path, detail: { code }, cause },
      );
  }
}

function requireRegular(path: string, stats: BigIntStats): void {
  if (!stats.isFile()) {
    throw notRegular(path);
  }
}

function notRegular(path: string, cause?: unknown): StudioError {
  return new StudioError(
    'input/not-regular',
    `${escapeControls(path)} is a folder, a pipe or a device, where a file is needed. Give the path of a file.`,
    { path, cause },
  );
}

/** Windows has no such flag. */
function nonBlocking(): number {
  return (constants as Readonly<Record<string, number | undefined>>).O_NONBLOCK ?? 0;
}

async function orTyped<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw readError(path, cause);
  }
}

class OpenFile implements FileSource {
  readonly size: number;
  private closing: Promise<void> | undefined;

  constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    readonly identity: FileIdentity,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.size = identity.size;
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    throwIfAborted(this.signal);
    // What was appended since the file was opened is not part of this source.
    const length = Math.min(target.length, this.size - offset);
    if (length <= 0) {
      return 0;
    }
    // A small read takes less time than the way to another thread and back.
    if (length <= AT_ONCE) {
      return await orTyped(this.path, () => Promise.resolve(readSync(this.handle.fd, target, 0, length, offset)));
    }
    const { bytesRead } = await orTyped(this.path, () => this.handle.read(target, 0, length, offset));
    return bytesRead;
  }

  async assertUnchanged(): Promise<void> {
    const ofHandle = identityOf(await orTyped(this.path, () => this.handle.stat({ bigint: true })));
    const ofPath = await stat(this.path, { bigint: true }).then(identityOf, () => undefined);
    if (!isSame(ofHandle, this.identity) || ofPath === undefined || !isSame(ofPath, this.identity)) {
      throw new StudioError(
        'input/changed',
        `${escapeControls(this.path)} changed while it was read. Nothing made from it can be trusted: try again when nothing writes to it.`,
        {
          path: this.path,
          detail: { before: this.identity, after: ofPath ?? null },
        },
      );
    }
  }

  close(): Promise<void> {
    this.closing ??= this.handle.close();
    return this.closing;
  }
}

function isSame(a: FileIdentity, b: FileIdentity): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ino === b.ino && a.dev === b.dev;
}
