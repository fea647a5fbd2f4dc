import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lookUpModel } from '../../src/node/registry/libraryLookup';
import { instruction } from '../../src/core/modelfile/writeModelfile';
import { CLI, FIXTURES, runCli, runCliOk } from '../support/cli';
import { findRealOllama, NO_OLLAMA, RealOllama } from '../support/realOllama';
import { digestOf, findRealRegistry, NO_REGISTRY, RealRegistry, type PushedLayer } from '../support/realRegistry';

const BUNDLE = join(CLI, '..');
const TEMPLATE =
  '{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}<|im_end|>\n';
const LAYERS: readonly PushedLayer[] = [
  { kind: 'model', text: 'GGUF: weights are never looked at' },
  { kind: 'template', text: TEMPLATE },
  { kind: 'system', text: 'You are a referee. "Fair."' },
  { kind: 'params', text: '{"stop":["<|im_start|>","<|im_end|>"],"temperature":0.6,"num_ctx":8192}' },
  { kind: 'license', text: 'MIT\n\nDo as you like.' },
  { kind: 'license', text: 'And a second one.' },
  { kind: 'messages', text: '[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello."}]' },
];
const CONFIG = {
  model_format: 'gguf',
  model_family: 'qwen3',
  model_type: '3.3M',
  file_type: 'Q8_0',
  renderer: '',
  parser: '',
  requires: '0.14.0',
};

const path = await findRealRegistry();
const ollama = await findRealOllama();

