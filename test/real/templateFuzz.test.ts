import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerTemplate, comparable, type TemplateAnswer } from '../support/compareTemplate';
import { ConversationGenerator } from '../support/conversationGenerator';
import { oracleForTests, type GoOracle } from '../support/goOracle';
import { Random } from '../support/random';
import { mutateTemplate, TemplateGenerator } from '../support/templateGenerator';

/** MODELFILE_STUDIO_FUZZ_CASES and MODELFILE_STUDIO_FUZZ_SEED repeat or lengthen a run. */
const cases = Number(process.env['MODELFILE_STUDIO_FUZZ_CASES'] ?? 4000);
const seed = Number(process.env['MODELFILE_STUDIO_FUZZ_SEED'] ?? Date.now() % 1_000_000_000);
const SECONDS = 5;

/** Asks about some templates at once: the oracle answers in order. */
const BATCH = 100;

interface Counts {
  rendered: number;
  failed: number;
  refused: number;
  skipped: number;
}

function compare(where: string, text: string, values: readonly unknown[], theirs: TemplateAnswer & { readonly timeout?: true }, counts: Counts): void {
  const ours = answerTemplate(text, values);
  if (theirs.timeout === true) {
    counts.skipped++;
    return;
  }
  if (!ours.ok || !theirs.ok) {
    expect(ours, where).toEqual(theirs.ok ? theirs : { ok: false, error: theirs.error });
    counts.refused++;
    return;
  }
  expect(ours.vars, where).toEqual(theirs.vars);
  ours.rendered.forEach((mine, index) => {
    const other = theirs.rendered[index];
    const pair = other === undefined ? undefined : comparable(mine, other);
    if (pair === undefined) {
      counts.skipped++;
      return;
    }
    expect(pair[0], `${where} values ${JSON.stringify(values[index])}`).toEqual(pair[1]);
    counts[pair[1].ok ? 'rendered' : 'failed']++;
  });
}

describe('templates, differentially against Ollama', () => {
  let oracle: GoOracle | undefined;

  beforeAll(async () => {
    oracle = await oracleForTests();
  });
  afterAll(() => {
    oracle?.stop();
  });

  async function run(asker: GoOracle, label: string, make: (random: Random) => { text: string; values: unknown[] }): Promise<Counts> {
    const counts = { rendered: 0, failed: 0, refused: 0, skipped: 0 };
    for (let first = 0; first < cases; first += BATCH) {
      const questions = Array.from({ length: Math.min(BATCH, cases - first) }, (_, at) => ({ at: seed + first + at, ...make(new Random(seed + first + at)) }));
      const answers = await Promise.all(questions.map(({ text, values }) => asker.ask({ op: 'template', text, values, seconds: SECONDS })));
      questions.forEach(({ at, text, values }, index) => {
        compare(`seed ${at}: ${JSON.stringify(text)}`, text, values, answers[index] as unknown as TemplateAnswer, counts);
      });
    }
    console.log(`${label}: seed ${seed}, ${cases} templates, ${JSON.stringify(counts)}, no difference`);
    return counts;
  }

  it(`renders ${cases} generated templates alike from seed ${seed}`, { timeout: 3_600_000 }, async (context) => {
    if (oracle === undefined) {
      context.skip('Go is not there to build the oracle: nothing was compared.');
      return;
    }
    const counts = await run(oracle, 'template fuzz', (random) => {
      const text = new TemplateGenerator(random, 0.0005).template();
      const values = random.times(1, 2, () => new ConversationGenerator(random).values());
      return { text: random.chance(0.03) ? mutateTemplate(random, text) : text, values };
    });
    expect(counts.rendered).toBeGreaterThan(cases / 5);
  });

  it(`evaluates ${cases} generated expressions alike from seed ${seed}`, { timeout: 3_600_000 }, async (context) => {
    if (oracle === undefined) {
      context.skip('Go is not there to build the oracle: nothing was compared.');
      return;
    }
    const values = [{ messages: [{ role: 'user', content: 'é\n' }], tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: { a: { type: 'string' } } } } }] }];
    const counts = await run(oracle, 'expression fuzz', (random) => ({ text: `{{ if .Messages }}${new TemplateGenerator(random, 0).expression()}{{ end }}`, values }));
    expect(counts.rendered).toBeGreaterThan(cases / 3);
  });

  it(`accepts and refuses ${cases} mutated templates alike from seed ${seed}`, { timeout: 3_600_000 }, async (context) => {
    if (oracle === undefined) {
      context.skip('Go is not there to build the oracle: nothing was compared.');
      return;
    }
    const counts = await run(oracle, 'template syntax fuzz', (random) => {
      const text = new TemplateGenerator(random, 0.03).template();
      return { text: random.chance(0.6) ? mutateTemplate(random, text) : text, values: [] };
    });
    expect(counts.refused).toBeGreaterThan(cases / 5);
  });
});
