import { isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { StudioError, throwIfAborted } from '../../core/errors';
import { CollectedText } from '../process/collectedText';

export interface ToolRun {
  /** Undefined where it could not be started, or a signal ended it. */
  readonly exitCode: number | undefined;
  /** Standard output and standard error as they came, in one; cut at {@link RunToolOptions.most}. */
  readonly output: string;
  readonly timedOut: boolean;
}

export interface RunToolOptions {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds after which it is ended. */
  readonly timeout?: number | undefined;
  /** Which end of a long output is kept; the end of it unless given. */
  readonly keep?: 'head' | 'tail' | undefined;
  /** Characters of output that are kept. */
  readonly most?: number | undefined;
}

const MOST = 64 * 1024;
/** So long a process that was asked to end may take, then it is ended by force. */
const GRACE_MS = 1000;
const EVERY_MS = 20;
/** Processes that were killed are gone at once, but for those that nobody reaps. */
const GONE_MS = 1000;

/** What a tool needs of the environment: where home and its programs are, the language, the graphics card. No token of anybody. */
const PASSED_ON =
  /^(?:HOME|USER|LOGNAME|PATH|Path|PATHEXT|LANG|LC_\w+|TMPDIR|TEMP|TMP|USERPROFILE|LOCALAPPDATA|APPDATA|ProgramData|SystemRoot|windir|CUDA_\w+|HIP_\w+|ROCR_\w+|HSA_\w+|GGML_\w+|XDG_\w+)$/;

/**
 * Runs a program of somebody else to its end, without a shell, its arguments as they are, and with an environment that holds no
 * secrets. Whatever ends it (an abort, the time limit, or itself) ends the processes that it started too, also those that ignore a
 * polite signal; a process that made itself a session of its own is beyond reach.
 * @param program an absolute path: nothing is looked for in PATH or the working folder
 * @throws StudioError run/cancelled, when every process of the tree has ended
 */
export async function runTool(program: string, args: readonly string[], options: RunToolOptions): Promise<ToolRun> {
  if (!isAbsolute(program)) {
    throw new TypeError(`${program} is no absolute path`);
  }
  const { cwd, env = process.env, signal, timeout, keep = 'tail', most = MOST } = options;
  throwIfAborted(signal);
  const output = new CollectedText(most, keep);
  const isWindows = process.platform === 'win32';
  const child = execa(program, [...args], {
    cwd,
    env: {
      ...Object.fromEntries(Object.entries(env).filter(([name]) => PASSED_ON.test(name))),
      NoDefaultCurrentDirectoryInExePath: '1',
    },
    extendEnv: false,
    stdin: 'ignore',
    buffer: false,
    // A group of its own: a signal to it reaches what the tool starts.
    detached: !isWindows,
    cleanup: isWindows,
    preferLocal: false,
    reject: false,
    windowsHide: true,
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => output.add(text));
  }
  const { pid } = child;
  const endAtExit = (): void => {
    if (pid !== undefined && !isWindows) {
      signalGroup(pid, 'SIGKILL');
    }
  };
  process.once('exit', endAtExit);
  const end = { asked: false, timedOut: false, done: Promise.resolve() };
  const finish = (): void => {
    if (!end.asked && pid !== undefined) {
      end.asked = true;
      end.done = endTree(pid);
    }
  };
  const timer =
    timeout === undefined
      ? undefined
      : setTimeout(() => {
          end.timedOut = true;
          finish();
        }, timeout);
  signal?.addEventListener('abort', finish, { once: true });
  // What is left of the group once the tool itself has ended would hold its pipes open for ever.
  child.once('exit', finish);
  try {
    const { exitCode, originalMessage } = await child;
    await end.done;
    if (signal?.aborted === true) {
      throw new StudioError('run/cancelled', 'Cancelled. Every process of the tool has ended.');
    }
    if (pid === undefined) {
      output.add(originalMessage ?? '');
    }
    return { exitCode, output: output.text(), timedOut: end.timedOut };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', finish);
    process.removeListener('exit', endAtExit);
  }
}

/** Ends a process and all that it started: politely, then by force. */
async function endTree(pid: number): Promise<void> {
  if (process.platform === 'win32') {
    const taskkill = join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32', 'taskkill.exe');
    await execa(taskkill, ['/pid', String(pid), '/T', '/F'], { reject: false, stdio: 'ignore', windowsHide: true });
    return;
  }
  if (signalGroup(pid, 'SIGTERM') && !(await isGone(pid, GRACE_MS)) && signalGroup(pid, 'SIGKILL')) {
    await isGone(pid, GONE_MS);
  }
}

async function isGone(pid: number, patience: number): Promise<boolean> {
  const deadline = Date.now() + patience;
  while (signalGroup(pid, 0)) {
    if (Date.now() > deadline) {
      return false;
    }
    await sleep(EVERY_MS);
  }
  return true;
}

/** Whether the group was there to get it. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}
