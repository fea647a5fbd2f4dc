import type { ByteSource } from '../bytes';

/** One name in a folder, links resolved. */
export interface ListedEntry {
  readonly name: string;
  /** `other`: pipes, devices, sockets, links that lead nowhere. */
  readonly kind: 'file' | 'folder' | 'other';
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
  /** The same for two paths to one file or folder. */
  readonly identity: string;
}

export interface OpenedFile extends ByteSource {
  close(): Promise<void>;
}

/** What a scan needs of the file system. All errors are StudioErrors. */
export interface ArtefactFiles {
  list(folder: string): Promise<readonly ListedEntry[]>;
  /** `listed` is what {@link list} said of it just now; a file that it calls regular need not be asked about again. */
  open(path: string, listed?: ListedEntry): Promise<OpenedFile>;
  /** Size and time of one file; undefined when it is not there. */
  stat(path: string): Promise<ListedEntry | undefined>;
  join(folder: string, name: string): string;
  /** Last component of a path. */
  baseName(path: string): string;
  /** The folder that a path lies in; `.` for a bare name. */
  parent(path: string): string;
}
