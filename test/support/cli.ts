import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
export const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url));
export const GOLDENS = fileURLToPath(new URL('../golden', import.meta.url));

export interface CliRun {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly json: Record<string, unknown>;
}

/** Runs the bundled command line as a user's shell would; never throws for a non-zero exit. */
export function runCli(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv; readonly timeout?: number } = {},
): Promise<CliRun> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [CLI, ...args],
      { ...options, maxBuffer: 1 << 28, encoding: 'utf8' },
      (_error, stdout, stderr) => {
        let json: Record<string, unknown> = {};
        try {
          json = JSON.parse(stdout) as Record<string, unknown>;
        } catch {
          // Text output, or none.
        }
        resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr, json });
      },
    );
  });
}

/** As runCli, with --json; fails with the command's own words when it is refused. */
export async function runCliOk(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Record<string, unknown>> {
  const run = await runCli([...args, '--json'], options);
  if (run.code !== 0) {
    throw new Error(`${args.join(' ')} exited ${String(run.code)}: ${run.stdout}${run.stderr}`);
  }
  return run.json;
}
