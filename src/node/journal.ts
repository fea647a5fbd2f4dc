import { open, readFile, type FileHandle } from 'node:fs/promises';
import { writeError } from './systemError';

const MARKER = 'modelfile-studio journal 1';

/** What a journal says: which plan the partial output belongs to, and the checksum of every finished unit. */
export interface JournalContent {
  readonly planHash: string;
  /** CRC-32 of the unit's output by unit index. */
  readonly units: ReadonlyMap<number, number>;
}

/** The record beside a partial output that lets a killed run be resumed: one line a finished unit. */
export class Journal {
  readonly path: string;
  readonly #file: FileHandle;
  #lines: string[] = [];
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** Begins a new journal, or goes on with one that was read and found to fit. */
  static async open(path: string, planHash: string, mode: 'new' | 'append'): Promise<Journal> {
    try {
      const file = await open(path, mode === 'new' ? 'wx' : 'a');
      const journal = new Journal(path, file);
      // A line that a kill cut short must not swallow the first one of this run.
      journal.#lines.push(mode === 'new' ? `${MARKER} ${planHash}\n` : '\n');
      await journal.flush();
      return journal;
    } catch (thrown) {
      throw writeError(thrown, path);
    }
  }

  /** Reads a journal; undefined when there is none or it is not ours. */
  static async read(path: string): Promise<JournalContent | undefined> {
    let text: string;
    try {
      text = await readFile(path, 'latin1');
    } catch {
      return undefined;
    }
    const [head = '', ...lines] = text.split('\n');
    if (!head.startsWith(`${MARKER} `)) {
      return undefined;
    }
    const units = new Map<number, number>();
    // The last element is empty, or a line that was cut short.
    for (const line of lines.slice(0, -1)) {
      const found = /^(\d{1,9}) (\d{1,10})$/.exec(line);
      if (found !== null) {
        units.set(Number(found[1]), Number(found[2]));
      }
    }
    return { planHash: head.slice(MARKER.length + 1), units };
  }

  /** Notes a finished unit; the line reaches the file with the next flush. */
  add(unit: number, checksum: number): void {
    this.#lines.push(`${unit} ${checksum}\n`);
  }

  /** Appends what was noted. Not forced to the disk: a resumed run checks every unit against its checksum. */
  async flush(): Promise<void> {
    const text = this.#lines.join('');
    this.#lines = [];
    if (text !== '') {
      this.#writing = this.#writing.then(async () => {
        await this.#file.appendFile(text, 'latin1');
      });
    }
    await this.#writing;
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }
}
