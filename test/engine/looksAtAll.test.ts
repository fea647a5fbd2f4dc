import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deltaFacts } from '../../src/node/engine/deltaFacts';
import { prepareBuild } from '../../src/node/engine/prepareBuild';
import { verifyFile } from '../../src/node/engine/verifyFile';
import { FIXTURES } from '../support/cli';
import { temporaryFolder } from '../support/models';
import { writeTensors } from '../support/tensors';

const folder = temporaryFolder();
const MIB = 1024 * 1024;

describe('verify looks at every value', () => {
  const header = Buffer.from(
    JSON.stringify({ w: { dtype: 'F32', shape: [9 * 256, 1024], data_offsets: [0, 9 * MIB] } }),
  );
  const values = 9 * MIB;
  /** It reads 4 MiB at a time: the first and last value of each piece, and the places around. */
  const places = [0, 4, 4 * MIB - 4, 4 * MIB, 4 * MIB + 4, 5 * MIB, 8 * MIB - 4, 8 * MIB, 8 * MIB + 512, values - 4];

  it.each(places)('a NaN at byte %i', async (place) => {
    const data = Buffer.alloc(8 + header.length + values);
    data.writeBigUInt64LE(BigInt(header.length));
    header.copy(data, 8);
    data.writeFloatLE(NaN, 8 + header.length + place);
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `nan-${place}.safetensors`);
    writeFileSync(path, data);
    const { ok, problems } = await verifyFile(path);
    expect(ok).toBe(false);
    expect(problems[0]!.code).toBe('safetensors/values');
    expect(problems[0]!.message).toContain(`from value ${place / 4} on`);
  });
});

it('verify names the types whose values it cannot look at, integers aside', async () => {
  const path = join(folder, 'types.safetensors');
  const at = (dtype: string): { dtype: string; shape: number[]; bytes: Uint8Array } => ({
    dtype,
    shape: [16],
    bytes: new Uint8Array({ F8_E8M0: 16, U8: 16, I64: 128, F32: 64, F64: 128, F8_E4M3: 16 }[dtype] ?? 0),
  });
  const dtypes = ['F8_E8M0', 'U8', 'I64', 'F32', 'F64', 'F8_E4M3'];
  writeTensors(path, Object.fromEntries(dtypes.map((dtype) => [dtype.toLowerCase(), at(dtype)])));
  expect(await verifyFile(path)).toMatchObject({ ok: true, unreadTypes: ['F8_E8M0'] });
});

describe("a look at the adapter's numbers", () => {
  it.each([-3, 0.25, 2])('counts its weight of %f', async (weight) => {
    const factsAt = async (adapterWeight: number): ReturnType<typeof deltaFacts> =>
      deltaFacts(
        await prepareBuild({
          base: join(FIXTURES, 'rugby/base'),
          adapters: [{ path: join(FIXTURES, 'rugby/lora'), weight: adapterWeight }],
          fileType: 'Q8_0',
          output: join(folder, 'never.gguf'),
          layout: 'quantised',
        }),
      );
    const [one, weighted] = [await factsAt(1), await factsAt(weight)];
    expect(one.largest).toBeGreaterThan(0);
    expect(weighted.largest! / one.largest!).toBeCloseTo(Math.abs(weight), 6);
    expect(weighted.smallest! / one.smallest!).toBeCloseTo(Math.abs(weight), 6);
  });
});
