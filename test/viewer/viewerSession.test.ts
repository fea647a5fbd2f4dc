import { appendFileSync, closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ANSWERS } from '../../src/core/viewer/viewerProtocol';
import { ViewerSession, type ViewerSessionOptions } from '../../src/node/viewer/viewerSession';
import { FIXTURES, ROOT } from '../support/cli';
import { temporaryFolder } from '../support/models';

const work = temporaryFolder();
const workerScript = join(ROOT, 'dist/viewerWorker.js');
const sessions: ViewerSession[] = [];
const open = (path: string, options: Partial<ViewerSessionOptions> = {}): ViewerSession => {
  const session = new ViewerSession({ path, workerScript, ...options });
  sessions.push(session);
  return session;
};
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.close()));
});

function writeHeader(path: string, parts: readonly string[], dataBytes: number): void {
  const header = Buffer.from(`{${parts.join()}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = openSync(path, 'w');
  writeSync(file, length);
  writeSync(file, header);
  ftruncateSync(file, 8 + header.length + dataBytes);
  closeSync(file);
}

const page = { filter: '', sort: 'file', descending: false, onlyProblems: false, start: 0, count: 10 } as const;

describe('a file is read in a thread of its own', () => {
  it('and 100 GB are there within 300 ms', async () => {
    const path = join(work, 'sparse.safetensors');
    writeHeader(
      path,
      Array.from(
        { length: 500 },
        (_, index) =>
          `"model.layers.${index}.w":{"dtype":"BF16","shape":[10000,10000],"data_offsets":[${index * 2e8},${(index + 1) * 2e8}]}`,
      ),
      1e11,
    );
    let best = Infinity;
    // A busy machine gets several attempts.
    for (let attempt = 0; attempt < 6 && best >= 300; attempt++) {
      const started = performance.now();
      const summary = ANSWERS.summary.parse(await open(path).ask({ ask: 'summary' }));
      best = Math.min(best, performance.now() - started);
      expect(summary.headline).toContain('50.0 B parameters');
      expect(summary.counts.problems).toBe(0);
    }
    expect(best, 'milliseconds').toBeLessThan(300);
  });

  it('and a header of 99 MB holds nobody else up', async () => {
    const path = join(work, 'million.safetensors');
    const parts: string[] = [];
    let length = 2;
    while (length < 98_999_900) {
      const part = `"l.${parts.length}.w":{"dtype":"U8","shape":[1],"data_offsets":[${parts.length},${parts.length + 1}]}`;
      parts.push(part);
      length += part.length + 1;
    }
    writeHeader(path, parts, parts.length);
    const session = open(path);
    const delay = monitorEventLoopDelay({ resolution: 10 });
    delay.enable();
    const summary = ANSWERS.summary.parse(await session.ask({ ask: 'summary' }));
    const rows = ANSWERS.tensors.parse(
      await session.ask({ ask: 'tensors', ...page, sort: 'name', descending: true, start: 5 }),
    );
    delay.disable();
    expect(summary.counts.tensors).toBe(parts.length);
    expect(rows.rows[0]!.name).toBe(`l.${parts.length - 6}.w`);
    expect(delay.percentile(99) / 1e6, 'milliseconds of lag').toBeLessThan(100);
  });

  it('that is stopped at its deadline, and started anew by the next question', async () => {
    const path = join(FIXTURES, 'rugby/base/model.safetensors');
    const session = open(path, { deadline: 1 });
    await expect(session.ask({ ask: 'summary' })).rejects.toMatchObject({ code: 'viewer/deadline' });
    const summary = ANSWERS.summary.parse(await session.ask({ ask: 'summary' }, { deadline: 20_000 }));
    expect(summary.format).toBe('safetensors');
  });

  it('that ends with the session, and what is asked then is cancelled', async () => {
    const session = open(join(FIXTURES, 'rugby/base/model.safetensors'));
    const asked = session.ask({ ask: 'summary' });
    const outcome = expect(asked).rejects.toMatchObject({ code: 'run/cancelled' });
    await session.close();
    await outcome;
    await expect(session.ask({ ask: 'summary' })).rejects.toMatchObject({ code: 'run/cancelled' });
  });

  it('that stops one question and answers the others', async () => {
    const session = open(join(FIXTURES, 'rugby/base/model.safetensors'));
    const abort = new AbortController();
    const stopped = expect(session.ask({ ask: 'adapter' }, { signal: abort.signal })).rejects.toMatchObject({
      code: 'run/cancelled',
    });
    const other = session.ask({ ask: 'summary' });
    abort.abort();
    await stopped;
    expect(ANSWERS.summary.parse(await other).counts.tensors).toBeGreaterThan(10);
  });

  it('whose refusals arrive as typed errors', async () => {
    const path = join(work, 'empty.gguf');
    writeFileSync(path, '');
    await expect(open(path).ask({ ask: 'summary' })).rejects.toMatchObject({ code: 'input/empty' });
    await expect(open(join(work, 'nowhere.gguf')).ask({ ask: 'summary' })).rejects.toMatchObject({
      code: 'input/missing',
    });
  });

  it('and reads a file anew after it changed', async () => {
    const path = join(work, 'grows.safetensors');
    writeHeader(path, ['"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'], 1);
    const session = open(path);
    expect(ANSWERS.summary.parse(await session.ask({ ask: 'summary' })).counts.problems).toBe(0);
    appendFileSync(path, 'more');
    await session.reload();
    expect(ANSWERS.summary.parse(await session.ask({ ask: 'summary' })).counts.problems).toBe(1);
  });
});
