import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { escapeControls } from '../../src/core/escapeControls';
import { lintText } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { oracleForTests, type GoOracle } from '../support/goOracle';
import { Random } from '../support/random';
import { mutateTemplate, TemplateGenerator } from '../support/templateGenerator';

const cases = Number(process.env['MODELFILE_STUDIO_FUZZ_CASES'] ?? 3000);
const seed = Number(process.env['MODELFILE_STUDIO_FUZZ_SEED'] ?? Date.now() % 1_000_000_000);

interface TemplateAnswer {
  readonly ok: boolean;
  readonly error?: string;
  readonly vars?: readonly string[];
  readonly rendered?: readonly { readonly ok: boolean; readonly panic?: string }[];
}

const message = (role: string, content: string): Record<string, unknown> => ({ role, content });
const parameters = {
  type: 'object',
  required: ['city'],
  properties: { city: { type: 'string', description: 'Name' } },
};
/** The conversations that the rules render. */
const CONVERSATIONS = [
  { messages: [message('user', 'b')] },
  { messages: [message('system', 'a'), message('user', 'b'), message('assistant', 'c'), message('user', 'd')] },
];
const WITH_TOOLS = {
  messages: [
    message('user', 'b'),
    {
      ...message('assistant', ''),
      tool_calls: [{ id: 'call_1', function: { name: 'get_weather', arguments: { city: 'Oslo' } } }],
    },
    { ...message('tool', 'c'), tool_name: 'get_weather', tool_call_id: 'call_1' },
    message('assistant', 'c'),
    message('user', 'd'),
  ],
  tools: [{ type: 'function', function: { name: 'get_weather', description: 'The weather of a city', parameters } }],
};

describe('lint of TEMPLATE, differentially against Ollama', () => {
  let oracle: GoOracle | undefined;
  beforeAll(async () => {
    oracle = await oracleForTests();
  });
  afterAll(() => oracle?.stop());

  it(
    `has an error for ${cases} generated templates from seed ${seed} exactly where Ollama has one`,
    { timeout: 3_600_000 },
    async (context) => {
      if (oracle === undefined) {
        context.skip('Go is not there to build the oracle: nothing was compared.');
        return;
      }
      const seen = { refused: 0, panics: 0, accepted: 0 };
      for (let i = 0; i < cases; i += 1) {
        const random = new Random(seed + i);
        const plain = new TemplateGenerator(random).template();
        const text = `FROM x\nTEMPLATE """${random.chance(0.4) ? mutateTemplate(random, plain) : plain}"""\n`;
        const parsed = parseModelfile(text);
        const template = parsed.verdict.ok
          ? parsed.verdict.commands.findLast(({ name }) => name === 'template')?.args
          : undefined;
        if (template === undefined || template === '') {
          continue;
        }
        const theirs = (await oracle.ask({
          op: 'template',
          text: template,
          values: [...CONVERSATIONS, WITH_TOOLS],
          seconds: 5,
        })) as unknown as TemplateAnswer;
        if ('timeout' in theirs) {
          // A template that calls itself for ever says nothing of either side.
          continue;
        }
        // Tools are tried only where the template names them.
        const runs = theirs.rendered?.slice(0, theirs.vars?.includes('tools') === true ? 3 : 2);
        const panics = runs?.some((run) => run.panic !== undefined) === true;
        const errors = lintText(parsed).filter(({ severity }) => severity === 'error');
        const note = `seed ${seed + i}: ${JSON.stringify(template)} ${JSON.stringify(theirs).slice(0, 300)} ${JSON.stringify(errors)}`;
        expect(
          errors.some(({ code }) => code === 'modelfile/template-syntax'),
          note,
        ).toBe(!theirs.ok);
        expect(
          errors.some(({ code }) => code === 'modelfile/template-panics'),
          note,
        ).toBe(panics);
        if (!theirs.ok) {
          expect(
            errors.map(({ message }) => message.slice(0, 60)),
            note,
          ).toContain(escapeControls(theirs.error ?? '').slice(0, 60));
        }
        seen[!theirs.ok ? 'refused' : panics ? 'panics' : 'accepted'] += 1;
      }
      console.log(`lint fuzz: seed ${seed}, ${JSON.stringify(seen)}, no difference`);
      expect(seen.refused).toBeGreaterThan(0);
      expect(seen.accepted).toBeGreaterThan(0);
    },
  );
});
