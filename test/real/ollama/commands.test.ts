import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, FIXTURES, runCli, type CliRun } from '../../support/cli';
import { findRealOllama, NO_LLAMA, NO_OLLAMA, RealOllama } from '../../support/realOllama';
import { findRealRegistry, NO_REGISTRY, RealRegistry } from '../../support/realRegistry';

const RUGBY = join(FIXTURES, 'rugby');
const EXPECTED = JSON.parse(readFileSync(join(RUGBY, 'expected.json'), 'utf8')) as Record<
  string,
  Record<string, string>
>;
const QUESTION = 'How wide is a rugby league field?';

const ollama = await findRealOllama();
const registryPath = await findRealRegistry();
const reason = ollama === undefined ? NO_OLLAMA : ollama.runsModels ? '' : NO_LLAMA;

describe.skipIf(reason !== '')(`commands on a real Ollama${reason === '' ? '' : `: skipped. ${reason}`}`, () => {
  let server: RealOllama;
  let folder: string;
  beforeAll(async () => {
    server = await RealOllama.start(ollama!.path);
    folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
    writeFileSync(
      join(folder, 'Modelfile'),
      `FROM ${join(RUGBY, 'base')}\nPARAMETER temperature 0\nPARAMETER stop <|im_end|>\n`,
    );
    writeFileSync(
      join(folder, 'Modelfile.lora'),
      `FROM ${join(RUGBY, 'base')}\nADAPTER ${join(RUGBY, 'lora')}\nPARAMETER temperature 0\n`,
    );
    expect((await cli('create', 'base', '-f', join(folder, 'Modelfile'))).json).toMatchObject({ ok: true });
    expect((await cli('create', 'rugby', '-f', join(folder, 'Modelfile.lora'))).json).toMatchObject({ ok: true });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });
  const cli = (...args: readonly string[]): Promise<CliRun> => runCli([...args, '--json'], { env: server.environment });
  const text = (...args: readonly string[]): Promise<CliRun> => runCli(args, { env: server.environment });
  const names = async (): Promise<readonly string[]> =>
    ((await cli('list')).json['models'] as readonly { name: string }[]).map(({ name }) => name);

  it('list and show', async () => {
    const { json } = await cli('list');
    expect(json['models']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          name: 'rugby:latest',
          family: 'qwen3',
          quantisation: 'BF16',
          digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        }),
      ]),
    );
    expect((await text('list')).stdout).toMatch(
      /^NAME\s+DIGEST\s+SIZE.*\n(?:.*\n)*rugby:latest\s+[0-9a-f]{12}\s+6\.6 MB\s+qwen3/m,
    );
    expect((await cli('show', 'rugby')).json).toMatchObject({ ok: true, name: 'rugby', family: 'qwen3' });
    const modelfile = (await text('show', 'rugby', '--modelfile')).stdout;
    expect(modelfile).toMatch(/^FROM /m);
    expect(modelfile).toMatch(/^PARAMETER temperature 0/m);
    expect((await cli('show', 'nope')).json).toMatchObject({ ok: false, error: { code: 'ollama/model-missing' } });
  });

  it('run: the answer, why it stopped, how fast, and the exact prompt', async () => {
    const { json } = await cli(
      'run',
      'rugby',
      QUESTION,
      '--show-prompt',
      '--system',
      'Be brief.',
      '--seed',
      '7',
      '--num-ctx',
      '256',
      '--temperature',
      '0',
    );
    expect(json).toMatchObject({ ok: true, model: 'rugby', stopReason: 'stop' });
    expect(json['prompt']).toBe(
      `<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n${QUESTION}<|im_end|>\n<|im_start|>assistant\n`,
    );
    expect(json['tokensPerSecond']).toBeGreaterThan(0);
    expect((await cli('run', 'rugby', QUESTION)).json['answer']).toBe(EXPECTED['lora']![QUESTION]);
    const shown = await text('run', 'rugby', QUESTION);
    expect(shown.stdout).toContain(`${EXPECTED['lora']![QUESTION]!}\n`);
    expect(shown.stdout).toMatch(/stopped: stop · \d+ tokens · [\d.]+ tokens\/s · prompt \d+ tokens/);
    expect((await cli('run', 'rugby', QUESTION, '--num-predict', '3')).json).toMatchObject({
      stopReason: 'length',
      tokens: 3,
    });
  });

  it('run beside another model', async () => {
    const { json } = await cli('run', 'rugby', QUESTION, '--compare-with', 'base');
    expect(json).toMatchObject({
      model: 'rugby',
      answer: EXPECTED['lora']![QUESTION],
      compared: { model: 'base', answer: EXPECTED['base']![QUESTION], same: false },
    });
    expect((await cli('run', 'base', QUESTION, '--compare-with', 'base')).json).toMatchObject({
      compared: { same: true },
    });
  });

  it('run takes its prompt from a pipe, and refuses what it cannot take', async () => {
    const child = spawn(process.execPath, [CLI, 'run', 'rugby', '--json'], {
      env: server.environment,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.stdin.end(`${QUESTION}\n`);
    let out = '';
    for await (const chunk of child.stdout) {
      out += String(chunk);
    }
    expect(JSON.parse(out)).toMatchObject({ answer: EXPECTED['lora']![QUESTION] });
    expect((await cli('run', 'rugby', 'x', '--seed', '1.5')).code).toBe(2);
    expect((await cli('run', 'rugby', 'x', '--temperature', 'warm')).code).toBe(2);
    expect((await cli('run')).code).toBe(2);
    expect((await cli('run', '../x', 'y')).code).toBe(2);
    expect((await cli('run', 'nope', 'x')).json).toMatchObject({ ok: false, error: { code: 'ollama/model-missing' } });
  });

  it('ps and unload', async () => {
    await cli('run', 'rugby', QUESTION);
    expect((await cli('ps')).json['models']).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: 'rugby:latest' })]),
    );
    const { json, code } = await cli('unload', 'rugby', 'nope');
    expect(code).toBe(1);
    expect(json['models']).toEqual([
      { name: 'rugby', ok: true },
      { name: 'nope', ok: false, error: expect.objectContaining({ code: 'ollama/model-missing' }) as unknown },
    ]);
    for (let tries = 0; tries < 50; tries += 1) {
      const loaded = ((await cli('ps')).json['models'] as readonly { name: string }[]).map(({ name }) => name);
      if (!loaded.includes('rugby:latest')) {
        return;
      }
    }
    throw new Error('rugby stayed in memory');
  });

  it('cp and rm, many at once and never unasked', async () => {
    expect((await cli('cp', 'rugby', 'me/copy:1')).json).toMatchObject({ ok: true, destination: 'me/copy:1' });
    expect((await cli('cp', 'base', 'ME/copy:1')).json).toMatchObject({
      ok: false,
      error: { code: 'ollama/model-exists' },
    });
    expect((await cli('cp', 'base', 'me/copy:1', '--force')).json).toMatchObject({ ok: true });
    expect((await cli('cp', 'nope', 'other')).json).toMatchObject({
      ok: false,
      error: { code: 'ollama/model-missing' },
    });
    const { json, code } = await cli('rm', 'nope', 'me/copy:1', 'x y');
    expect(code).toBe(1);
    expect(json['models']).toMatchObject([
      { name: 'nope', ok: false },
      { name: 'me/copy:1', ok: true },
      { name: 'x y', ok: false },
    ]);
    expect(await names()).not.toContain('me/copy:1');
    expect((await cli('rm')).code).toBe(2);
  });

  it.skipIf(registryPath === undefined)(
    `push and pull${registryPath === undefined ? `: skipped. ${NO_REGISTRY}` : ''}`,
    async () => {
      const registry = await RealRegistry.start(registryPath!);
      try {
        const name = `${registry.host}/me/rugby:v1`;
        await cli('cp', 'rugby', name);
        expect((await cli('push', name, '--insecure')).json).toEqual({ ok: true, name });
        await cli('rm', name);
        expect(await names()).not.toContain(name);
        // A base from another registry is got only when it is asked for by name.
        writeFileSync(join(folder, 'Modelfile.away'), `FROM ${name}\n`);
        expect((await cli('create', 'away', '-f', join(folder, 'Modelfile.away'))).json).toMatchObject({
          ok: false,
          error: { code: 'ollama/registry', line: 1 },
        });
        expect((await cli('pull', name, '--insecure')).json).toEqual({ ok: true, name });
        expect((await cli('run', name, QUESTION)).json['answer']).toBe(EXPECTED['lora']![QUESTION]);
        expect((await cli('create', 'away', '-f', join(folder, 'Modelfile.away'))).json).toMatchObject({
          ok: true,
          route: 'direct',
        });
        expect((await cli('pull', `${registry.host}/me/none`, '--insecure')).json).toMatchObject({
          ok: false,
          error: { code: 'ollama/model-missing' },
        });
      } finally {
        await registry.stop();
      }
    },
  );

  it('says what to do when nobody answers, and refuses a bad address', async () => {
    const away = await runCli(['list', '--json', '--host', '127.0.0.1:1'], { env: server.environment });
    expect((away.json['error'] as { code: string }).code).toMatch(/^ollama\/not-(?:running|installed)$/);
    expect((await runCli(['list', '--json', '--host', 'http://me:secret@127.0.0.1:1'])).json).toMatchObject({
      error: { code: 'ollama/address' },
    });
    expect(
      (await runCli(['list', '--json', '--host', server.host], { env: { ...process.env, OLLAMA_HOST: '127.0.0.1:1' } }))
        .json,
    ).toHaveProperty('models');
  });
});
