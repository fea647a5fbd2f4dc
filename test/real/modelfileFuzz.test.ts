import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerModelfile, oracleAnswer } from '../support/compareModelfile';
import { oracleForTests, type GoOracle } from '../support/goOracle';
import { writeFilesForModelfiles } from '../support/modelfileFolder';
import { encode, mutate, randomModelfile } from '../support/modelfileGenerator';
import { Random } from '../support/random';

/** MODELFILE_STUDIO_FUZZ_CASES and MODELFILE_STUDIO_FUZZ_SEED repeat or lengthen a run. */
const cases = Number(process.env['MODELFILE_STUDIO_FUZZ_CASES'] ?? 5000);
const seed = Number(process.env['MODELFILE_STUDIO_FUZZ_SEED'] ?? Date.now() % 1_000_000_000);

describe('Modelfiles, differentially against Ollama', () => {
  let oracle: GoOracle | undefined;
  let folder = '';

  beforeAll(async () => {
    oracle = await oracleForTests();
    folder = mkdtempSync(join(tmpdir(), 'modelfiles-'));
    writeFilesForModelfiles(folder);
  });
  afterAll(() => {
    oracle?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it(`agrees on ${cases} generated and mutated files from seed ${seed}`, { timeout: 3_600_000 }, async (context) => {
    if (oracle === undefined) {
      context.skip('Go is not there to build the oracle: nothing was compared.');
      return;
    }
    let accepted = 0;
    for (let i = 0; i < cases; i += 1) {
      const random = new Random(seed + i);
      const plain = randomModelfile(random);
      const text = random.chance(0.3) ? mutate(random, plain) : plain;
      const source = random.chance(0.3) ? encode(random, text) : text;
      const bytes = Buffer.from(source);
      const theirs = oracleAnswer(await oracle.askRaw({ op: 'parse', base64: bytes.toString('base64'), dir: folder }));
      expect(await answerModelfile(source, folder), `seed ${seed + i}: ${JSON.stringify(text)}`).toEqual(theirs);
      accepted += theirs.request === undefined ? 0 : 1;
    }
    console.log(`modelfile fuzz: seed ${seed}, ${cases} cases, ${accepted} accepted with a request, no difference`);
    expect(accepted).toBeGreaterThan(cases / 20);
  });
});
