import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { lintText } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { parseTemplate } from '../../src/core/goTemplate/parseTemplate';
import { oracleAnswer } from '../support/compareModelfile';

const recorded = readFileSync(new URL('../conformance/modelfiles.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as { readonly source: string; readonly answer: string });

/** Errors of CreateRequest that come from the text alone, not from files. */
const VALUE_ERROR = /^(?:unknown parameter|invalid (?:float|int|bool) value|requires must be|json: unsupported value)/;

describe('errors are exactly what Ollama rejects', () => {
  it('on every recorded Modelfile', () => {
    let rejected = 0;
    let judged = 0;
    for (const { source, answer } of recorded) {
      const { ok, commands, requestError } = oracleAnswer(answer);
      // A file that is not there ends CreateRequest before it comes to later values.
      if (requestError !== undefined && !VALUE_ERROR.test(requestError)) {
        continue;
      }
      const template = commands?.findLast(({ name }) => name === 'template')?.args ?? '';
      const refused = !ok || requestError !== undefined || (template !== '' && !parseTemplate(template).ok);
      const bytes = Buffer.from(source, 'base64');
      const errors = lintText(parseModelfile(bytes)).filter(({ severity }) => severity === 'error');
      expect(errors.length > 0, `${JSON.stringify(bytes.toString())} ${JSON.stringify(errors)}`).toBe(refused);
      judged += 1;
      rejected += refused ? 1 : 0;
    }
    expect(judged).toBeGreaterThan(800);
    expect(rejected).toBeGreaterThan(200);
  });
});
