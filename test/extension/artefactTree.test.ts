import { cpSync, mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Artefact } from '../../src/core/artefacts/artefact';
import { artefactTags, isAdapter, weightsPath } from '../../src/extension/artefacts/artefactTags';
import { accessibleLabel, artefactTooltip } from '../../src/extension/artefacts/artefactTooltip';
import { buildArtefactTree, countNodes, type TreeNode } from '../../src/extension/artefacts/artefactTree';
import { collectArtefacts } from '../../src/node/artefacts/scanArtefacts';
import { HANG_LIMIT } from '../support/hangLimit';
import { FIXTURES, runCliOk } from '../support/cli';

/** A tree as indented labels. */
function outline(nodes: readonly TreeNode[], depth = 0): string[] {
  return nodes.flatMap((node) => [`${'  '.repeat(depth)}${node.label}`, ...outline(node.children, depth + 1)]);
}

function artefact(path: string, facts: Partial<Artefact>): Artefact {
  return { path, kind: 'model', bytes: 1, problems: [], ...facts };
}

describe('the tree of a real training folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-tree-'));
  const roots = [{ path: folder, name: 'rugby' }];
  let artefacts: readonly Artefact[];

  beforeAll(async () => {
    for (const name of ['base', 'lora', 'mlx-lora', 'outputs']) {
      cpSync(join(FIXTURES, 'rugby', name), join(folder, name), { recursive: true });
    }
    await runCliOk([
      'build',
      '--base',
      join(folder, 'base'),
      '--adapter',
      join(folder, 'lora'),
      '--type',
      'Q8_0',
      '--out',
      join(folder, 'rugby.Q8_0.gguf'),
    ]);
    await runCliOk([
      'quantize',
      join(folder, 'rugby.Q8_0.gguf'),
      join(folder, 'small.gguf'),
      'Q4_0',
      '--allow-requantize',
    ]);
    await runCliOk([
      'fuse',
      '--base',
      join(folder, 'base'),
      '--adapter',
      join(folder, 'lora'),
      '--out',
      join(folder, 'merged'),
    ]);
    await runCliOk([
      'convert',
      '--base',
      join(folder, 'merged'),
      '--type',
      'BF16',
      '--out',
      join(folder, 'merged.gguf'),
    ]);
    artefacts = await collectArtefacts([folder]);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('hangs everything under what it was made from', () => {
    const tree = buildArtefactTree(artefacts, {
      roots,
      models: [{ name: 'rugby:latest', from: join(folder, 'rugby.Q8_0.gguf') }],
    });
    expect(outline(tree)).toEqual([
      'base',
      '  lora',
      '    merged',
      '      merged.gguf',
      '    rugby.Q8_0.gguf',
      '      small.gguf',
      '      rugby:latest',
      '  mlx-lora',
      '    0000300',
      '    0000150',
      '  outputs',
      '    checkpoint-180',
      '    checkpoint-90',
    ]);
    expect(countNodes(tree)).toBe(13);
  });

  it('says what is out of date', async () => {
    const weights = join(folder, 'lora', 'adapter_model.safetensors');
    utimesSync(weights, new Date(), new Date(Date.now() + 60_000));
    const again = await collectArtefacts([folder]);
    const built = again.find(({ path }) => path.endsWith('rugby.Q8_0.gguf'))!;
    expect(built.builtFrom?.stale).toBe(true);
    const rows = artefactTooltip(built, (path) => path.replace(`${folder}/`, '')).rows;
    expect(rows.find(([label]) => label === 'Out of date')?.[1]).toMatch(
      /^changed or gone since: lora\/adapter_model\.safetensors/,
    );
    expect(rows.find(([label]) => label === 'Built from')?.[1]).toBe('base · lora');
  });

  it('offers for each kind what can be done with it', () => {
    const tags = (name: string): readonly string[] =>
      artefactTags(artefacts.find(({ path }) => path === join(folder, name))!);
    expect(tags('lora')).toEqual(
      expect.arrayContaining(['adapter', 'buildable', 'modelfile', 'verifiable', 'viewable', 'folder']),
    );
    expect(tags('base')).toEqual(expect.arrayContaining(['model', 'buildable', 'quantisable']));
    expect(tags('base')).not.toContain('adapter');
    expect(tags('rugby.Q8_0.gguf')).toEqual(
      expect.arrayContaining(['gguf', 'quantisable', 'rebuildable', 'viewable', 'file']),
    );
    expect(tags('outputs')).toEqual(expect.arrayContaining(['adapter', 'buildable']));
    expect(tags('mlx-lora/0000150_adapters.safetensors')).toEqual(expect.arrayContaining(['adapter', 'file']));
  });

  it('knows the file that would be taken', () => {
    // An output folder stands for its best checkpoint, which has a line of its own.
    const adapters = artefacts.filter((one) => isAdapter(one) && one.kind !== 'trainer-output');
    expect(adapters.length).toBe(6);
    for (const adapter of adapters) {
      expect(weightsPath(adapter)).toMatch(/\.safetensors$/);
      expect(weightsPath(adapter).startsWith(adapter.path)).toBe(true);
    }
  });

  it('reads each item out', () => {
    const lora = artefacts.find(({ path }) => path.endsWith('lora') && !path.endsWith('mlx-lora'))!;
    expect(accessibleLabel('lora', lora)).toMatch(/^lora, PEFT adapter, LoRA r 8, scale 2/);
  });

  it('escapes what a file calls itself', () => {
    const evil = artefact(join(folder, 'x\u001b[2J'), {
      name: '\u202egnp.exe',
      problems: [{ code: 'gguf/offset', message: 'bad \u0007 bell' }],
    });
    const shown = JSON.stringify([
      artefactTooltip(evil),
      accessibleLabel('x', evil),
      outline(buildArtefactTree([evil], { roots })),
    ]);
    // JSON escapes a raw control character with a single backslash; ours has the backslash itself in it.
    expect(shown).toContain('\\\\u001b');
    expect(shown).not.toMatch(/(?<!\\)\\u00(?:1b|07)|\u202e/);
  });
});

