import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OllamaClient } from '../../../src/node/ollama/ollamaClient';
import { FIXTURES, runCli, type CliRun } from '../../support/cli';
import { splitGguf } from '../../support/splitGguf';
import { RealOllama, realOllamas } from '../../support/realOllama';

const RUGBY = join(FIXTURES, 'rugby');
const EXPECTED = JSON.parse(readFileSync(join(RUGBY, 'expected.json'), 'utf8')) as Record<
  string,
  Record<string, string>
>;
const ADAPTERS = Object.keys(EXPECTED).filter((name) => name !== 'base');
const every = await realOllamas();

describe.each(every)('create on a real Ollama $version $reason', ({ path: program, reason, version }) => {
  if (reason !== '') {
    it.skip(`skipped. ${reason}`, () => undefined);
    return;
  }

  let server: RealOllama;
  let client: OllamaClient;
  let folder: string;
  beforeAll(async () => {
    server = await RealOllama.start(program);
    client = server.client();
    folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  const create = async (name: string, modelfile: string, ...options: string[]): Promise<CliRun> => {
    const path = join(folder, 'Modelfile');
    writeFileSync(path, modelfile);
    return await runCli(['create', name, '-f', path, '--json', ...options], { env: server.environment });
  };
  const created = async (name: string, modelfile: string, ...options: string[]): Promise<Record<string, unknown>> => {
    const run = await create(name, modelfile, ...options);
    expect(run.json, run.stdout + run.stderr).toMatchObject({ ok: true });
    return run.json;
  };
  const say = async (model: string, prompt: string): Promise<string> => {
    const run = client.chat({
      model,
      messages: [{ role: 'user', content: prompt }],
      options: { temperature: 0, num_predict: 60 },
    });
    for (;;) {
      const step = await run.next();
      if (step.done === true) {
        return step.value.text;
      }
    }
  };
  const answers = async (model: string, questions: Record<string, string>): Promise<Record<string, string>> => {
    const said: Record<string, string> = {};
    for (const question of Object.keys(questions)) {
      said[question] = await say(model, question);
    }
    return said;
  };
  const fromBase = `FROM ${join(RUGBY, 'base')}\nPARAMETER temperature 0\nPARAMETER stop <|im_end|>\n`;

  it('makes the base from its folder, and says so itself', async () => {
    const json = await created('base', fromBase);
    expect(json).toMatchObject({ name: 'base:latest', route: 'build', modelfile: fromBase, warnings: [] });
    expect(json['digest']).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(typeof json['answer']).toBe('string');
    expect(await answers('base', EXPECTED['base']!)).toEqual(EXPECTED['base']);
    const shown = await client.show('base');
    expect(shown).toMatchObject({ family: 'qwen3', quantisation: 'BF16' });
    expect(shown.parameters).toMatch(/stop\s+"<\|im_end\|>"/);
    expect(shown.parameters).toMatch(/temperature\s+0/);
  });

  describe.each(ADAPTERS)('%s', (adapter) => {
    it.each([
      ['16-bit', 'fuse', []],
      ['Q4_K_M', 'fuse-quantise', ['--quantize', 'q4_k_m']],
    ] as const)('merged, %s', async (type, route, options) => {
      const name = `${adapter}-${type.toLowerCase()}`;
      expect(await created(name, `${fromBase}ADAPTER ${join(RUGBY, adapter)}\n`, ...options)).toMatchObject({
        ok: true,
        name: `${name}:latest`,
        route,
      });
      expect((await client.show(name)).quantisation).toBe(type === '16-bit' ? 'BF16' : type);
      if (adapter !== 'embed') {
        expect(await answers(name, EXPECTED[adapter]!)).toEqual(EXPECTED[adapter]);
      } else {
        // Trained badly on purpose: in f32, as recorded, each garbled answer hangs on the last bits. That it is no longer
        // the base, and no adapter without its embedding, is what shows.
        const said = await answers(name, EXPECTED[adapter]!);
        const same = Object.entries(EXPECTED[adapter]!).filter(([question, answer]) => said[question] === answer);
        expect(said).not.toEqual(EXPECTED['base']);
        expect(same.length).toBeGreaterThanOrEqual(type === '16-bit' ? 5 : 2);
      }
      await client.delete(name);
    });

    it.each(['an installed base', 'a GGUF'] as const)('merged into %s', async (base) => {
      if (base === 'a GGUF' && !existsSync(join(folder, 'half-BF16.gguf'))) {
        await created('half', fromBase, '--keep');
      }
      const from = base === 'a GGUF' ? './half-BF16.gguf' : 'base';
      const name = `${adapter}-onto`;
      expect(
        await created(name, `FROM ${from}\nADAPTER ${join(RUGBY, adapter)}\nPARAMETER temperature 0\n`, '--force'),
      ).toMatchObject({ route: 'fuse' });
      const [shown, own] = [await client.show(name), await client.show('base')];
      expect(shown.modelfile).not.toMatch(/^ADAPTER/m);
      if (base !== 'a GGUF') {
        // What the installed base says is kept.
        expect(shown.template).toBe(own.template);
        expect(shown.parameters).toMatch(/stop\s+"<\|im_end\|>"/);
      }
      if (adapter !== 'embed') {
        expect(await answers(name, EXPECTED[adapter]!)).toEqual(EXPECTED[adapter]);
      } else {
        expect(await answers(name, EXPECTED[adapter]!)).not.toEqual(EXPECTED['base']);
      }
      await client.delete(name);
    });
  });

  it('takes relative paths, and everything else that a Modelfile can say', async () => {
    const text = [
      'FROM ./base',
      'ADAPTER ./lora',
      'TEMPLATE """{{- range .Messages }}<|im_start|>{{ .Role }}',
      '{{ .Content }}<|im_end|>',
      '{{ end }}<|im_start|>assistant',
      '"""',
      'SYSTEM "Answer in one sentence."',
      'PARAMETER stop "<|im_end|>"',
      'PARAMETER stop "<|im_start|>"',
      'PARAMETER num_ctx 256',
      'PARAMETER temperature 1e-5',
      'MESSAGE user Where is Sydney?',
      'MESSAGE assistant Sydney is in Australia.',
      'LICENSE MIT',
      'LICENSE "and another"',
      'REQUIRES 0.6',
      '',
    ].join('\n');
    const path = join(RUGBY, 'Modelfile.test');
    writeFileSync(path, text);
    try {
      const run = await runCli(['create', 'me/whole:v1', '-f', path, '--json'], { env: server.environment });
      expect(run.json, run.stdout).toMatchObject({ ok: true, name: 'me/whole:v1', route: 'fuse' });
    } finally {
      rmSync(path);
    }
    const shown = await client.show('me/whole:v1');
    expect(shown).toMatchObject({
      system: 'Answer in one sentence.',
      requires: '0.6',
      messages: [
        { role: 'user', content: 'Where is Sydney?' },
        { role: 'assistant', content: 'Sydney is in Australia.' },
      ],
    });
    expect(shown.template).toContain('<|im_start|>{{ .Role }}');
    expect(shown.licence).toContain('MIT');
    expect(shown.licence).toContain('and another');
    expect(shown.modelfile).toContain('PARAMETER num_ctx 256');
    expect(shown.parameters).toMatch(/temperature\s+1e-05/);
    const prompt = await client.renderPrompt({ model: 'me/whole:v1', messages: [{ role: 'user', content: 'Hi' }] });
    expect(prompt).toBe(
      '<|im_start|>system\nAnswer in one sentence.<|im_end|>\n<|im_start|>user\nWhere is Sydney?<|im_end|>\n<|im_start|>assistant\nSydney is in Australia.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('shows the plan and does nothing with --dry-run', async () => {
    const names = async (): Promise<string[]> => (await client.list()).map(({ name }) => name).sort();
    const before = await names();
    const json = await created('planned', `FROM base\nADAPTER ${join(RUGBY, 'dora')}\n`, '--dry-run');
    expect(json).toMatchObject({
      route: 'fuse',
      ollamaVersion: version,
      parts: [{ line: 1, does: 'build', path: 'ollama:base', type: 'BF16', adapters: [join(RUGBY, 'dora')] }],
    });
    expect(await names()).toEqual(before);
  });

  it('keeps the old model of a name, and writes over nothing unasked', async () => {
    const first = await created('kept', fromBase);
    const refused = await create('kept', `${fromBase}ADAPTER ${join(RUGBY, 'lora')}\n`);
    expect(refused.json).toMatchObject({ ok: false, error: { code: 'ollama/model-exists' } });
    const second = await created('kept', `${fromBase}ADAPTER ${join(RUGBY, 'lora')}\n`, '--force');
    expect(second).toMatchObject({ previous: 'kept:previous' });
    const models = new Map((await client.list()).map(({ name, digest }) => [name, `sha256:${digest}`]));
    expect(models.get('kept:latest')).toBe(second['digest']);
    expect(models.get('kept:previous')).toBe(first['digest']);
    expect([...models.keys()].filter((name) => name.includes('unfinished'))).toEqual([]);
    const question = 'How wide is a rugby league field?';
    expect(await say('kept:previous', question)).toBe(EXPECTED['base']![question]);
    expect(await say('kept', question)).toBe(EXPECTED['lora']![question]);
  });

  it('sends a file once, keeps made files when asked, and removes them otherwise', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('modelfile-studio-create-'));
    await created('twice', fromBase, '--quantize', 'Q6_K', '--keep');
    const kept = join(folder, 'twice-Q6_K.gguf');
    expect(existsSync(kept)).toBe(true);
    const again = await created('thrice', `FROM ${kept}\n`);
    expect(again).toMatchObject({ route: 'direct', uploadedBytes: 0 });
    expect(await created('smaller', `FROM ${join(RUGBY, 'base')}\n`, '--quantize', 'IQ4_XS')).toMatchObject({
      route: 'build',
    });
    expect((await client.show('smaller')).quantisation).toBe('IQ4_XS');
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('modelfile-studio-create-'))).toEqual(before);
  });

  it('quantises a 16-bit GGUF and an installed model here, and a quantised one only when that is allowed', async () => {
    await created('half', fromBase, '--keep', '--force');
    expect(await created('fifth', `FROM ${join(folder, 'half-BF16.gguf')}\n`, '--quantize', 'Q5_K_M')).toMatchObject({
      route: 'build',
    });
    expect((await client.show('fifth')).quantisation).toBe('Q5_K_M');
    expect(await created('eighth', 'FROM half\n', '--quantize', 'Q8_0')).toMatchObject({
      route: 'build',
    });
    expect((await client.show('eighth')).quantisation).toBe('Q8_0');
    expect((await create('fourth', 'FROM eighth\n', '--quantize', 'Q5_K_M')).json).toMatchObject({
      error: { code: 'quantize/requantize', line: 1 },
    });
    const again = await created('fourth', 'FROM eighth\n', '--quantize', 'Q5_K_M', '--allow-requantize');
    expect(again['warnings']).toContainEqual(expect.objectContaining({ code: 'quantize/requantize' }));
    expect((await client.show('fourth')).quantisation).toBe('Q5_K_M');
    // With an adapter it is the usual thing, said with a warning.
    const tuned = await created('tuned', `FROM eighth\nADAPTER ${join(RUGBY, 'lora')}\n`, '--quantize', 'Q4_K_M');
    expect(tuned).toMatchObject({ route: 'fuse-quantise' });
    expect(tuned['warnings']).toContainEqual(expect.objectContaining({ code: 'quantize/requantize' }));
  });

  it('takes a folder of GGUF files, the parts of a split one, and a DRAFT', async () => {
    const ggufs = join(folder, 'ggufs');
    mkdirSync(ggufs);
    await created('whole', fromBase, '--quantize', 'Q8_0', '--keep');
    copyFileSync(join(folder, 'whole-Q8_0.gguf'), join(ggufs, 'model.gguf'));
    expect(await created('folder', 'FROM ./ggufs\n')).toMatchObject({ route: 'direct', uploadedBytes: 0 });
    expect(await answers('folder', { 'Where is Sydney?': '' })).toEqual({
      'Where is Sydney?': 'Sydney is in Australia.',
    });
    // Parts of a split model: one is named, all are sent, the server puts them together.
    const [first] = await splitGguf(join(folder, 'whole-Q8_0.gguf'), 3, folder);
    await created('parts', `FROM ${first!}\n`);
    expect(await answers('parts', { 'Where is Sydney?': '' })).toEqual({
      'Where is Sydney?': 'Sydney is in Australia.',
    });
    // The server takes any model for a DRAFT, and runs those with layers of their own for it only.
    const drafted = await created('drafted', 'FROM ./whole-Q8_0.gguf\nDRAFT ./ggufs/model.gguf\n');
    expect((await client.show('drafted')).modelfile).toMatch(/^DRAFT .*sha256-/m);
    expect(drafted['warnings']).toContainEqual(
      expect.objectContaining({ code: 'ollama/draft', message: expect.stringContaining('Modelfile:2: ') as string }),
    );
  });

  it('adds several adapters up, where Ollama would take the last', async () => {
    const json = await created(
      'both',
      `${fromBase}ADAPTER ${join(RUGBY, 'lora')}\nADAPTER ${join(RUGBY, 'mlx-lora')}\n`,
    );
    expect(json['warnings']).toContainEqual(expect.objectContaining({ code: 'modelfile/adapters-add-up' }));
  });
});
