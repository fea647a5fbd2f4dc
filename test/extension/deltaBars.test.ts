import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deltaBars, DeltaMeter } from '../../src/extension/artefacts/deltaBars';
import { collectArtefacts } from '../../src/node/artefacts/scanArtefacts';
import { FIXTURES, ROOT } from '../support/cli';

describe('the bars of a delta', () => {
  const cell = (
    layer: number,
    ratio?: number,
    delta?: number,
  ): { layer: number; ratio: number | undefined; delta: number | undefined } => ({ layer, ratio, delta });

  it('are one a layer, by the largest of its modules', () => {
    expect(deltaBars([cell(1, 0.4), cell(0, 0.05), cell(0, 0.1), cell(2, 0), cell(-1, 9)])).toBe(
      '▃█▁  layers 0 to 2: |ΔW|/|W| 0 to 0.4',
    );
    expect(deltaBars([cell(0, undefined, 2), cell(1, undefined, 1)])).toBe('█▅  layers 0 to 1: |ΔW| 1 to 2');
  });

  it('are none where nothing was measured', () => {
    expect(deltaBars([])).toBeUndefined();
    expect(deltaBars([cell(0), cell(1, Number.NaN)])).toBeUndefined();
    expect(deltaBars([cell(0, 0), cell(1, 0)])).toBe('▁▁  layers 0 to 1: |ΔW|/|W| 0 to 0');
  });

  it('come from the real adapter against its base, and fit what the plan says of it', async () => {
    const meter = new DeltaMeter(join(ROOT, 'dist/viewerWorker.js'), () => undefined);
    const lora = (await collectArtefacts([join(FIXTURES, 'rugby')])).find(({ path }) => path.endsWith('/lora'))!;
    const bars = await meter.of(lora);
    // The plan of the same adapter: |ΔW|/|W| 0.22 to 0.60 over single modules.
    expect(bars).toMatch(/^[▁▂▃▄▅▆▇█]{4} {2}layers 0 to 3: \|ΔW\|\/\|W\| 0\.\d+ to 0\.6$/);
    expect(await meter.of({ ...lora, path: '/nowhere/lora' })).toBeUndefined();
  });
});
