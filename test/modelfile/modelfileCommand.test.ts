import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FIXTURES, runCli } from '../support/cli';

const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
const base = join(FIXTURES, 'rugby/base');

describe('modelfile', () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('writes what Ollama reads back, with the template, its stop and the paths', async () => {
    const out = join(folder, 'Modelfile');
    const run = await runCli([
      'modelfile',
      '--base',
      base,
      '--adapter',
      join(FIXTURES, 'rugby/lora'),
      '--system',
      'Be "short".\nReally.',
      '--out',
      out,
      '--json',
    ]);
    expect(run.json).toMatchObject({ ok: true, output: out, choice: { exact: true } });
    expect(readFileSync(out, 'utf8')).toBe(run.json['modelfile']);
    const { json } = await runCli(['parse', out, '--json']);
    const [{ commands }] = json['files'] as [{ commands: { name: string; args: string }[] }];
    expect(commands.filter(({ name }) => name !== 'template')).toEqual([
      { name: 'model', args: base },
      { name: 'adapter', args: join(FIXTURES, 'rugby/lora') },
      { name: 'system', args: 'Be "short".\nReally.' },
      { name: 'stop', args: '<|im_end|>' },
    ]);
  });

  it('leaves a file that is there alone, unless it may replace it', async () => {
    const out = join(folder, 'Taken');
    writeFileSync(out, 'mine');
    const refused = await runCli(['modelfile', '--base', base, '--out', out, '--json']);
    expect(refused.code).toBe(1);
    expect(refused.json).toMatchObject({ ok: false, error: { code: 'output/exists' } });
    expect(readFileSync(out, 'utf8')).toBe('mine');
    expect((await runCli(['modelfile', '--base', base, '--out', out, '--force', '--json'])).code).toBe(0);
    expect(readFileSync(out, 'utf8')).toMatch(/^FROM /);
  });

  it('writes nothing without --out, and nothing for what is no model', async () => {
    expect((await runCli(['modelfile', '--base', base])).stdout).toMatch(/^FROM [\s\S]*PARAMETER stop/);
    const missing = await runCli([
      'modelfile',
      '--base',
      join(folder, 'nowhere'),
      '--out',
      join(folder, 'none'),
      '--json',
    ]);
    expect(missing.code).toBe(1);
    expect(missing.json).toMatchObject({ error: { code: 'input/missing' } });
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});
