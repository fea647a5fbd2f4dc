import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { targetOfModel } from '../../src/core/engine/adapterTarget';
import { loadHuggingFaceModel } from '../../src/node/inputs/loadHuggingFaceModel';
import { writeAdapterGguf } from '../support/adapterGguf';
import { FIXTURES, runCli, runCliOk, type CliRun } from '../support/cli';
import { temporaryFolder } from '../support/models';
import { writePeft } from '../support/tensors';

const RUGBY = join(FIXTURES, 'rugby');
const work = temporaryFolder();
/** A port at which nothing answers. */
const env = { ...process.env, OLLAMA_HOST: '127.0.0.1:1' };

async function routes(...args: string[]): Promise<CliRun> {
  return await runCli(['routes', '--json', ...args], { env });
}

describe('routes, where no Ollama answers', () => {
  test('its figures are those of the builds', async () => {
    const { code, json } = await routes('--base', join(RUGBY, 'base'), '--adapter', join(RUGBY, 'lora'));
    expect(code).toBe(0);
    expect(json).toMatchObject({
      ok: true,
      ollamaVersion: null,
      recommended: 'fuse',
      type: 'BF16',
      base: { kind: 'huggingface', architecture: 'qwen3' },
      adapters: [{ format: 'peft', method: 'lora', weight: 1 }],
    });
    const byName = new Map(
      (json['routes'] as { route: string; works: boolean; diskBytes: number; type: string }[]).map((route) => [
        route.route,
        route,
      ]),
    );
    for (const [name, type] of [
      ['fuse', 'BF16'],
      ['fuse-quantise', 'Q8_0'],
    ] as const) {
      const out = join(work, `${name}.gguf`);
      const built = await runCliOk([
        'build',
        '--base',
        join(RUGBY, 'base'),
        '--adapter',
        join(RUGBY, 'lora'),
        '--type',
        type,
        '--out',
        out,
      ]);
      expect(byName.get(name)).toMatchObject({ works: true, type, diskBytes: built['bytes'] });
    }
    const adapter = join(work, 'lora.gguf');
    await runCliOk(['build', '--base', join(RUGBY, 'base'), '--type', 'BF16', '--out', join(work, 'base.gguf')]);
    await runCliOk([
      'convert-adapter',
      '--base',
      join(RUGBY, 'base'),
      '--adapter',
      join(RUGBY, 'lora'),
      '--out',
      adapter,
    ]);
    // Judged for the newest Ollama, which attaches no adapters.
    expect(byName.get('gguf-adapter')).toMatchObject({ works: false });
    expect(byName.get('gguf-adapter')?.diskBytes).toBeUndefined();
    // The GGUF of the base, and the adapter as a GGUF, are bases and adapters as well.
    expect((await routes('--base', join(work, 'base.gguf'), '--adapter', join(RUGBY, 'lora'))).json).toMatchObject({
      recommended: 'fuse',
      base: { kind: 'gguf', architecture: 'qwen3' },
    });
    expect((await routes('--base', join(work, 'base.gguf'), '--adapter', adapter)).json).toMatchObject({
      recommended: 'fuse',
      adapters: [{ format: 'gguf' }],
    });
    expect((await routes('--base', join(work, 'base.gguf'), '--adapter', join(RUGBY, 'embed'))).json).toMatchObject({
      recommended: 'fuse',
    });
    expect((await routes('--base', join(RUGBY, 'base-mlx4'), '--adapter', join(RUGBY, 'mlx-lora'))).json).toMatchObject(
      {
        recommended: 'fuse',
        base: { parameters: json['base'] === undefined ? 0 : (json['base'] as { parameters: number }).parameters },
      },
    );
  });

  test('a base without an adapter, and several adapters', async () => {
    expect((await routes('--base', join(RUGBY, 'base'), '--type', 'Q4_K_M')).json).toMatchObject({
      ok: true,
      recommended: 'fuse-quantise',
      type: 'Q4_K_M',
      adapters: [],
    });
    const two = await routes(
      '--base',
      join(RUGBY, 'base'),
      '--adapter',
      `${join(RUGBY, 'lora')}=0.5`,
      '--adapter',
      join(RUGBY, 'rslora'),
    );
    expect(two.json).toMatchObject({
      recommended: 'fuse',
      adapters: [{ weight: 0.5 }, { weight: 1, method: 'rslora' }],
    });
  });

  test('a GGUF adapter on the embedding of a tied model, which llama.cpp stops on, is fused', async () => {
    const untied = { ...targetOfModel(await loadHuggingFaceModel(join(RUGBY, 'base'))), tied: false };
    const gguf = join(work, 'embed.gguf');
    await writeAdapterGguf({
      adapter: { path: join(RUGBY, 'embed'), weight: 1 },
      base: untied,
      type: 'F32',
      output: gguf,
    });
    const { json } = await routes('--base', join(RUGBY, 'base'), '--adapter', gguf);
    expect(json).toMatchObject({ recommended: 'fuse' });
    expect((json['routes'] as { route: string; works: boolean; why: string }[])[0]).toMatchObject({
      route: 'adapter',
      works: false,
      why: expect.stringContaining('attaches no adapters') as string,
    });
  });

  test('no route: the reason, and exit 1', async () => {
    const folder = writePeft(
      join(work, 'other'),
      { r: 2, lora_alpha: 4 },
      {
        'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight': {
          shape: [2, 48],
          values: new Float32Array(96),
        },
        'base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight': {
          shape: [64, 2],
          values: new Float32Array(128),
        },
      },
    );
    const { code, json } = await routes('--base', join(RUGBY, 'base'), '--adapter', folder);
    expect([code, json['ok'], json['recommended']]).toEqual([1, false, null]);
    expect(json['because']).toMatch(/^No route works: .*hidden size 48; base has 256/);
  });

  test('a base that is nowhere, and a name that only a server could know', async () => {
    expect((await routes('--base', './nowhere')).json['error']).toMatchObject({ code: 'input/missing' });
    // Whether an Ollama is installed here is a matter of the machine.
    expect((await routes('--base', 'ollama:qwen3:0.6b')).json['error']).toMatchObject({
      code: expect.stringMatching(/^ollama\/not-(?:running|installed)$/) as string,
    });
  });
});

