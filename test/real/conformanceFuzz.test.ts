import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reportLines } from '../support/fuzz';
import { oracleForTests, type GoOracle } from '../support/goOracle';
import { fuzzGlobs, fuzzModelfiles, fuzzTemplates } from '../support/runFuzz';

/** MODELFILE_STUDIO_FUZZ_CASES and MODELFILE_STUDIO_FUZZ_SEED repeat or lengthen a run; `npm run test:fuzz` is the long one. */
const cases = Number(process.env['MODELFILE_STUDIO_FUZZ_CASES'] ?? 5000);
const seed = Number(process.env['MODELFILE_STUDIO_FUZZ_SEED'] ?? Date.now() % 1_000_000_000);

describe('differentially against Ollama', () => {
  let oracle: GoOracle | undefined;

  beforeAll(async () => {
    oracle = await oracleForTests();
  });
  afterAll(() => {
    oracle?.stop();
  });

  it(
    `${cases} Modelfiles from seed ${seed} get the same verdict, commands and request`,
    { timeout: 3_600_000 },
    async (context) => {
      if (oracle === undefined) {
        context.skip('Go is not there to build the oracle: nothing was compared.');
        return;
      }
      const report = await fuzzModelfiles({ cases, seed, oracle });
      console.log(reportLines(report).join('\n'));
      expect(report.differences).toEqual([]);
      expect(report.counts['request']).toBeGreaterThan(cases / 20);
      expect(report.counts['no request']).toBeGreaterThan(cases / 20);
    },
  );

  it(`${cases} templates from seed ${seed} get the same verdict and text`, { timeout: 3_600_000 }, async (context) => {
    if (oracle === undefined) {
      context.skip('Go is not there to build the oracle: nothing was compared.');
      return;
    }
    const report = await fuzzTemplates({ cases, seed, oracle });
    console.log(reportLines(report).join('\n'));
    expect(report.differences).toEqual([]);
    expect(report.counts['rendered']).toBeGreaterThan(cases / 5);
    expect(report.counts['refused']).toBeGreaterThan(cases / 10);
    expect(report.counts['failed']).toBeGreaterThan(cases / 10);
  });

  it(
    `${cases} patterns in FROM and DRAFT from seed ${seed} find the same files`,
    { timeout: 3_600_000 },
    async (context) => {
      if (oracle === undefined) {
        context.skip('Go is not there to build the oracle: nothing was compared.');
        return;
      }
      const report = await fuzzGlobs({ cases, seed, oracle });
      console.log(reportLines(report).join('\n'));
      expect(report.differences).toEqual([]);
      expect(report.counts['files']).toBeGreaterThan(cases / 10);
      expect(report.counts['bad pattern']).toBeGreaterThan(cases / 20);
    },
  );
});
