import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeGgufHeader } from '../../src/core/formats/gguf/writeGguf';
import { FIXTURES, runCli, runCliOk } from '../support/cli';
import { describeGguf } from '../support/describeGguf';
import { temporaryFolder } from '../support/models';
import { splitGguf } from '../support/splitGguf';
import { errorCode } from '../support/startCli';

const BASE = join(FIXTURES, 'rugby', 'base');
const folder = temporaryFolder();
let f32: string;
let f16: string;

beforeAll(async () => {
  [f32, f16] = [join(folder, 'f32.gguf'), join(folder, 'f16.gguf')];
  await runCliOk(['convert', '--base', BASE, '--type', 'F32', '--out', f32]);
  await runCliOk(['convert', '--base', BASE, '--type', 'F16', '--out', f16]);
});

const fresh = (name = 'out.gguf'): string => join(mkdtempSync(join(folder, 'q-')), name);

async function quantize(input: string, type: string, ...more: string[]): Promise<string> {
  const out = fresh();
  await runCliOk(['quantize', input, out, type, ...more]);
  return out;
}

describe('quantize', () => {
  it.each(['Q4_K_M', 'Q8_0', 'F16', 'IQ4_XS'])(
    '%s from a folder, from F32 and from its own conversion: one file',
    async (type) => {
      const folderWay = fresh();
      await runCliOk(['build', '--base', BASE, '--type', type, '--out', folderWay]);
      for (const input of [BASE, f32]) {
        const out = await quantize(input, type);
        expect(readFileSync(out).equals(readFileSync(folderWay)), basename(input)).toBe(true);
      }
    },
  );

  it('a split model becomes one file, whichever part is named', async () => {
    const whole = readFileSync(await quantize(f32, 'Q4_K_M'));
    for (const count of [2, 5]) {
      const parts = await splitGguf(f32, count, folder);
      for (const part of [parts[0]!, parts.at(-1)!]) {
        const out = fresh();
        const run = await runCli(['quantize', part, out, 'Q4_K_M', '--json']);
        expect(run.code, `${basename(part)}: ${run.stdout}`).toBe(0);
        expect(readFileSync(out).equals(whole), basename(part)).toBe(true);
      }
    }
  });

  it('a split model that lacks a part, or whose parts lost their names, is refused', async () => {
    const [first, second] = await splitGguf(f32, 3, folder);
    const at = mkdtempSync(join(folder, 'lost-'));
    writeFileSync(join(at, basename(first!)), readFileSync(first!));
    const lost = await runCli(['quantize', join(at, basename(first!)), fresh(), 'Q8_0', '--json']);
    expect(errorCode(lost), lost.stdout).toBe('input/missing');
    writeFileSync(join(at, 'part2.gguf'), readFileSync(second!));
    const renamed = await runCli(['quantize', join(at, 'part2.gguf'), fresh(), 'Q8_0', '--json']);
    expect(errorCode(renamed), renamed.stdout).toBe('input/missing');
  });

  it('an output among the parts of its input is refused', async () => {
    const parts = await splitGguf(f32, 2, folder);
    const run = await runCli(['quantize', parts[0]!, parts[1]!, 'Q8_0', '--force', '--json']);
    expect(errorCode(run), run.stdout).toBe('output/is-input');
  });

  it('quantised inputs are refused without --allow-requantize, and warned about with it', async () => {
    const q4 = await quantize(f32, 'Q4_K_M');
    const refused = await runCli(['quantize', q4, fresh(), 'Q2_K', '--json']);
    expect(errorCode(refused)).toBe('quantize/requantize');
    const allowed = await runCliOk(['quantize', q4, fresh(), 'Q2_K', '--allow-requantize']);
    expect(JSON.stringify(allowed['warnings'])).toContain('quantize/requantize');
  });

  it('the same type again copies the tensors to the bit', async () => {
    const once = describeGguf(await quantize(f32, 'Q4_K_M'));
    const again = describeGguf(await quantize(await quantize(f32, 'Q4_K_M'), 'Q4_K_M'));
    expect(again.tensors).toEqual(once.tensors);
    expect(again.metadata).toEqual(once.metadata);
  });

  it("from F16 the values are F16's: Q8_0 differs from F32's way, F16 is a copy", async () => {
    const copied = describeGguf(await quantize(f16, 'F16'));
    const own = new Map(describeGguf(f16).tensors.map(({ name, sha256 }) => [name, sha256]));
    copied.tensors.forEach(({ name, sha256 }) => expect(sha256, name).toBe(own.get(name)));
  });

  it('what is no model is refused', async () => {
    const adapter = fresh('adapter.gguf');
    const { header } = encodeGgufHeader({
      metadata: [
        ['general.architecture', { type: 'string', value: 'llama' }],
        ['general.type', { type: 'string', value: 'adapter' }],
      ],
      tensors: [],
    });
    writeFileSync(adapter, header);
    expect(errorCode(await runCli(['quantize', adapter, fresh(), 'Q8_0', '--json']))).toBe('gguf/metadata');
    expect((await runCli(['quantize', f32, fresh(), 'Q9_9', '--json'])).code).toBe(2);
    expect((await runCli(['quantize', f32, '--json'])).code).toBe(2);
  });
});
