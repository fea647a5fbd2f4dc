import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../../src/core/progress';
import { createModel, type CreatedModel } from '../../../src/node/create/createModel';
import { hashFile } from '../../../src/node/files/hashFile';
import type { OllamaClient } from '../../../src/node/ollama/ollamaClient';
import { FIXTURES, ROOT, runCli, runCliOk } from '../../support/cli';
import { collect, rejection } from '../../support/collect';
import { findRealOllama, NO_LLAMA, NO_OLLAMA, RealOllama } from '../../support/realOllama';
import { startCli } from '../../support/startCli';

const BASE = join(FIXTURES, 'rugby/base');
const ollama = await findRealOllama();
const reason = ollama === undefined ? NO_OLLAMA : ollama.runsModels ? '' : NO_LLAMA;

/** A file system of that many megabytes; undefined where this user may not mount one. */
function mountSmallDisk(megabytes: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-disk-'));
  const mounted =
    process.platform === 'linux' &&
    spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder], { stdio: 'ignore' }).status === 0;
  if (!mounted) {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  return folder;
}

describe.skipIf(reason !== '')(`faults of a real Ollama${reason === '' ? '' : `: skipped. ${reason}`}`, () => {
  let folder: string;
  let large: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
    large = join(folder, 'large.gguf');
    await runCliOk(['convert', '--base', BASE, '--type', 'F32', '--out', large]);
    writeFileSync(join(folder, 'Modelfile'), `FROM ${large}\n`);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const create = (
    client: OllamaClient,
    signal = new AbortController().signal,
  ): AsyncGenerator<EngineEvent, CreatedModel> =>
    createModel(
      {
        name: 'm',
        modelfile: new TextEncoder().encode(`FROM ${large}\n`),
        path: join(folder, 'Modelfile'),
        force: false,
      },
      { client, signal, workers: 1, workerScript: join(ROOT, 'dist/worker.js') },
    );
  const names = async (client: OllamaClient): Promise<readonly string[]> =>
    (await client.list()).map(({ name }) => name);

  it('killed in mid-upload: a clear error, no blob, and the next run goes through', async () => {
    const server = await RealOllama.start(ollama!.path);
    try {
      const client = server.client();
      const digest = await hashFile(large);
      let killed: Promise<void> | undefined;
      const error = await rejection(
        client.uploadBlob(large, digest, { onProgress: () => void (killed ??= server.kill()) }),
      );
      await killed;
      expect(error).toMatchObject({ code: 'ollama/lost' });
      expect(error.message).toContain('run this again');
      await server.restart();
      expect(await client.hasBlob(digest)).toBe(false);
      const { result } = await collect(create(client));
      expect(result).toMatchObject({ name: 'm:latest' });
      expect(result.uploadedBytes).toBeGreaterThan(13e6);
    } finally {
      await server.stop();
    }
  });

  it('killed while it creates: the old model is what it was', async () => {
    const server = await RealOllama.start(ollama!.path);
    try {
      const client = server.client();
      await collect(create(client));
      const [before] = await client.list();
      const adapted = createModel(
        {
          name: 'm',
          modelfile: new TextEncoder().encode(`FROM ${BASE}\nADAPTER ${join(FIXTURES, 'rugby/lora')}\n`),
          path: join(folder, 'Modelfile'),
          force: true,
        },
        { client, signal: new AbortController().signal, workers: 1, workerScript: join(ROOT, 'dist/worker.js') },
      );
      let killed: Promise<void> | undefined;
      const error = await rejection(
        (async () => {
          for await (const event of adapted) {
            if (event.event === 'phase' && event.phase === 'creating') {
              killed ??= server.kill();
            }
          }
        })(),
      );
      await killed;
      expect(['ollama/lost', 'ollama/not-running']).toContain(error.code);
      await server.restart();
      expect((await client.list()).find(({ name }) => name === 'm:latest')).toMatchObject({ digest: before!.digest });
      expect(await names(client)).not.toContain('m:previous');
    } finally {
      await server.stop();
    }
  });

  it.each([
    ['in the upload', 8, 'ollama/disk-full'],
    // Ollama 0.32.15 gives llama-quantize's exit status and no reason.
    ['while it creates', 20, 'ollama/quantise'],
  ])('its disk becomes full %s', async (_when, megabytes, code) => {
    const disk = mountSmallDisk(megabytes);
    if (disk === undefined) {
      console.log('skipped: mounting a small disk needs Linux and root');
      return;
    }
    try {
      const server = await RealOllama.start(ollama!.path, { models: disk });
      try {
        const client = server.client();
        const error = await rejection(collect(create(client)));
        expect(error, error.message).toMatchObject({ code });
        expect(error.message).toMatch(/disk.*OLLAMA_MODELS/);
        expect(await names(client)).toEqual([]);
        // With room again the same server takes it: nothing half-made is in the way.
        execFileSync('mount', ['-o', 'remount,size=64m', disk]);
        expect((await collect(create(client))).result).toMatchObject({ name: 'm:latest' });
      } finally {
        await server.stop();
      }
    } finally {
      execFileSync('umount', ['-l', disk]);
      rmSync(disk, { recursive: true });
    }
  });

  it('cancelled at any moment: nothing listed, nothing left, within two seconds', async () => {
    const server = await RealOllama.start(ollama!.path);
    try {
      const client = server.client();
      const modelfile = join(folder, 'Modelfile.cancel');
      writeFileSync(modelfile, `FROM ${BASE}\nADAPTER ${join(FIXTURES, 'rugby/lora')}\nSYSTEM ${'x'.repeat(50)}\n`);
      const whole = await runCli(['create', 'whole', '-f', modelfile, '--json'], { env: server.environment });
      expect(whole.json).toMatchObject({ ok: true });
      const before = readdirSync(tmpdir()).filter((name) => name.startsWith('modelfile-studio-create-'));
      let cancelled = 0;
      process.env['OLLAMA_HOST'] = server.host;
      for (const [index, pause] of [120, 200, 280, 360, 440, 520].entries()) {
        const name = `cancelled-${index}`;
        const run = startCli(['create', name, '-f', modelfile]);
        await sleep(pause);
        const started = performance.now();
        run.child.kill('SIGINT');
        const { code } = await run.ended;
        expect(performance.now() - started).toBeLessThan(2000);
        await sleep(300);
        const listed = await names(client);
        expect(listed.filter((found) => found.includes('unfinished'))).toEqual([]);
        if (code === 130) {
          cancelled += 1;
          expect(readdirSync(tmpdir()).filter((found) => found.startsWith('modelfile-studio-create-'))).toEqual(before);
        }
      }
      expect(cancelled).toBeGreaterThan(0);
    } finally {
      delete process.env['OLLAMA_HOST'];
      await server.stop();
    }
  });

  it('what was uploaded is not sent again when only the creation failed', async () => {
    const server = await RealOllama.start(ollama!.path);
    try {
      const client = server.client();
      mkdirSync(join(folder, 'again'), { recursive: true });
      const digest = await hashFile(large);
      expect(await client.uploadBlob(large, digest)).toBe(true);
      expect(await client.uploadBlob(large, digest)).toBe(false);
      expect((await collect(create(client))).result.uploadedBytes).toBe(0);
    } finally {
      await server.stop();
    }
  });
});
