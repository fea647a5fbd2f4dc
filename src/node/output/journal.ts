import { lstat, open, readFile, unlink, type FileHandle } from 'node:fs/promises';
import { writeError } from '../files/systemError';

const MARKER = 'modelfile-studio journal 2';

/** A longer file is no journal of ours: a line has at most 24 bytes, a unit a million weights. */
const MAX_BYTES = 64 * 1024 * 1024;

/** What an earlier run noted of one unit. */
export interface FinishedUnit {
  /** CRC-32 of its output. */
  readonly checksum: number;
  /** Whether it holds NaN or infinite values, so that a resumed run warns as the first would have. */
  readonly nonFinite: boolean;
}

/** What a journal says: which plan the partial output belongs to, and the checksum of every finished unit. */
export interface JournalContent {
  readonly planHash: string;
  /** By unit index. */
  readonly units: ReadonlyMap<number, FinishedUnit>;
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

  /**
   * Begins a new journal, or goes on with one that was read and found to fit.
   * @throws StudioError output/…, disk/…; a new journal that could not be begun is removed
   */
  static async open(path: string, planHash: string, mode: 'new' | 'append'): Promise<Journal> {
    let file: FileHandle | undefined;
    try {
      file = await open(path, mode === 'new' ? 'wx' : 'a');
      const journal = new Journal(path, file);
      // A line that a kill cut short must not swallow the first one of this run.
      journal.#lines.push(mode === 'new' ? `${MARKER} ${planHash}\n` : '\n');
      await journal.flush();
      // Without its first line a partial output could not be told from somebody else's after a power cut.
      await file.sync();
      return journal;
    } catch (thrown) {
      if (file !== undefined) {
        await file.close().catch(() => undefined);
        await (mode === 'new' ? unlink(path).catch(() => undefined) : undefined);
      }
      throw writeError(thrown, path);
    }
  }

  /**
   * Reads a journal. Undefined when there is none, `unfinished` when a kill fell between its creation and its first line
   * (such a file is empty or holds the beginning of that line), `foreign` when it is not ours.
   */
  static async read(path: string): Promise<JournalContent | 'unfinished' | 'foreign' | undefined> {
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined) {
      return undefined;
    }
    // Anything but a file could make the read wait for ever.
    const text =
      found.isFile() && found.size <= MAX_BYTES ? await readFile(path, 'latin1').catch(() => undefined) : undefined;
    if (text === undefined) {
      return 'foreign';
    }
    const [head = '', ...lines] = text.split('\n');
    const planHash = head.startsWith(`${MARKER} `) ? head.slice(MARKER.length + 1) : '';
    if (
      lines.length === 0 &&
      (`${MARKER} `.startsWith(head) || (planHash.length < 65 && /^[0-9a-f]+$/.test(planHash)))
    ) {
      return 'unfinished';
    }
    return /^[0-9a-f]{64}$/.test(planHash) ? { planHash, units: parseUnits(lines) } : 'foreign';
  }

  /** Notes a finished unit; the line reaches the file with the next flush. */
  add(unit: number, { checksum, nonFinite }: FinishedUnit): void {
    this.#lines.push(`${unit} ${checksum}${nonFinite ? ' !' : ''}\n`);
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

/** The last element of `lines` is empty, or a line that was cut short. */
function parseUnits(lines: readonly string[]): Map<number, FinishedUnit> {
  const units = new Map<number, FinishedUnit>();
  for (const line of lines.slice(0, -1)) {
    const found = /^(\d{1,9}) (\d{1,10})( !)?$/.exec(line);
    if (found !== null) {
      units.set(Number(found[1]), { checksum: Number(found[2]), nonFinite: found[3] !== undefined });
    }
  }
  return units;
}
