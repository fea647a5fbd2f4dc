import { cpSync, readFileSync, renameSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { collectArtefacts } from '../../src/node/artefacts/scanArtefacts';
import { inspectPath } from '../../src/node/artefacts/inspectPath';
import { FIXTURES, runCliOk } from '../support/cli';
import { temporaryFolder, writeTree } from '../adapters/adapterFiles';
import { byPath } from './folders';

/** A workspace in which `build` ran with paths as people type them. */
async function builtRelatively(): Promise<string> {
  const root = writeTree(temporaryFolder(), { 'work/out/.keep': '' });
  cpSync(join(FIXTURES, 'rugby/base'), join(root, 'work/base'), { recursive: true, preserveTimestamps: true });
  cpSync(join(FIXTURES, 'rugby/lora'), join(root, 'work/lora'), { recursive: true, preserveTimestamps: true });
  await runCliOk(['build', '--base', 'base', '--adapter', './lora', '--type', 'Q8_0', '--out', 'out/x.gguf'], {
    cwd: join(root, 'work'),
  });
  return root;
}

describe('the record of a build that was given relative paths', () => {
  test('names them from its own folder, and holds wherever it is read from', async () => {
    const root = await builtRelatively();
    const record = JSON.parse(readFileSync(join(root, 'work/out/x.gguf.build.json'), 'utf8')) as {
      base: { path: string };
      adapters: { path: string; weightsFile: string }[];
      inputs: { path: string }[];
    };
    expect(record.base.path).toBe('../base');
    expect(record.adapters).toMatchObject([{ path: '../lora', weightsFile: '../lora/adapter_model.safetensors' }]);
    expect(record.inputs.map(({ path }) => path).sort()).toEqual([
      '../base/model.safetensors',
      '../lora/adapter_model.safetensors',
    ]);
    for (const cwd of [root, join(root, 'work'), '/']) {
      const { artefacts } = (await runCliOk(['scan', join(root, 'work')], { cwd })) as {
        artefacts: { path: string; builtFrom?: unknown }[];
      };
      const found = artefacts.find(({ path }) => path.endsWith('x.gguf'));
      expect(found?.builtFrom).toMatchObject({ stale: false, changed: [], base: join(root, 'work/base') });
    }
    expect(await inspectPath(join(root, 'work/out/x.gguf'))).toMatchObject({ builtFrom: { stale: false } });
  });

  test('holds when the whole workspace was moved, and still sees a change', async () => {
    const root = await builtRelatively();
    renameSync(join(root, 'work'), join(root, 'moved'));
    const built = async () => byPath(await collectArtefacts([root]), root).get('moved/out/x.gguf');
    expect(await built()).toMatchObject({
      builtFrom: { stale: false, adapters: [{ path: join(root, 'moved/lora'), weight: 1 }] },
      base: { path: join(root, 'moved/base') },
    });
    utimesSync(join(root, 'moved/lora/adapter_model.safetensors'), new Date(), new Date(Date.now() + 60_000));
    expect((await built())?.builtFrom).toMatchObject({
      stale: true,
      changed: [join(root, 'moved/lora/adapter_model.safetensors')],
    });
  });
});