describe('create from artefacts: what is refused before anything is asked or written', () => {
  const base = ['--base', join(RUGBY, 'base')];
  test.each([
    [
      'a route of another name',
      ['create', 'x', ...base, '--route', 'merge'],
      /choose one of adapter, gguf-adapter, fuse, fuse-quantise/,
    ],
    [
      'a type against the route',
      ['create', 'x', ...base, '--route', 'fuse', '--type', 'Q4_K_M'],
      /contradict each other/,
    ],
    [
      'a type against the other route',
      ['create', 'x', ...base, '--route', 'fuse-quantise', '--type', 'BF16'],
      /contradict each other/,
    ],
    [
      'a temperature that is none',
      ['create', 'x', ...base, '--temperature', 'hot'],
      /--temperature hot: give a number/,
    ],
    ['a context that is none', ['create', 'x', ...base, '--num-ctx', '0'], /--num-ctx 0: give a positive whole number/],
    ['base and Modelfile', ['create', 'x', ...base, '-f', 'Modelfile'], /leave out --file/],
    ['an adapter without a base', ['create', 'x', '--adapter', join(RUGBY, 'lora')], /--adapter goes with --base/],
    ['no adapter', ['create-from-base', ...base, '--name', 'x'], /--adapter is missing/],
    ['no name', ['create-from-base', ...base, '--adapter', join(RUGBY, 'lora')], /--name is missing/],
  ])('%s', async (_name, args, message) => {
    const { code, json } = await runCli([...args, '--json'], { env, cwd: work });
    expect(code).toBe(2);
    expect((json['error'] as { message: string }).message).toMatch(message);
  });

  test('without a server nothing is built', async () => {
    const { code, json } = await runCli(['create', 'x', ...base, '--adapter', join(RUGBY, 'lora'), '--json'], {
      env,
      cwd: work,
    });
    expect(code).toBe(1);
    expect((json['error'] as { code: string }).code).toMatch(/^ollama\/not-/);
  });

  test('a folder for the Modelfile that is not there', async () => {
    writeFileSync(join(work, 'file'), '');
    const { json } = await runCli(
      [
        'create-from-base',
        ...base,
        '--adapter',
        join(RUGBY, 'lora'),
        '--name',
        'x',
        '--out-modelfile',
        join(work, 'file', 'Modelfile'),
        '--json',
      ],
      { env },
    );
    expect(json['error']).toMatchObject({ code: 'output/unwritable' });
  });
});
