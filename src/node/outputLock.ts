import { readFileSync } from 'node:fs';
import { open, readFile, unlink } from 'node:fs/promises';
import { StudioError } from '../core/errors';
import { systemCode, writeError } from './systemError';

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

/**
 * Takes the lock file of an output, reclaiming one whose process is gone.
 * @throws StudioError output/busy while another process holds it
 */
export async function acquireLock(output: string): Promise<OutputLock> {
  const path = `${output}.lock`;
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = await open(path, 'wx');
      const content: LockContent = { marker: MARKER, pid: process.pid, started: startOf(process.pid) };
      await file.writeFile(JSON.stringify(content));
      await file.close();
      return { release: () => unlink(path).catch(() => undefined) };
    } catch (thrown) {
      if (systemCode(thrown) !== 'EEXIST') {
        throw writeError(thrown, path);
      }
      await reclaim(path, output);
    }
  }
  throw busy(output, path);
}

async function reclaim(path: string, output: string): Promise<void> {
  let content: LockContent;
  try {
    content = JSON.parse(await readFile(path, 'utf8')) as LockContent;
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') {
      return;
    }
    throw busy(output, path);
  }
  if (content.marker !== MARKER || (alive(content.pid) && startOf(content.pid) === content.started)) {
    throw busy(output, path, content.pid);
  }
  await unlink(path).catch(() => undefined);
}

function busy(output: string, path: string, pid?: number): StudioError {
  return new StudioError('output/busy', `${output} is being written by another run${pid === undefined ? '' : ` (process ${pid})`}. Wait until it ends, or remove ${path} if you are sure that nothing writes there.`, {
    path: output,
    detail: { lock: path, pid },
  });
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return systemCode(thrown) === 'EPERM';
  }
}

/** Linux tells when a process started, in clock ticks since boot; elsewhere the pid alone must do. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
