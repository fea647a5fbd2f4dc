import { describe, expect, it } from 'vitest';
import { lintText } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { parseTemplate } from '../../src/core/goTemplate/parseTemplate';
import { oracleAnswer } from '../support/compareModelfile';
import { recordedModelfiles } from '../support/recordedModelfiles';

const { versions, cases } = recordedModelfiles();

/** Errors of CreateRequest that come from the text alone, not from files. */
const VALUE_ERROR = /^(?:unknown parameter|invalid (?:float|int|bool) value|requires must be|json: unsupported value)/;

describe('errors are exactly what Ollama rejects', () => {
  it.each(versions)('on every recorded Modelfile, as %s reads it', (version) => {
    let rejected = 0;
    let judged = 0;
    for (const { source: bytes, answers } of cases) {
      const { ok, commands, requestError } = oracleAnswer(answers.get(version)!);
      // A file that is not there ends CreateRequest before it comes to later values.
      if (requestError !== undefined && !VALUE_ERROR.test(requestError)) {
        continue;
      }
      const template = commands?.findLast(({ name }) => name === 'template')?.args ?? '';
      const refused = !ok || requestError !== undefined || (template !== '' && !parseTemplate(template).ok);
      const errors = lintText(parseModelfile(bytes)).filter(({ severity }) => severity === 'error');
      expect(errors.length > 0, `${JSON.stringify(bytes.toString())} ${JSON.stringify(errors)}`).toBe(refused);
      judged += 1;
      rejected += refused ? 1 : 0;
    }
    expect(judged).toBeGreaterThan(800);
    expect(rejected).toBeGreaterThan(200);
  });
});
