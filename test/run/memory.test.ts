import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/models';
import { writeNoiseAdapter, writeNoiseModel, type NoiseModelOptions } from '../support/noiseModel';
import { startCli } from '../support/startCli';

const LIMIT = 400e6;
/** As Qwen2.5's and Qwen3's. */
const VOCABULARY = 151_936;

interface Measured {
  /** As the process tells itself. */
  readonly answered: number;
  /** As the system saw it from outside. */
  readonly seen: number;
  readonly seconds: number;
}

/** Peak memory of a build with two workers and a rank-16 adapter on all linear layers. */
async function measure(folder: string, options: NoiseModelOptions, type: string): Promise<Measured> {
  const [base, adapter, out] = [join(folder, 'base'), join(folder, 'adapter'), join(folder, 'out.gguf')];
  writeNoiseModel(base, options);
  writeNoiseAdapter(adapter, options, 16);
  const run = startCli(['build', '--base', base, '--adapter', adapter, '--type', type, '--out', out, '--workers', '2']);
  let seen = 0;
  let isRunning = true;
  void run.ended.then(() => (isRunning = false));
  while (isRunning) {
    seen = Math.max(seen, run.peakMemory());
    await sleep(20);
  }
  const { code, json, stdout, stderr } = await run.ended;
  rmSync(folder, { recursive: true, force: true });
  expect(code, stdout + stderr).toBe(0);
  return { answered: Number(json['peakMemoryBytes']), seen, seconds: Number(json['seconds']) };
}

describe('W12 peak resident memory with two workers', () => {
  const folder = temporaryFolder();
  const peaks: number[] = [];

  const MODELS: readonly (readonly [string, NoiseModelOptions, string])[] = [
    [
      '2.5 GB of bf16 noise',
      { hidden: 2048, feedForward: 6144, layers: 16, vocabulary: VOCABULARY, shardBytes: 5e8 },
      'Q4_K_M',
    ],
    [
      '8.4 GB of bf16 in sparse shards',
      { hidden: 3072, feedForward: 9216, layers: 29, vocabulary: VOCABULARY, shardBytes: 2e9, sparse: true },
      'Q4_0',
    ],
  ];

  it.each(MODELS)('%s: at most 400 MB', { timeout: 400_000 }, async (name, options, type) => {
    const { answered, seen, seconds } = await measure(join(folder, type), options, type);
    console.log(
      `${name}: peak ${(answered / 1e6).toFixed(0)} MB, ${(seen / 1e6).toFixed(0)} MB from outside, ${seconds.toFixed(0)} s`,
    );
    expect(answered).toBeGreaterThan(50e6);
    expect(answered).toBeLessThanOrEqual(LIMIT);
    if (process.platform === 'linux') {
      expect(seen).toBeLessThanOrEqual(LIMIT);
      // What the process tells of itself is what the system counts.
      expect(Math.abs(seen - answered)).toBeLessThan(0.1 * answered);
    }
    peaks.push(answered);
  });

  it('does not grow with the model', () => {
    expect(peaks).toHaveLength(MODELS.length);
    expect(peaks[1]! / peaks[0]!).toBeLessThan(1.1);
  });
});
