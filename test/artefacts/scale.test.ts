import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Artefact } from '../../src/core/artefacts/artefact';
import type { ArtefactFiles } from '../../src/core/artefacts/artefactFiles';
import { scanFolders, type ScanProgress } from '../../src/core/artefacts/scanFolders';
import { nodeArtefactFiles } from '../../src/node/artefacts/artefactFiles';
import { inspectPaths } from '../../src/node/artefacts/inspectPath';
import { buildGguf, textKey, tokensKey } from '../hostile/ggufBuilder';
import { below, model, peft, safetensorsBytes, temporaryFolder, trainerFiles, writeTree } from './folders';

/** Reads are counted; anything past a file's header is a mistake. */
function counting(headers: ReadonlyMap<string, number>): {
  readonly files: ArtefactFiles;
  readonly deep: string[];
  readonly opened: Map<string, number>;
  bytes: number;
} {
  const real = nodeArtefactFiles();
  const count = { deep: [] as string[], opened: new Map<string, number>(), bytes: 0, files: real };
  count.files = {
    ...real,
    open: async (path, listed) => {
      const source = await real.open(path, listed);
      count.opened.set(path, (count.opened.get(path) ?? 0) + 1);
      return {
        size: source.size,
        close: () => source.close(),
        read: async (offset, target) => {
          const end = Math.min(offset + target.length, source.size);
          // Headers are read in windows of 4 KB (safetensors: exactly), those of GGUF in windows of 64 KB.
          const window = path.endsWith('.gguf') ? 65_536 : 4096;
          if (end > Math.max(window, headers.get(path) ?? source.size)) {
            count.deep.push(`${path} ${offset}+${target.length}`);
          }
          count.bytes += end - offset;
          return await source.read(offset, target);
        },
      };
    },
  };
  return count;
}

async function drain(
  scan: AsyncGenerator<ScanProgress, Artefact[]>,
): Promise<{ readonly artefacts: Artefact[]; readonly last: ScanProgress | undefined }> {
  let last: ScanProgress | undefined;
  for (let step = await scan.next(); ; step = await scan.next()) {
    if (step.done === true) {
      return { artefacts: step.value, last };
    }
    last = step.value;
  }
}

test('10,000 files: headers only, each file once, in the time that the machine needs for it', async () => {
  const folder = temporaryFolder();
  const headers = new Map<string, number>();
  const weights = peft()['adapter_model.safetensors'] as Buffer;
  // 64 KB of values behind the header: deep reads would show.
  const heavy = safetensorsBytes({
    'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight': [8, 32],
    'base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight': [64, 8],
    'base_model.model.lm_head.weight': [512, 32],
  });
  const gguf = buildGguf({
    keys: [
      textKey('general.architecture', 'qwen3'),
      tokensKey(Array.from({ length: 500 }, (_, index) => `token ${index}`)),
    ],
    tensors: [{ name: 'a.weight', dimensions: [1_000_000n] }],
  });
  writeTree(folder, below('base', model()));
  const small = trainerFiles(5);
  let files = 4;
  for (let run = 0; files < 10_000; run++) {
    const path = join(folder, `run-${run >> 4}`, `checkpoint-${run}`);
    mkdirSync(path, { recursive: true });
    const bytes = run % 50 === 0 ? heavy : weights;
    writeFileSync(join(path, 'adapter_model.safetensors'), bytes);
    headers.set(join(path, 'adapter_model.safetensors'), 8 + Number(bytes.readBigUInt64LE(0)));
    writeFileSync(join(path, 'adapter_config.json'), JSON.stringify(peft()['adapter_config.json']));
    writeFileSync(join(path, 'trainer_state.json'), JSON.stringify(small['trainer_state.json']));
    for (const name of ['scheduler.pt', 'training_args.bin']) {
      writeFileSync(join(path, name), small[name] as Buffer);
    }
    for (const name of ['vocab.txt', 'events.log', 'notes.md', 'samples.jsonl']) {
      writeFileSync(join(path, name), 'x');
    }
    files += 9;
  }
  writeFileSync(join(folder, 'big.gguf'), gguf);
  headers.set(join(folder, 'big.gguf'), 65_536);
  headers.set(
    join(folder, 'base', 'model.safetensors'),
    8 + Number((model()['model.safetensors'] as Buffer).readBigUInt64LE(0)),
  );

  const counted = counting(headers);
  const first = await drain(scanFolders(counted.files, [folder]));
  expect(counted.deep).toEqual([]);
  expect([...counted.opened.values()].every((times) => times === 1)).toBe(true);
  expect(first.last).toMatchObject({ files: files + 1 });
  const runs = first.artefacts.filter(({ kind }) => kind === 'checkpoint');
  expect(runs.length).toBeGreaterThan(1000);
  expect(
    runs.every((run) => run.base?.path?.endsWith('base') === true || run.targets?.includes('lm_head') === true),
  ).toBe(true);
  expect(first.artefacts.find(({ kind }) => kind === 'gguf-model')?.parameters).toBe(1_000_000);

  const cpu = process.cpuUsage();
  const started = performance.now();
  await drain(scanFolders(nodeArtefactFiles(), [folder]));
  const wall = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    `scan of ${files + 1} files: ${Math.round(wall)} ms, ${Math.round((user + system) / 1000)} ms of processor time, ${counted.opened.size} files opened, ${Math.round(counted.bytes / 1000)} kB read`,
  );
  // Other work on the machine stretches the clock but not the processor time (of two cores).
  expect(Math.min(wall, (user + system) / 1000)).toBeLessThan(2000);
});

test('500 files are inspected in a few seconds', async () => {
  const folder = temporaryFolder();
  const gguf = buildGguf({
    keys: [
      textKey('general.architecture', 'qwen3'),
      tokensKey(Array.from({ length: 5000 }, (_, index) => `token ${index}`)),
    ],
    tensors: Array.from({ length: 300 }, (_, index) => ({ name: `blk.${index}.weight`, dimensions: [8n] })),
  });
  const paths = Array.from({ length: 500 }, (_, index) => join(folder, `${index}.gguf`));
  paths.forEach((path) => writeFileSync(path, gguf));
  const started = performance.now();
  const answers = await inspectPaths(paths);
  const wall = performance.now() - started;
  console.log(`inspect of 500 GGUFs: ${Math.round(wall)} ms`);
  expect(answers.map((answer) => answer.path)).toEqual(paths);
  expect(answers.every((answer) => answer.ok)).toBe(true);
  expect(wall).toBeLessThan(10_000);
});
