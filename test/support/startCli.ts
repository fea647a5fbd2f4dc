import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLI, type CliRun } from './cli';

/** A command line that is still running. */
export interface StartedCli {
  readonly child: ChildProcess;
  readonly ended: Promise<CliRun>;
  /** Largest resident memory so far, in bytes, as Linux counts it; 0 elsewhere and after the end. */
  peakMemory(): number;
}

export function startCli(
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly uid?: number;
    readonly env?: NodeJS.ProcessEnv;
    /** Another Node than this one, and another bundle. */
    readonly node?: string;
    readonly script?: string;
  } = {},
): StartedCli {
  const { node = process.execPath, script = CLI, ...how } = options;
  const child = spawn(node, [script, ...args, '--json'], { ...how, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<CliRun>((resolve) => {
    child.on('close', (code, signal) => {
      let json: Record<string, unknown> = {};
      try {
        json = JSON.parse(stdout) as Record<string, unknown>;
      } catch {
        // Killed before it answered.
      }
      resolve({ code, signal, stdout, stderr, json });
    });
  });
  return {
    child,
    ended,
    peakMemory: () => {
      try {
        return (
          Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8'))?.[1] ?? 0) * 1024
        );
      } catch {
        return 0;
      }
    },
  };
}

/** Resolves when `condition` holds; fails with `what` after `timeout` milliseconds. */
export async function until(condition: () => boolean, what: string, timeout = 20_000): Promise<void> {
  const deadline = Date.now() + timeout;
  while (!condition()) {
    if (Date.now() > deadline) {
      throw new Error(`waited in vain: ${what}`);
    }
    await sleep(5);
  }
}

/** The code of a refused command's one JSON answer. */
export function errorCode(run: CliRun): string {
  return String((run.json['error'] as { code?: unknown } | undefined)?.code);
}