describe.skipIf(path === undefined)(`a real registry${path === undefined ? `: ${NO_REGISTRY}` : ''}`, () => {
  let registry: RealRegistry;
  let cacheFolder = '';

  beforeAll(async () => {
    registry = await RealRegistry.start(path!);
    await registry.push('library/rugby', 'latest', LAYERS, CONFIG);
    await registry.push('somebody/rendered', '1b', [LAYERS[0]!], {
      ...CONFIG,
      renderer: 'qwen3-coder',
      parser: 'qwen3-coder',
    });
  }, 60_000);
  afterAll(async () => {
    await registry.stop();
  });
  beforeEach(() => {
    cacheFolder = mkdtempSync(join(tmpdir(), 'modelfile-studio-registry-cache-'));
    return (): void => rmSync(cacheFolder, { recursive: true, force: true });
  });
  const ask = (name: string, options: Record<string, unknown> = {}): ReturnType<typeof lookUpModel> =>
    lookUpModel(name, { bundleFolder: BUNDLE, cacheFolder, registry: registry.host, ...options });

  it('gives template, system, parameters, licences, messages and configuration', async () => {
    const { model, source } = await ask('rugby');
    expect(source).toBe('registry');
    expect(model).toEqual({
      name: 'rugby:latest',
      template: TEMPLATE,
      system: 'You are a referee. "Fair."',
      parameters: { stop: ['<|im_start|>', '<|im_end|>'], temperature: 0.6, num_ctx: 8192 },
      license: ['MIT\n\nDo as you like.', 'And a second one.'],
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hello.' },
      ],
      renderer: undefined,
      parser: undefined,
      requires: '0.14.0',
      family: 'qwen3',
      size: '3.3M',
      quantisation: 'Q8_0',
    });
  });

  it('never fetches the weights', async () => {
    await ask('rugby');
    rmSync(registry.blobPath(digestOf(LAYERS[0]!.text)));
    expect((await ask('rugby')).model.template).toBe(TEMPLATE);
  });

  it('tells RENDERER and PARSER of a model without a template', async () => {
    expect((await ask('somebody/rendered:1b')).model).toMatchObject({
      name: 'somebody/rendered:1b',
      template: undefined,
      renderer: 'qwen3-coder',
      parser: 'qwen3-coder',
    });
  });

  it('says that a model, or a tag of it, is not there', async () => {
    await expect(ask('rugby:70b')).rejects.toMatchObject({
      code: 'registry/missing',
      message: expect.stringContaining('rugby:70b') as string,
    });
    await expect(ask('football')).rejects.toMatchObject({ code: 'registry/missing' });
  });

  it('answers from its last answer when the registry is gone', async () => {
    const gone = await RealRegistry.start(path!);
    await gone.push('library/rugby', 'latest', LAYERS, CONFIG);
    await ask('rugby', { registry: gone.host });
    await gone.stop();
    const { model, source, sourceNote } = await ask('rugby', { registry: gone.host });
    expect(source).toBe('remembered');
    expect(model.template).toBe(TEMPLATE);
    expect(sourceNote).toMatch(/registry\/unreachable.*last answer of 127\.0\.0\.1:\d+, from \d{4}-\d\d-\d\d/);
  }, 30_000);

  it('throws away a text that is not the one of its digest, and one that is gone', async () => {
    const changed = `${TEMPLATE}{{/* changed */}}`;
    await registry.push('library/changed', 'latest', [{ kind: 'template', text: changed }], CONFIG);
    writeFileSync(registry.blobPath(digestOf(changed)), changed.replace('changed', 'chamged'));
    await expect(ask('changed')).rejects.toMatchObject({ code: 'registry/digest' });
    rmSync(registry.blobPath(digestOf(changed)));
    await expect(ask('changed')).rejects.toMatchObject({
      code: 'registry/missing',
      message: expect.stringContaining('template of changed') as string,
    });
  });

  it('reads an entry of its own cache again only if it is whole', async () => {
    await ask('rugby');
    const kept = join(cacheFolder, 'registry/blobs', digestOf(TEMPLATE).replace(':', '-'));
    expect(readFileSync(kept, 'utf8')).toBe(TEMPLATE);
    writeFileSync(kept, 'something else');
    expect((await ask('rugby')).model.template).toBe(TEMPLATE);
    expect(readFileSync(kept, 'utf8')).toBe(TEMPLATE);
  });

  it('follows a redirect without credentials', async () => {
    const sending = await RealRegistry.start(path!, { redirects: true });
    try {
      await sending.push('library/rugby', 'latest', LAYERS, CONFIG);
      expect((await ask('rugby', { registry: sending.host })).model.template).toBe(TEMPLATE);
      expect(sending.redirected.length).toBeGreaterThan(3);
      for (const { headers } of sending.redirected) {
        expect(headers).not.toHaveProperty('authorization');
        expect(headers).not.toHaveProperty('cookie');
      }
    } finally {
      await sending.stop();
    }
  }, 30_000);

  it.skipIf(ollama === undefined)(
    `gives what a real Ollama pushed${ollama === undefined ? `: ${NO_OLLAMA}` : ''}`,
    async () => {
      const server = await RealOllama.start(ollama!.path);
      const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-push-'));
      try {
        const gguf = join(folder, 'rugby.gguf');
        await runCliOk(['convert', '--base', join(FIXTURES, 'rugby/base'), '--type', 'Q8_0', '--out', gguf]);
        const name = `${registry.host}/library/pushed`;
        writeFileSync(
          join(folder, 'Modelfile'),
          `FROM ${gguf}\n${instruction('TEMPLATE', TEMPLATE)}\nSYSTEM "A referee."\nPARAMETER stop "<|im_end|>"\nPARAMETER temperature 0.25\nLICENSE "MIT"\nMESSAGE user Hi\nMESSAGE assistant Hello.\nREQUIRES 0.20.0\n`,
        );
        await runCliOk(['create', name, '-f', join(folder, 'Modelfile')], { env: server.environment });
        const client = server.client();
        for await (const event of client.push(name, { insecure: true })) {
          expect(event).toBeDefined();
        }
        const { model, source } = await ask(name);
        expect(source).toBe('registry');
        expect(model).toMatchObject({
          template: TEMPLATE,
          system: 'A referee.',
          parameters: { stop: ['<|im_end|>'], temperature: 0.25 },
          license: ['MIT'],
          messages: [
            { role: 'user', content: 'Hi' },
            { role: 'assistant', content: 'Hello.' },
          ],
          family: 'qwen3',
          requires: '0.20.0',
        });
        // The same of the server itself, where the model is installed.
        const shown = await lookUpModel(name, { bundleFolder: BUNDLE, cacheFolder, ollama: client });
        expect(shown).toMatchObject({
          source: 'installed',
          model: {
            template: TEMPLATE,
            system: 'A referee.',
            parameters: { stop: ['<|im_end|>'], temperature: 0.25 },
            license: ['MIT'],
            requires: '0.20.0',
          },
        });
      } finally {
        await server.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    },
    120_000,
  );

  it('is what the command line asks', async () => {
    const environment = { ...process.env, MODELFILE_STUDIO_CACHE: cacheFolder, OLLAMA_HOST: '127.0.0.1:1' };
    const run = await runCli(['template', 'rugby', '--registry', registry.host, '--params', '--json'], {
      env: environment,
    });
    expect(run.json).toMatchObject({
      ok: true,
      name: 'rugby:latest',
      source: 'registry',
      instructions: {
        template: `TEMPLATE """${TEMPLATE}"""`,
        parameters: [
          'PARAMETER stop "<|im_start|>"',
          'PARAMETER stop "<|im_end|>"',
          'PARAMETER temperature 0.6',
          'PARAMETER num_ctx 8192',
        ],
      },
    });
    const bare = await runCli(['template', 'rugby', '--registry', registry.host], { env: environment });
    expect(bare.stdout).toBe(`${TEMPLATE}\n`);
    const missing = await runCli(['template', 'nothing:1b', '--registry', registry.host, '--json'], {
      env: environment,
    });
    expect(missing).toMatchObject({ code: 1, json: { ok: false, error: { code: 'registry/missing' } } });
  }, 30_000);
});
