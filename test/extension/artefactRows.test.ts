import { describe, expect, it } from 'vitest';
import type { Artefact } from '../../src/core/artefacts/artefact';
import { artefactTags } from '../../src/extension/artefacts/artefactTags';
import { artefactRows } from '../../src/extension/wizard/artefactRows';

const ROOT = '/work space/runs';
const hour = (n: number): string => `2026-11-2${n < 24 ? 7 : 6}T${String(23 - (n % 24)).padStart(2, '0')}:00:00.000Z`;
const rowsOf = (artefacts: readonly Artefact[]): ReturnType<typeof artefactRows> =>
  artefactRows(artefacts, {
    filter: (artefact) => artefactTags(artefact).includes('buildable'),
    roots: [{ path: ROOT, name: 'runs' }],
    relativeTime: (time) => `at ${time.slice(11, 13)}`,
  });

function run(name: string, age: number, best?: number): Artefact[] {
  const path = `${ROOT}/${name}`;
  const steps = [90, 180, 1000].map((step): Artefact => ({
    path: `${path}/checkpoint-${step}`,
    kind: 'checkpoint',
    content: 'peft-adapter',
    partOf: path,
    bytes: 1,
    modified: hour(age),
    step,
    loss: 1 / step,
    isBest: step === best,
    problems: [],
  }));
  return [{ path, kind: 'trainer-output', content: 'peft-adapter', bytes: 1, problems: [] }, ...steps];
}

const base: Artefact = { path: `${ROOT}/models/base`, kind: 'model', bytes: 9, modified: hour(1), problems: [] };
const broken: Artefact = {
  path: `${ROOT}/outputs-old/adapter_model.safetensors`,
  kind: 'truncated',
  bytes: 3,
  modified: hour(0),
  problems: [{ code: 'safetensors/truncated', message: 'It is cut short.' }],
};

describe('the rows of a list of artefacts', () => {
  it('tell fifteen checkpoint-1000 apart, by names that are all different', () => {
    const rows = rowsOf(Array.from({ length: 15 }, (_, index) => run(`night-${index}`, index)).flat());
    expect(rows).toHaveLength(60);
    expect(new Set(rows.map(({ label }) => label)).size).toBe(60);
    expect(rows.map(({ label }) => label)).toContain('night-7/checkpoint-1000');
  });

  it('begin with the newest run, its folder, its measured best, then the last step', () => {
    const rows = rowsOf([...run('old', 30), base, broken, ...run('new', 2, 180)]);
    expect(rows.map(({ label }) => label)).toEqual([
      'new',
      'new/checkpoint-180',
      'new/checkpoint-1000',
      'new/checkpoint-90',
      'old',
      'old/checkpoint-1000',
      'old/checkpoint-180',
      'old/checkpoint-90',
      'models/base',
      'outputs-old/adapter_model.safetensors',
    ]);
    expect(rows.map(({ group }) => group)).toEqual([...Array<string>(8).fill('adapters'), 'models', 'unusable']);
  });

  it('say step, loss, time and place, and why something cannot be taken', () => {
    const rows = rowsOf([...run('new', 2, 180), broken]);
    expect(rows[1]).toMatchObject({ icon: 'milestone', detail: 'new/checkpoint-180' });
    expect(rows[1]!.description).toMatch(/step 180 · loss 0\.00556 · best · at 21$/);
    expect(rows.at(-1)).toMatchObject({ icon: 'error', detail: expect.stringContaining('It is cut short.') as string });
  });

  it('put a folder whose weights are damaged among what cannot be taken', () => {
    const [folder] = run('old', 1);
    const problems = [{ code: 'safetensors/truncated', message: 'It is cut short.' }];
    expect(rowsOf([{ ...folder!, problems }])[0]!.group).toBe('unusable');
    expect(rowsOf([{ ...folder!, problems: [{ code: 'adapter/base-missing', message: 'No base.' }] }])[0]!.group).toBe(
      'adapters',
    );
  });

  it('lengthen names that are alike until they differ, whatever the system', () => {
    const at = (path: string): Artefact => ({ path, kind: 'peft-adapter', bytes: 1, problems: [] });
    const rows = rowsOf(['/a/x/adapters', '/b/x/adapters', '/c/y/adapters', 'C:\\t\\z\\lora'].map(at));
    expect(rows.map(({ label }) => label).sort()).toEqual(['a/x/adapters', 'b/x/adapters', 'y/adapters', 'z/lora']);
    const cached = at('/c/models--Qwen--Qwen3-0.6B/snapshots/0123abc');
    expect(rowsOf([cached]).map(({ label }) => label)).toEqual(['Qwen3-0.6B']);
  });

  it('are made in time that grows with their number', () => {
    const many = Array.from({ length: 3000 }, (_, index) => run(`r-${index}`, index % 24)).flat();
    expect(rowsOf(many)).toHaveLength(12_000);
  });
});
