import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FIXTURES, ROOT } from '../support/cli';
import { llamaOrSkip } from '../support/llama';

const leftovers = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('modelfile-studio-demo-'));

/** Without its set-up: it would install packages and build under the feet of other tests. */
function runDemo(
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(ROOT, 'scripts/demo.mjs'), '--no-set-up', ...args],
      { encoding: 'utf8' },
      (_error, stdout, stderr) => {
        resolve({ code: child.exitCode, stdout, stderr });
      },
    );
  });
}

/** The cells of the first row of answers: text that is wrapped in three columns, which begin where their titles do. */
function firstRow(stdout: string): string[] {
  const lines = stdout.split('\n');
  const header = lines.findIndex((line) => line.startsWith('Question '));
  const title = lines[header] ?? '';
  const starts = [0, title.indexOf('Base'), title.indexOf('Base + lora'), Infinity];
  const block = lines.slice(header + 2, lines.indexOf('', header + 2));
  return [0, 1, 2].map((column) =>
    block
      .map((line) => line.slice(starts[column], starts[column + 1]).trim())
      .filter((cell) => cell !== '')
      .join(' '),
  );
}

it('npm run demo shows the answers of both files, and leaves nothing behind', async (context) => {
  llamaOrSkip(context);
  const before = leftovers();
  const { code, stdout, stderr } = await runDemo([]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const expected = JSON.parse(readFileSync(join(FIXTURES, 'rugby/expected.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  const question = 'How big is a rugby league field?';
  expect(firstRow(stdout)).toEqual([question, expected['base']?.[question], expected['lora']?.[question]]);
  expect(stdout).toContain('2 of 3 answers changed');
  // A pipe gets no colours.
  expect(stdout).not.toContain('\u001b');
  expect(leftovers()).toEqual(before);
});

it('npm run demo says what is wrong', async () => {
  const unknown = await runDemo(['--adapter', 'nope']);
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain('test/fixtures/rugby/nope does not exist');
  const usage = await runDemo(['--bogus']);
  expect(usage.code).toBe(2);
});
