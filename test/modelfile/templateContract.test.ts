import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LineIndex } from '../../src/core/modelfile/lineIndex';
import { lintText } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';

interface Case {
  readonly text: string;
  readonly answer: { readonly ok: boolean; readonly error?: string };
}
const { cases } = JSON.parse(readFileSync(new URL('../conformance/templates.json', import.meta.url), 'utf8')) as {
  readonly cases: readonly Case[];
};

/** TEMPLATE begins in the third line of the file. */
const HEAD = 'FROM x\nPARAMETER seed 1\n';
const HEAD_LINES = 2;

/** Errors of a Modelfile with this template; undefined where its value would not be the template. */
function errorsOf(
  text: string,
): { readonly code: string; readonly message: string; readonly line: number }[] | undefined {
  const parsed = parseModelfile(`${HEAD}TEMPLATE """${text}"""\n`);
  if (
    text === '' ||
    parsed.instructions.find(({ keyword }) => keyword === 'TEMPLATE')?.value?.text !== text ||
    parsed.problems.length > 0
  ) {
    return undefined;
  }
  const lines = new LineIndex(parsed.text);
  const errors = lintText(parsed).filter(({ severity }) => severity === 'error');
  return errors.map(({ code, message, span }) => ({
    code,
    message,
    line: lines.position(span.start).line - HEAD_LINES + 1,
  }));
}

describe('errors in TEMPLATE', () => {
  const judged = cases.flatMap(({ text, answer }) => {
    const errors = errorsOf(text);
    return errors === undefined ? [] : [{ text, answer, errors }];
  });

  it('are there where Ollama refuses the template, and nowhere else', () => {
    for (const { text, answer, errors } of judged) {
      expect(
        errors.some(({ code }) => code === 'modelfile/template-syntax'),
        JSON.stringify(text),
      ).toBe(!answer.ok);
    }
    expect(judged.filter(({ answer }) => !answer.ok).length).toBeGreaterThan(300);
    expect(judged.length).toBeGreaterThan(2000);
  });

  it('are called as Go calls them, first of all, on the line of the file that Go’s line is', () => {
    for (const { text, answer, errors } of judged.filter((one) => !one.answer.ok)) {
      const error = answer.error ?? '';
      const first = errors.find(({ message }) => message.startsWith(error.slice(0, 100)));
      expect(first, `${JSON.stringify(text)} ${error} ${JSON.stringify(errors)}`).toBeDefined();
      const line = /^template: :(\d+)/.exec(error)?.[1];
      expect(line === undefined ? undefined : first?.line, JSON.stringify(text)).toBe(
        line === undefined ? undefined : Number(line),
      );
    }
  });
});
