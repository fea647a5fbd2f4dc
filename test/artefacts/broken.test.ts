import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { StudioError } from '../../src/core/errors';
import type { ArtefactFiles } from '../../src/core/artefacts/artefactFiles';
import { scanFolders } from '../../src/core/artefacts/scanFolders';
import { nodeArtefactFiles } from '../../src/node/artefacts/artefactFiles';
import { inspectPath } from '../../src/node/artefacts/inspectPath';
import { collectArtefacts } from '../../src/node/artefacts/scanArtefacts';
import { buildGguf, textKey, tokensKey } from '../hostile/ggufBuilder';
import { protocol2Bomb, protocol4Bomb, textBomb } from '../hostile/pickleBuilder';
import {
  below,
  byPath,
  codes,
  model,
  modelShapes,
  peft,
  safetensorsBytes,
  scanTree,
  temporaryFolder,
  writeTree,
} from './folders';
import { HANG_LIMIT } from '../support/hangLimit';

const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 4000000000\n`;
const GGUF = buildGguf({
  keys: [textKey('general.architecture', 'qwen3'), textKey('tokenizer.ggml.model', 'gpt2'), tokensKey(['a', 'b'])],
  tensors: [
    { name: 'a.weight', dimensions: [4n] },
    { name: 'b.weight', dimensions: [8n] },
  ],
});
const SAFETENSORS = safetensorsBytes({ 'a.weight': [4, 4], 'b.weight': [4] });

describe('files that are not what their names say', () => {
  test('Git LFS pointers', async () => {
    const found = await scanTree({
      'm.gguf': POINTER,
      'w.safetensors': POINTER,
      ...below('lora', { ...peft(), 'adapter_model.safetensors': POINTER }),
      ...below('base', { ...model(), 'model.safetensors': POINTER }),
    });
    expect(found.get('m.gguf')).toMatchObject({ kind: 'lfs-pointer', content: 'gguf-model' });
    expect(found.get('w.safetensors')?.problems[0]?.message).toContain('4000000000 bytes');
    for (const name of ['lora', 'base']) {
      expect(codes(found.get(name))).toContain('input/lfs-pointer');
    }
    expect(found.get('base')?.complete).toBe(false);
    expect(found.get('lora/adapter_model.safetensors')).toMatchObject({
      kind: 'lfs-pointer',
      partOf: expect.stringMatching(/lora$/) as string,
    });
  });

  test('truncated files', async () => {
    const found = await scanTree({
      'm.gguf': GGUF.subarray(0, -4),
      'h.gguf': GGUF.subarray(0, 60),
      'w.safetensors': SAFETENSORS.subarray(0, -1),
      'e.safetensors': SAFETENSORS.subarray(0, 30),
      'z.gguf': '',
      'z.safetensors': '',
      ...below('lora', {
        ...peft(),
        'adapter_model.safetensors': (peft()['adapter_model.safetensors'] as Buffer).subarray(0, 2000),
      }),
    });
    expect(found.get('m.gguf')).toMatchObject({
      kind: 'truncated',
      content: 'gguf-model',
      architecture: 'qwen3',
      tensors: 2,
    });
    expect(found.get('w.safetensors')).toMatchObject({ kind: 'truncated', content: 'safetensors', tensors: 2 });
    for (const name of ['h.gguf', 'e.safetensors', 'z.gguf', 'z.safetensors']) {
      expect(found.get(name)?.kind, name).toBe('truncated');
      expect(found.get(name)?.problems).toHaveLength(1);
    }
    expect(codes(found.get('lora'))).toEqual(['safetensors/truncated']);
    // Rank and targets are told all the same.
    expect(found.get('lora')).toMatchObject({ kind: 'peft-adapter', rank: 8, scale: 2, targets: ['q_proj'] });
  });

  test('damaged ones', async () => {
    const found = await scanTree({
      'm.gguf': 'GGUFxxxxxxxxxxxxxxxxxxxxxxxxxxx',
      'n.gguf': 'hello, this is text',
      'w.safetensors': Buffer.concat([SAFETENSORS, Buffer.from('PK')]),
    });
    expect(found.get('m.gguf')?.kind).toBe('unreadable');
    expect(codes(found.get('n.gguf'))).toEqual(['gguf/magic']);
    expect(codes(found.get('w.safetensors'))).toEqual(['safetensors/layout']);
  });

  test('every prefix of a valid file is described or refused, never unforeseen', async () => {
    const folder = temporaryFolder();
    for (const [name, bytes] of [
      ['x.gguf', GGUF],
      ['x.safetensors', SAFETENSORS],
    ] as const) {
      for (let length = 0; length < bytes.length; length++) {
        writeTree(folder, { [name]: bytes.subarray(0, length) });
        const answer = await inspectPath(join(folder, name));
        expect(answer.ok, `${name} ${length}`).toBe(false);
        expect(answer.ok ? '' : answer.error.code).toMatch(/^(?:gguf|safetensors|input)\//);
      }
    }
  });
});

describe('pickles', () => {
  test('are listed by content and never loaded, whatever they are called', async () => {
    const sentinel = join(temporaryFolder(), 'sentinel');
    const bomb = [
      protocol2Bomb(`touch ${sentinel}`),
      protocol4Bomb(`touch ${sentinel}`),
      textBomb(`touch ${sentinel}`),
    ];
    const folder = writeTree(temporaryFolder(), {
      'a.bin': bomb[0],
      'b.pt': bomb[1],
      'c.pkl': bomb[2],
      'd.safetensors': bomb[0],
      ...below('lora', { ...peft(), 'adapter_model.safetensors': bomb[1], 'training_args.bin': bomb[0] }),
      ...below('m', { ...model(), 'model.safetensors': bomb[0] }),
    });
    const found = byPath(await collectArtefacts([folder]), folder);
    for (const name of [
      'a.bin',
      'b.pt',
      'c.pkl',
      'd.safetensors',
      'lora/training_args.bin',
      'lora/adapter_model.safetensors',
    ]) {
      expect(found.get(name)?.kind, name).toBe('pickle');
      const answer = await inspectPath(join(folder, name));
      expect(answer).toMatchObject({ ok: false, kind: 'pickle', error: { code: 'input/pickle' } });
    }
    expect(codes(found.get('lora'))).toContain('input/pickle');
    expect(codes(found.get('m'))).toContain('input/pickle');
    expect(existsSync(sentinel)).toBe(false);
  });
});

describe('what the file system may hold', () => {
  test.skipIf(process.platform === 'win32')('pipes are named, not waited for', async () => {
    const folder = temporaryFolder();
    for (const name of ['p.gguf', 'adapter_config.json']) {
      execFileSync('mkfifo', [join(folder, name)]);
    }
    const started = performance.now();
    const found = byPath(await collectArtefacts([folder]), folder);
    expect(codes(found.get('p.gguf'))).toEqual(['input/not-regular']);
    expect(await inspectPath(join(folder, 'p.gguf'))).toMatchObject({
      ok: false,
      error: { code: 'input/not-regular' },
    });
    expect(await inspectPath(join(folder, 'adapter_config.json'))).toMatchObject({
      ok: false,
      error: { code: 'input/not-regular' },
    });
    expect(performance.now() - started).toBeLessThan(HANG_LIMIT);
  });

  test('links: followed once, loops and dead ends harmless', async () => {
    const folder = writeTree(temporaryFolder(), { ...below('real', peft()), 'sub/x.txt': '' });
    symlinkSync(join(folder, 'real'), join(folder, 'again'));
    symlinkSync(folder, join(folder, 'sub', 'loop'));
    symlinkSync(join(folder, 'nowhere'), join(folder, 'dead.gguf'));
    const artefacts = await collectArtefacts([folder]);
    expect(artefacts.filter(({ kind }) => kind === 'peft-adapter')).toHaveLength(1);
    expect(codes(byPath(artefacts, folder).get('dead.gguf'))).toEqual(['input/not-regular']);
  });

  test('a file that is a link is read where it leads', async () => {
    const folder = writeTree(temporaryFolder(), {
      ...below('store', { x1: peft()['adapter_model.safetensors'] }),
      ...below('lora', { 'adapter_config.json': peft()['adapter_config.json'] }),
    });
    symlinkSync(join(folder, 'store', 'x1'), join(folder, 'lora', 'adapter_model.safetensors'));
    expect(byPath(await collectArtefacts([folder]), folder).get('lora')).toMatchObject({ rank: 8, problems: [] });
  });

  test('folders that are not searched', async () => {
    const found = await scanTree({
      ...below('node_modules/x', peft()),
      ...below('.git/x', peft()),
      ...below('.venv/x', peft()),
      ...below('ok', peft()),
    });
    expect([...found.keys()]).toEqual(['ok']);
  });

  test.skipIf(process.getuid?.() === 0 || process.platform === 'win32')(
    'an unreadable folder or file does not stop the rest',
    async () => {
      const folder = writeTree(temporaryFolder(), {
        ...below('closed', peft()),
        ...below('lora', peft()),
        'x.gguf': GGUF,
      });
      chmodSync(join(folder, 'closed'), 0);
      chmodSync(join(folder, 'x.gguf'), 0);
      const found = byPath(await collectArtefacts([folder]), folder);
      chmodSync(join(folder, 'closed'), 0o755);
      expect(codes(found.get('closed'))).toEqual(['input/unreadable']);
      expect(codes(found.get('x.gguf'))).toEqual(['input/unreadable']);
      expect(found.get('lora')?.problems).toEqual([]);
    },
  );

  test('the same when the file system says so itself', async () => {
    const folder = writeTree(temporaryFolder(), {
      ...below('closed', peft()),
      ...below('lora', peft()),
      'x.gguf': GGUF,
    });
    const real = nodeArtefactFiles();
    const refuse = (path: string): never => {
      throw new StudioError('input/unreadable', `The operating system refused to read ${path} (EACCES).`, { path });
    };
    const files: ArtefactFiles = {
      ...real,
      list: async (path) => (path.endsWith('closed') ? refuse(path) : await real.list(path)),
      open: async (path, listed) => (path.endsWith('.gguf') ? refuse(path) : await real.open(path, listed)),
    };
    const scan = scanFolders(files, [folder]);
    let step = await scan.next();
    while (step.done !== true) {
      step = await scan.next();
    }
    const found = byPath(step.value, folder);
    expect(codes(found.get('closed'))).toEqual(['input/unreadable']);
    expect(found.get('x.gguf')).toMatchObject({ kind: 'unreadable', problems: [{ code: 'input/unreadable' }] });
    expect(found.get('lora')?.rank).toBe(8);
  });

  test('a folder that is not there is an answer', async () => {
    expect(await collectArtefacts(['/no/such/folder'])).toMatchObject([
      { path: '/no/such/folder', kind: 'unreadable', problems: [{ code: 'input/missing' }] },
    ]);
  });

  test('a file in place of a folder', async () => {
    const folder = writeTree(temporaryFolder(), { 'x.gguf': GGUF, 'notes.txt': 'hello' });
    expect(await collectArtefacts([join(folder, 'x.gguf'), join(folder, 'notes.txt')])).toMatchObject([
      { kind: 'gguf-model', tensors: 2 },
      { kind: 'unreadable', problems: [{ code: 'input/unrecognised' }] },
    ]);
  });

  test('cancelled', async () => {
    await expect(collectArtefacts([temporaryFolder()], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'run/cancelled',
    });
    const controller = new AbortController();
    const scan = scanFolders(
      nodeArtefactFiles(controller.signal),
      [writeTree(temporaryFolder(), below('a/b/c', peft()))],
      { signal: controller.signal },
    );
    await scan.next();
    controller.abort();
    await expect(scan.next()).rejects.toMatchObject({ code: 'run/cancelled' });
  });

  test("keys that are names of Object's own", async () => {
    const found = await scanTree({
      ...model(),
      'model.safetensors': safetensorsBytes({ ...modelShapes(), __proto__x: [1], constructor: [2] }),
      'config.json': '{"architectures":["__proto__"],"__proto__":{"polluted":true}}',
    });
    expect(found.get('.')?.kind).toBe('model');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
