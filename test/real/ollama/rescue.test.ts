import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseModelfile } from '../../../src/core/modelfile/parseModelfile';
import { FIXTURES, runCli, runCliOk, type CliRun } from '../../support/cli';
import { RealOllama, realOllamas } from '../../support/realOllama';
import { splitGguf } from '../../support/splitGguf';

const RUGBY = join(FIXTURES, 'rugby');
const BASE = join(RUGBY, 'base');
const EXPECTED = JSON.parse(readFileSync(join(RUGBY, 'expected.json'), 'utf8')) as Record<
  string,
  Record<string, string>
>;
const MIT = 'MIT License\n\nPermission is hereby granted, free of charge';
const TEMPLATE =
  '{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const every = await realOllamas();
const older = every.find(({ version }) => version === '0.32.15');
const missing =
  older === undefined || every.length < 2
    ? 'An older Ollama makes the models with adapters that a newer one serves: both are needed.'
    : (every.find(({ reason }) => reason !== '')?.reason ?? '');

describe.skipIf(missing !== '')(`models with an adapter layer, made by 0.32.15 ${missing}`, () => {
  let folder: string;
  let store: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
    store = join(folder, 'models');
    const [base, adapter] = [join(folder, 'base.gguf'), join(folder, 'adapter.gguf')];
    await runCliOk(['build', '--base', BASE, '--type', 'BF16', '--out', base]);
    await runCliOk(['convert-adapter', '--adapter', join(RUGBY, 'lora'), '--base', BASE, '--out', adapter]);
    const path = join(folder, 'Modelfile');
    writeFileSync(
      path,
      `FROM ${base}
ADAPTER ${adapter}
TEMPLATE """${TEMPLATE}"""
SYSTEM Answer about rugby league.
PARAMETER stop <|im_end|>
PARAMETER stop User:
PARAMETER temperature 0
PARAMETER typical_p 0.7
PARAMETER num_ctx 512
MESSAGE user Hello
MESSAGE assistant Hello: ask me.
LICENSE """${MIT}"""
LICENSE Apache-2.0
`,
    );
    const server = await RealOllama.start(older!.path, { models: store });
    try {
      // Ollama's own program makes it, as it did on the machines of its users.
      await promisify(execFile)(older!.path, ['create', 'layer', '-f', path], {
        env: { ...server.environment, HOME: folder },
      });
    } finally {
      await server.stop();
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));

  describe.each(every)('served by $version', ({ version, path: program }) => {
    let server: RealOllama;
    beforeAll(async () => {
      server = await RealOllama.start(program, { models: store });
    });
    afterAll(async () => {
      await server.stop();
    });
    const run = async (...args: readonly string[]): Promise<CliRun> =>
      await runCli([...args, '--json'], { env: { ...server.environment, OLLAMA_MODELS: store } });
    const done = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
      const { json, stdout, stderr } = await run(...args);
      expect(json, stdout + stderr).toMatchObject({ ok: true });
      return json;
    };
    /** Answers with nothing but the question, at temperature 0. */
    const answers = async (model: string): Promise<Record<string, string>> => {
      const said: Record<string, string> = {};
      for (const question of Object.keys(EXPECTED['lora']!)) {
        const chat = server.client().generate({
          model,
          raw: true,
          prompt: `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`,
          options: { temperature: 0, num_predict: 80 },
        });
        for (;;) {
          const step = await chat.next();
          if (step.done === true) {
            said[question] = step.value.text;
            break;
          }
        }
      }
      return said;
    };

    it('answers with its adapter, and becomes one fused model that answers the same; everything that it says is kept', async () => {
      const client = server.client();
      expect(await answers('layer')).toEqual(EXPECTED['lora']);
      const before = await client.show('layer');
      expect(before.modelfile).toMatch(/^ADAPTER /m);
      const name = `fused-${version.replaceAll('.', '-')}`;
      const dry = await done('create', name, '--base', 'layer', '--dry-run');
      expect(dry).toMatchObject({ route: 'fuse', type: 'BF16', adapters: [{ path: 'the adapter of layer' }] });
      expect((await client.list()).map(({ name: listed }) => listed)).not.toContain(`${name}:latest`);
      const made = await done('create', name, '--base', 'layer');
      expect(made).toMatchObject({ route: 'fuse', type: 'BF16', answer: expect.any(String) as string });
      const after = await client.show(name);
      expect(after.modelfile).not.toMatch(/^ADAPTER /m);
      expect(after).toMatchObject({ template: TEMPLATE, system: 'Answer about rugby league.', quantisation: 'BF16' });
      expect(after.messages).toEqual(before.messages);
      expect(after.messages).toHaveLength(2);
      expect(after.licence).toBe(before.licence);
      expect(after.licence).toContain(MIT);
      expect(after.licence).toContain('Apache-2.0');
      // What this server takes no more is left out, and said before anything was built.
      const keeps = version === '0.32.15';
      const lines = (text: string | undefined): string[] =>
        (text ?? '')
          .split('\n')
          .map((line) => line.replace(/\s+/, ' '))
          .sort();
      expect(lines(after.parameters)).toEqual(
        lines(before.parameters).filter((line) => keeps || !line.startsWith('typical_p')),
      );
      expect(lines(before.parameters)).toContain('typical_p 0.7');
      const warnings = (made['warnings'] as readonly { code: string; message: string }[]).filter(
        ({ code }) => code === 'ollama/parameter-dropped',
      );
      expect(warnings.map(({ message }) => message)).toEqual(
        keeps ? [] : [expect.stringContaining('typical_p 0.7 of layer')],
      );
      expect(await answers(name)).toEqual(EXPECTED['lora']);
      // The old one stays as it was.
      expect((await client.show('layer')).modelfile).toBe(before.modelfile);
    });

    it('takes one more adapter on top, and another type, from a Modelfile as well', async () => {
      const client = server.client();
      const path = join(folder, `more-${version}.Modelfile`);
      writeFileSync(path, 'FROM layer\nSYSTEM Mine.\n');
      const json = await done('create', 'more', '-f', path, '--quantize', 'Q8_0', '--force');
      expect(json).toMatchObject({ route: 'fuse-quantise' });
      const shown = await client.show('more');
      expect(shown).toMatchObject({ quantisation: 'Q8_0', system: 'Mine.', template: TEMPLATE });
      expect(parseModelfile(shown.modelfile).instructions.some(({ keyword }) => keyword === 'ADAPTER')).toBe(false);
      expect(await answers('more')).toEqual(EXPECTED['lora']);
      await client.delete('more');
    });

    it('has a command among its routes that rescues it', async () => {
      const json = await done('routes', '--base', 'layer');
      const open = (json['routes'] as readonly { works: boolean; route: string; commands: readonly string[] }[]).filter(
        ({ works }) => works,
      );
      expect(open.map(({ route }) => route)).toEqual(['fuse', 'fuse-quantise']);
      for (const [command] of open.map(({ commands }) => commands)) {
        const words = command!.split(' ').slice(1);
        await done(...words.map((word) => (word === 'NAME' ? 'by-command' : word)), '--force');
        expect((await server.client().show('by-command')).modelfile).not.toMatch(/^ADAPTER /m);
      }
    });

    it('reads an installed model of several parts from all of them', async () => {
      const parts = await splitGguf(join(folder, 'base.gguf'), 3, folder);
      const path = join(folder, 'split.Modelfile');
      writeFileSync(path, `FROM ${parts[0]!}\nPARAMETER stop <|im_end|>\n`);
      await done('create', 'parts', '-f', path, '--force');
      const manifest = readFileSync(join(store, 'manifests/registry.ollama.ai/library/parts/latest'), 'utf8');
      const layers = [...manifest.matchAll(/"application\/vnd\.ollama\.image\.model"/g)].length;
      // Layers of their own since 0.34.1; before, the server put them together.
      expect(layers).toBe(version === '0.32.15' ? 1 : 3);
      const out = join(folder, `from-parts-${version}.gguf`);
      await done('build', '--base', 'ollama:parts', '--adapter', join(RUGBY, 'lora'), '--type', 'BF16', '--out', out);
      await done('create', 'from-parts', '--base', 'parts', '--adapter', join(RUGBY, 'lora'), '--force');
      expect(await answers('from-parts')).toEqual(EXPECTED['lora']);
      expect((await server.client().show('from-parts')).requires ?? '').toBe('');
    });

    it('names a model that MLX imported as what it is', async () => {
      importByMlx(store, 'by-mlx');
      const says = /was imported by MLX: Ollama keeps its weights as safetensors layers/;
      for (const args of [
        ['create', 'x', '--base', 'by-mlx', '--adapter', join(RUGBY, 'lora')],
        ['routes', '--base', 'by-mlx', '--adapter', join(RUGBY, 'lora')],
        ['build', '--base', 'ollama:by-mlx', '--type', 'Q8_0', '--out', join(folder, 'x.gguf')],
        [
          'convert-adapter',
          '--base',
          'ollama:by-mlx',
          '--adapter',
          join(RUGBY, 'lora'),
          '--out',
          join(folder, 'x.gguf'),
        ],
      ]) {
        const { code, json } = await run(...args);
        expect([code, json['error']], args.join(' ')).toMatchObject([1, { code: 'ollama/mlx' }]);
        expect((json['error'] as { message: string }).message).toMatch(says);
      }
      const path = join(folder, 'mlx.Modelfile');
      writeFileSync(path, `FROM by-mlx\nADAPTER ${join(RUGBY, 'lora')}\n`);
      const { json } = await run('create', 'x', '-f', path);
      expect(json['error'], JSON.stringify(json)).toMatchObject({ code: 'ollama/mlx', line: 1 });
      expect((json['error'] as { message: string }).message).toMatch(says);
    });
  });
});

/** A manifest as `x/create` writes it: a layer for each tensor, and a config that says safetensors. */
function importByMlx(models: string, name: string): void {
  const blob = (bytes: string | Uint8Array): { digest: string; size: number } => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    mkdirSync(join(models, 'blobs'), { recursive: true });
    writeFileSync(join(models, 'blobs', `sha256-${hex}`), bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  const config = {
    model_format: 'safetensors',
    model_family: 'qwen3',
    architecture: 'arm64',
    os: 'darwin',
    capabilities: ['completion'],
    rootfs: { type: 'layers', diff_ids: [] },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    config: { mediaType: 'application/vnd.docker.container.image.v1+json', ...blob(JSON.stringify(config)) },
    layers: [
      {
        mediaType: 'application/vnd.ollama.image.tensor',
        ...blob(new Uint8Array(64)),
        name: 'model.embed_tokens.weight',
        dtype: 'BF16',
        shape: [4, 8],
      },
      { mediaType: 'application/vnd.ollama.image.json', ...blob('{"model_type": "qwen3"}'), name: 'config.json' },
    ],
  };
  const folder = join(models, 'manifests', 'registry.ollama.ai', 'library', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'latest'), JSON.stringify(manifest));
}
