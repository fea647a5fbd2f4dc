import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oracleForTests, type GoOracle, type OracleAnswer } from '../support/goOracle';

/** A text of 16 GB, by doubling one of a million characters. */
const HUGE = `{{ $x := printf "%1000000s" "" }}${'{{ $x = printf "%s%s" $x $x }}'.repeat(14)}{{ len $x }}`;
/** Much work for a while, without much memory. */
const LONG = `{{ range $i, $a := .Messages }}${'{{ range $.Messages }}'.repeat(12)}{{ end }}${'{{ end }}'.repeat(12)}`;
const SMALL = {
  op: 'template',
  text: '{{ range .Messages }}here{{ end }}',
  values: [{ messages: [{ role: 'user', content: 'a' }] }],
};

describe('the oracle', () => {
  let oracle: GoOracle | undefined;
  beforeAll(async () => {
    oracle = await oracleForTests();
  });
  afterAll(() => oracle?.stop());

  it.each([
    ['fills the memory', HUGE, 60],
    ['does not come to an end in time', LONG, 0.2],
  ])(
    'has no verdict on a template that %s, and answers what was asked before and after it from a fresh process',
    { timeout: 120_000 },
    async (_what, text, seconds) => {
      if (oracle === undefined) {
        throw new Error('Go is not there to build the oracle.');
      }
      await oracle.version();
      const first = oracle.pid;
      const messages = Array.from({ length: 100 }, (_, at) => ({
        role: at % 2 === 0 ? 'user' : 'assistant',
        content: 'a',
      }));
      const questions = [SMALL, SMALL, { op: 'template', text, values: [{ messages }], seconds }, SMALL, SMALL];
      const answers = await Promise.all(questions.map((question) => oracle!.ask(question)));
      const rendered = ({
        rendered: [one] = [],
      }: OracleAnswer & { rendered?: readonly { text?: string }[] }): unknown => one?.text ?? 'none';
      expect(answers.map(rendered)).toEqual(['here', 'here', 'none', 'here', 'here']);
      expect(JSON.stringify(answers[2])).toContain('"timeout":true');
      expect(oracle.pid).not.toBe(first);
    },
  );
});