describe('the tree of what a scan may say', () => {
  const roots = [{ path: '/w', name: 'w' }];

  it('groups adapters by the base that they miss', () => {
    const adapters = ['a', 'b'].map((name) =>
      artefact(`/w/${name}`, { kind: 'peft-adapter', base: { name: 'Qwen/Qwen3-1.7B', candidates: [] } }),
    );
    const nameless = artefact('/w/c', { kind: 'mlx-adapter', base: { candidates: [] } });
    expect(outline(buildArtefactTree([...adapters, nameless], { roots }))).toEqual([
      'Qwen/Qwen3-1.7B',
      '  a',
      '  b',
      '',
      '  c',
    ]);
  });

  it('puts unused models of the cache to the end, and used ones to the front', () => {
    const cached = (name: string): Artefact =>
      artefact(`/home/u/.cache/huggingface/hub/models--Qwen--${name}/snapshots/abc`, {});
    const adapter = artefact('/w/lora', {
      kind: 'peft-adapter',
      base: { path: cached('Used').path, candidates: [cached('Used').path] },
    });
    const tree = buildArtefactTree([cached('Unused'), cached('Used'), adapter], { roots });
    expect(outline(tree)).toEqual(['Qwen/Used', '  lora', 'Hugging Face cache', '  Qwen/Unused']);
  });

  it('names the folder where there are several', () => {
    const two = [...roots, { path: '/v', name: 'other' }];
    const labels = outline(
      buildArtefactTree([artefact('/w/base', {}), artefact('/v/base', {}), artefact('/elsewhere', {})], { roots: two }),
    );
    expect(labels).toEqual(['w/base', 'other/base', '/elsewhere']);
  });

  it('survives records that go in circles', () => {
    const gguf = (path: string, from: string): Artefact =>
      artefact(path, {
        kind: 'gguf-model',
        base: { path: from, candidates: [from] },
        builtFrom: { base: from, adapters: [], stale: false, changed: [] },
      });
    const tree = buildArtefactTree(
      [gguf('/w/a.gguf', '/w/b.gguf'), gguf('/w/b.gguf', '/w/a.gguf'), gguf('/w/c.gguf', '/w/c.gguf')],
      { roots },
    );
    expect(new Set(outline(tree).map((line) => line.trim()))).toEqual(new Set(['a.gguf', 'b.gguf', 'c.gguf']));
    expect(countNodes(tree)).toBe(3);
  });

  it('folds the parts of a split GGUF', () => {
    const parts = [1, 2, 3].map((number) =>
      artefact(`/w/big-0000${number}-of-00003.gguf`, { kind: 'gguf-split', split: { number, count: 3, missing: [] } }),
    );
    expect(outline(buildArtefactTree(parts, { roots }))).toEqual([
      'big-00001-of-00003.gguf',
      '  big-00002-of-00003.gguf',
      '  big-00003-of-00003.gguf',
    ]);
  });

  it('finds a relative path of a record only where one artefact fits', () => {
    const built = artefact('/w/x.gguf', {
      kind: 'gguf-model',
      builtFrom: { base: 'models/base', adapters: [{ path: './runs/lora', weight: 1 }], stale: false, changed: [] },
    });
    const lora = (path: string): Artefact => artefact(path, { kind: 'peft-adapter' });
    expect(outline(buildArtefactTree([lora('/w/runs/lora'), built], { roots }))).toEqual(['runs/lora', '  x.gguf']);
    expect(outline(buildArtefactTree([lora('/w/runs/lora'), lora('/w/old/runs/lora'), built], { roots }))).toContain(
      'x.gguf',
    );
  });

  it('shows two hundred artefacts and more, each once', () => {
    const many = Array.from({ length: 1000 }, (_, index) =>
      artefact(
        `/w/m${index}`,
        index % 2 === 0 ? {} : { kind: 'peft-adapter', base: { path: `/w/m${index - 1}`, candidates: [] } },
      ),
    );
    const started = performance.now();
    expect(countNodes(buildArtefactTree(many, { roots }))).toBe(1000);
    expect(performance.now() - started).toBeLessThan(HANG_LIMIT);
  });
});
