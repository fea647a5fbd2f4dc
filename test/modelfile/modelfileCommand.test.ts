import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { FIXTURES, runCli, runCliOk } from '../support/cli';

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

  it('takes the licence of the card and the licence files of a folder, and what a GGUF names', async () => {
    const licensed = join(folder, 'licensed');
    cpSync(base, licensed, { recursive: true });
    writeFileSync(join(licensed, 'README.md'), '---\nlicense: apache-2.0\n---\n# A model\n');
    writeFileSync(join(licensed, 'LICENSE'), 'Apache License\n\n"As is".\n');
    const gguf = join(folder, 'licensed.gguf');
    await runCliOk(['convert', '--base', licensed, '--type', 'F16', '--out', gguf]);
    for (const [path, licences] of [
      [licensed, ['apache-2.0', 'Apache License\n\n"As is".']],
      [gguf, ['apache-2.0']],
      [base, []],
    ] as const) {
      const { modelfile } = await runCliOk(['modelfile', '--base', path]);
      const { verdict } = parseModelfile(modelfile as string);
      const held = verdict.ok ? verdict.commands.filter(({ name }) => name === 'license') : [];
      expect(
        held.map(({ args }) => args),
        path,
      ).toEqual(licences);
    }
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
