import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { verifyFile } from '../../src/node/engine/verifyFile';
import { runCli } from '../support/cli';
import { temporaryFolder } from '../support/models';
import { writeNoiseAdapter, writeNoiseModel } from '../support/noiseModel';
import { Random } from '../support/random';
import { startCli, until } from '../support/startCli';

const MODEL = { hidden: 1024, feedForward: 3072, layers: 3 };
const SEED = Number(process.env['KILL_SEED'] ?? Date.now() % 1e9);
const KILLS = 50;

const folder = temporaryFolder();
const base = join(folder, 'base');
const adapter = join(folder, 'adapter');

beforeAll(() => {
  writeNoiseModel(base, MODEL);
  writeNoiseAdapter(adapter, MODEL, 16);
});

/** SHA-256 of a file, or of all files of a folder by name. */
function hashOf(path: string): string {
  const hash = createHash('sha256');
  if (statSync(path).isFile()) {
    return hash.update(readFileSync(path)).digest('hex');
  }
  readdirSync(path)
    .sort()
    .forEach((name) => hash.update(`${name}\n`).update(readFileSync(join(path, name))));
  return hash.digest('hex');
}

function filesOf(path: string): string[] {
  return statSync(path).isFile()
    ? [path]
    : readdirSync(path)
        .filter((name) => name.endsWith('.safetensors'))
        .map((name) => join(path, name));
}

/** What a kill left is a whole result that only lacks its name, or nothing that any reader takes for a model. */
async function expectNoHalfModel(partial: string, whole: string): Promise<boolean> {
  for (const file of filesOf(partial)) {
    const head = readFileSync(file).subarray(0, 8);
    const { ok } = await verifyFile(file);
    if (ok) {
      expect(hashOf(file)).toBe(hashOf(statSync(whole).isFile() ? whole : join(whole, file.slice(partial.length + 1))));
      return true;
    }
    expect(
      head.every((byte) => byte === 0),
      `${file} begins like a model`,
    ).toBe(true);
  }
  return false;
}

interface Tally {
  killed: number;
  early: number;
  sealed: number;
  finished: number;
  resumed: number;
}

/** Starts `args` and kills it, over and over, then lets it end: always the bytes of an undisturbed run. */
async function killAndResume(
  args: readonly string[],
  out: string,
  whole: string,
  kills: number,
  time: number,
  random: Random,
): Promise<Tally> {
  const tally: Tally = { killed: 0, early: 0, sealed: 0, finished: 0, resumed: 0 };
  const partial = `${out}.partial`;
  const expected = hashOf(whole);
  for (let kill = 0; kill < kills; kill++) {
    const before = existsSync(partial);
    const run = startCli([...args, '--out', out]);
    // Before some tenths of a second there is only Node starting.
    await sleep(time * (0.1 + 0.9 * random.next()));
    run.child.kill('SIGKILL');
    const { code, json } = await run.ended;
    if (existsSync(out)) {
      // The rename is the last step but one: whatever stands there is whole.
      expect(hashOf(out)).toBe(expected);
      tally.finished++;
      tally.resumed += Number(json['resumedUnits'] ?? 0) > 0 ? 1 : 0;
      expect(before || code === 0 || code === null).toBe(true);
      rmSync(out, { recursive: true });
      rmSync(`${out}.build.json`, { force: true });
      continue;
    }
    expect(code).toBeNull();
    tally.killed++;
    if (existsSync(partial)) {
      tally.sealed += (await expectNoHalfModel(partial, whole)) ? 1 : 0;
    } else {
      tally.early++;
    }
  }
  // One kill well within the work, so that the last run has something to go on with.
  if (!existsSync(partial)) {
    const run = startCli([...args, '--out', out]);
    await sleep(time * 0.6);
    run.child.kill('SIGKILL');
    await run.ended;
  }
  const last = await runCli([...args, '--out', out, '--json', ...(existsSync(out) ? ['--force'] : [])]);
  expect(last.code, last.stdout).toBe(0);
  expect(hashOf(out)).toBe(expected);
  const left = readdirSync(join(out, '..')).filter((name) => /\.(partial|lock|journal|replaced)/.test(name));
  expect(left).toEqual([]);
  return tally;
}

async function timed(args: readonly string[], out: string): Promise<number> {
  const started = performance.now();
  const run = await runCli([...args, '--out', out, '--json']);
  expect(run.code, run.stdout).toBe(0);
  return performance.now() - started;
}

