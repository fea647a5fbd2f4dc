import { closeSync, lstatSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { StudioError } from '../../core/errors';
import { systemCode, writeError } from '../files/systemError';

const MARKER = 'modelfile-studio lock';

interface LockContent {
  readonly marker: typeof MARKER;
  readonly pid: number;
  /** When that process started, as far as the system tells; guards against a reused pid. */
  readonly started: string;
}

/** A held lock: only its holder may write the output that it guards. */
export interface OutputLock {
  release(): Promise<void>;
}

const ATTEMPTS = 3;
/** Two runs that reclaim one stale lock at once: the one whose lock was taken away notices within this time. */
const SETTLE = 100;
/** A lock is written the moment it is created; one that is still empty after this time was left by a crash. */
const EMPTY_AGE = 2000;
/** A lock of ours is far smaller. */
const MAX_BYTES = 4096;

/**
 * Takes the lock file of an output, reclaiming one whose process is gone.
 * @throws StudioError output/busy while another process holds it; output/…, disk/… where none can be made
 */
export async function acquireLock(output: string): Promise<OutputLock> {
  const path = `${output}.lock`;
  const content: LockContent = { marker: MARKER, pid: process.pid, started: startOf(process.pid) };
  const text = JSON.stringify(content);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (!create(path, text)) {
      reclaim(path, output);
      continue;
    }
    if (attempt > 0) {
      await sleep(SETTLE);
      if (read(path) !== text) {
        throw busy(output, path);
      }
    }
    return { release: () => unlink(path).catch(() => undefined) };
  }
  throw busy(output, path);
}

/** True while a living process holds the lock of `output`; nothing is changed. */
export function isHeld(output: string): boolean {
  const text = read(`${output}.lock`);
  const content = text === undefined ? undefined : parse(text);
  return content !== undefined && alive(content.pid) && startOf(content.pid) === content.started;
}

/** False when there is one. Synchronous, so that hardly a moment lies between its creation and its content. */
function create(path: string, text: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'wx');
  } catch (thrown) {
    if (systemCode(thrown) === 'EEXIST') {
      return false;
    }
    throw writeError(thrown, path);
  }
  try {
    writeSync(file, text);
  } catch (thrown) {
    unlinkSync(path);
    throw writeError(thrown, path);
  } finally {
    closeSync(file);
  }
  return true;
}

/** Removes the lock of a process that is gone; a file that is not ours, or of a living process, stays. */
function reclaim(path: string, output: string): void {
  const text = read(path);
  if (text === undefined) {
    return;
  }
  const content = parse(text);
  const stale =
    content === undefined
      ? text === '' && ageOf(path) > EMPTY_AGE
      : !alive(content.pid) || startOf(content.pid) !== content.started;
  if (!stale) {
    throw busy(output, path, content?.pid);
  }
  try {
    unlinkSync(path);
  } catch (thrown) {
    if (systemCode(thrown) !== 'ENOENT') {
      throw busy(output, path, content?.pid);
    }
  }
}

/** The content of a lock; undefined when it is gone, something that cannot be ours as a text that does not parse. */
function read(path: string): string | undefined {
  try {
    const found = lstatSync(path);
    // Anything but a file could make the read wait for ever.
    return found.isFile() && found.size <= MAX_BYTES ? readFileSync(path, 'utf8') : 'not a lock';
  } catch (thrown) {
    return systemCode(thrown) === 'ENOENT' ? undefined : 'not a lock';
  }
}

function parse(text: string): LockContent | undefined {
  try {
    const content = JSON.parse(text) as Partial<LockContent> | null;
    return content?.marker === MARKER && Number.isInteger(content.pid) ? (content as LockContent) : undefined;
  } catch {
    return undefined;
  }
}

function ageOf(path: string): number {
  try {
    return Date.now() - lstatSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

function busy(output: string, path: string, pid?: number): StudioError {
  return new StudioError(
    'output/busy',
    `${output} is being written by another run${pid === undefined ? '' : ` (process ${pid})`}. Wait until it ends, or remove ${path} if you are sure that nothing writes there.`,
    {
      path: output,
      detail: { lock: path, pid },
    },
  );
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return systemCode(thrown) === 'EPERM';
  }
}

/**
 * Linux tells when a process started, in clock ticks since boot; elsewhere the pid alone must do. A dead process that
 * nobody has waited for yet still has its pid, but no start.
 */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? 'dead' : (fields[19] ?? '');
  } catch {
    return '';
  }
}
