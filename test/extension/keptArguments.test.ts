import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { keptArguments } from '../../src/extension/plans/keptArguments';

it('files that a run keeps never take the place of those of an earlier run', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-kept-'));
  try {
    const modelfile = join(folder, 'rugby.Modelfile');
    const keep = { args: ['--out-modelfile', modelfile], modelfile };
    expect(await keptArguments(keep)).toEqual(keep.args);
    writeFileSync(modelfile, 'FROM x');
    expect(await keptArguments(keep)).toEqual(['--out-modelfile', join(folder, 'rugby-2.Modelfile')]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