describe(`W1 W6 kill -9 at any moment (KILL_SEED=${SEED})`, () => {
  const random = new Random(SEED);

  it(`build: ${KILLS} kills`, { timeout: 300_000 }, async () => {
    const args = ['build', '--base', base, '--adapter', adapter, '--type', 'Q4_K_M', '--workers', '2'];
    const whole = join(folder, 'whole.gguf');
    const time = await timed(args, whole);
    const tally = await killAndResume(args, join(folder, 'killed.gguf'), whole, KILLS, time, random);
    console.log(`build of ${time.toFixed(0)} ms, seed ${SEED}: ${JSON.stringify(tally)}`);
    expect(tally.killed).toBeGreaterThan(KILLS / 4);
  });

  it('fuse: 15 kills', { timeout: 200_000 }, async () => {
    const args = ['fuse', '--base', base, '--adapter', adapter, '--workers', '2'];
    const whole = join(folder, 'whole');
    const time = await timed(args, whole);
    const tally = await killAndResume(args, join(folder, 'killed'), whole, 15, time, random);
    console.log(`fuse of ${time.toFixed(0)} ms, seed ${SEED}: ${JSON.stringify(tally)}`);
    expect(tally.killed).toBeGreaterThan(3);
  });

  it(
    'fuse --force over an older folder: the old or the new one stands there, whole',
    { timeout: 200_000 },
    async () => {
      const args = ['fuse', '--base', base, '--adapter', adapter, '--workers', '2', '--force'];
      const whole = join(folder, 'whole');
      const out = join(folder, 'replaced');
      const old = await runCli(['fuse', '--base', base, '--adapter', `${adapter}=0.5`, '--out', out, '--json']);
      expect(old.code, old.stdout).toBe(0);
      const time = await timed(args, join(folder, 'timing'));
      const allowed = new Set([hashOf(out), hashOf(whole)]);
      for (let kill = 0; kill < 12; kill++) {
        const run = startCli([...args, '--out', out]);
        await sleep(time * (0.5 + 0.7 * random.next()));
        run.child.kill('SIGKILL');
        await run.ended;
        if (existsSync(out)) {
          expect(allowed).toContain(hashOf(out));
        } else {
          // Killed between two renames: the old one waits beside the journal for the next start.
          expect(existsSync(`${out}.partial.replaced`)).toBe(true);
        }
      }
      const last = await runCli([...args, '--out', out, '--json']);
      expect(last.code, last.stdout).toBe(0);
      expect(hashOf(out)).toBe(hashOf(whole));
      expect(readdirSync(folder).filter((name) => name.startsWith('replaced.'))).toEqual(['replaced.build.json']);
    },
  );
});

describe('resuming', () => {
  const args = ['build', '--base', base, '--adapter', adapter, '--workers', '2'];
  const out = join(folder, 'again.gguf');
  let hash: string;

  beforeAll(async () => {
    await timed([...args, '--type', 'Q4_K_M'], out);
    hash = hashOf(out);
    rmSync(out);
  });

  async function interrupt(): Promise<void> {
    const run = startCli([...args, '--type', 'Q4_K_M', '--out', out]);
    await until(
      () =>
        existsSync(`${out}.partial.journal`) && readFileSync(`${out}.partial.journal`, 'latin1').split('\n').length > 4,
      'some units are noted',
    );
    run.child.kill('SIGKILL');
    await run.ended;
    expect(existsSync(`${out}.partial`), 'the run was too fast to be killed').toBe(true);
  }

  async function finish(type: string): Promise<number> {
    const run = await runCli([...args, '--type', type, '--out', out, '--json']);
    expect(run.code, run.stdout).toBe(0);
    return Number(run.json['resumedUnits'] ?? 0);
  }

  afterEach(() => {
    rmSync(out, { force: true });
  });

  it('goes on where the killed run stopped, and says so', async () => {
    await interrupt();
    expect(await finish('Q4_K_M')).toBeGreaterThan(0);
    expect(hashOf(out)).toBe(hash);
  });

  it('begins anew for another plan', async () => {
    await interrupt();
    expect(await finish('Q8_0')).toBe(0);
    expect(hashOf(out)).not.toBe(hash);
  });

  it('begins anew when an input was touched', async () => {
    await interrupt();
    utimesSync(join(base, 'model.safetensors'), new Date(), new Date());
    expect(await finish('Q4_K_M')).toBe(0);
    expect(hashOf(out)).toBe(hash);
  });

  it('makes units again whose bytes are not what the journal says, and reads a torn journal', async () => {
    await interrupt();
    const journal = readFileSync(`${out}.partial.journal`, 'latin1');
    const file = openSync(`${out}.partial`, 'r+');
    const { size } = statSync(`${out}.partial`);
    // All data but the first sixteenth is damaged, one byte in each KiB.
    for (let at = Math.floor(size / 16); at < size; at += 1024) {
      writeSync(file, Uint8Array.of(0x5a), 0, 1, at);
    }
    closeSync(file);
    writeFileSync(`${out}.partial.journal`, `${journal}\n999999999 1\n7 99999999999999\nnonsense\n3 12`);
    await finish('Q4_K_M');
    expect(hashOf(out)).toBe(hash);
  });

  it('remembers that a finished part held NaN', async () => {
    // The warning belongs to the result, whichever run saw the values.
    const damaged = join(folder, 'damaged');
    writeNoiseModel(damaged, MODEL);
    const header = Number(readFileSync(join(damaged, 'model.safetensors')).readBigUInt64LE(0)) + 8;
    const file = openSync(join(damaged, 'model.safetensors'), 'r+');
    writeSync(file, Uint8Array.of(0xc0, 0x7f), 0, 2, header);
    closeSync(file);
    const command = ['build', '--base', damaged, '--type', 'BF16', '--workers', '1', '--out', out, '--json'];
    const run = startCli(command.slice(0, -1));
    await until(
      () =>
        existsSync(`${out}.partial.journal`) && /^\d+ \d+ !$/m.test(readFileSync(`${out}.partial.journal`, 'latin1')),
      'the damaged unit is noted',
    );
    run.child.kill('SIGKILL');
    const killed = await run.ended;
    const resumed = killed.code === 0 ? killed : await runCli(command);
    expect(JSON.stringify(resumed.json['warnings']), resumed.stdout).toContain('token_embd.weight holds NaN');
  });

  it.each([
    ['an empty journal', ''],
    ['half a first line', 'modelfile-studio jour'],
    ['a line without its end', `modelfile-studio journal 2 ${'a'.repeat(30)}`],
  ])('a kill at the very start that left %s does not block the next start', async (_what, text) => {
    writeFileSync(`${out}.partial.journal`, text);
    expect(await finish('Q4_K_M')).toBe(0);
    expect(hashOf(out)).toBe(hash);
    expect(existsSync(`${out}.partial.journal`)).toBe(false);
  });
});
