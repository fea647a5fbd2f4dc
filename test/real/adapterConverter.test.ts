import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AdapterType } from '../../src/core/engine/planAdapterGguf';
import { CONVERTER_SOURCE, findConverter } from '../../scripts/install/installConverter.mjs';
import { writeAdapterGguf } from '../support/adapterGguf';
import { FIXTURES } from '../support/cli';
import { describeGguf } from '../support/describeGguf';
import { makeModel, temporaryFolder } from '../support/models';

const python = findConverter() ?? '';
const SCRIPT = join(CONVERTER_SOURCE, 'convert_lora_to_gguf.py');
const reason =
  python === '' ? "llama.cpp's converter is not installed (node scripts/install/installConverter.mjs)." : '';

describe.skipIf(reason !== '')(
  `convert_lora_to_gguf.py itself${reason === '' ? '' : `: skipped. ${reason} Its recorded results are compared in npm test.`}`,
  () => {
    const work = temporaryFolder();

    it.each<readonly [string, AdapterType]>([
      ['rugby', 'F16'],
      ['rugby', 'Q8_0'],
      ['llama3', 'F32'],
      ['mixtral', 'BF16'],
    ])(
      '%s as %s: the same tensors, byte for byte',
      async (name, type) => {
        const folder = name === 'rugby' ? join(work, 'rugby') : makeModel(name, work);
        if (name === 'rugby') {
          cpSync(join(FIXTURES, 'rugby', 'base'), join(folder, 'base'), { recursive: true });
          cpSync(join(FIXTURES, 'rugby', 'lora'), join(folder, 'lora'), { recursive: true });
        }
        const theirs = join(work, `${name}.theirs.gguf`);
        const run = spawnSync(
          python,
          [
            SCRIPT,
            join(folder, 'lora'),
            '--base',
            join(folder, 'base'),
            '--outtype',
            type.toLowerCase(),
            '--outfile',
            theirs,
          ],
          { encoding: 'utf8' },
        );
        expect(run.status, run.stderr).toBe(0);
        const ours = join(work, `${name}.ours.gguf`);
        await writeAdapterGguf({
          adapter: { path: join(folder, 'lora'), weight: 1 },
          base: join(folder, 'base'),
          type,
          output: ours,
        });
        const tensors = (path: string): unknown[] =>
          describeGguf(path)
            .tensors.map(({ name: tensor, shape, type: stored, sha256 }) => [tensor, shape, stored, sha256])
            .sort();
        expect(tensors(ours)).toEqual(tensors(theirs));
        const key = (path: string, wanted: string): unknown =>
          describeGguf(path).metadata.find((entry) => entry.key === wanted)?.value;
        for (const wanted of [
          'general.architecture',
          'general.type',
          'adapter.type',
          'adapter.lora.alpha',
          'general.quantization_version',
        ]) {
          expect(key(ours, wanted)).toEqual(key(theirs, wanted));
        }
      },
      300_000,
    );
  },
);
