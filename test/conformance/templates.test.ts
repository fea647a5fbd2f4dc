import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseTemplate, parseTemplateTolerantly } from '../../src/core/goTemplate/parseTemplate';
import { NEWEST_KNOWN } from '../../src/core/ollama/ollamaTable';
import { answerTemplate, type Rendered, type TemplateAnswer } from '../support/compareTemplate';

interface Records {
  /** The versions whose answers these are; `answer` is the first one's. */
  readonly ollama: readonly [string, ...string[]];
  /** Year, month, day: what `currentDate` gave. */
  readonly recordedOn: readonly [number, number, number];
  readonly conversations: readonly unknown[];
  readonly cases: readonly {
    readonly group: string;
    readonly text: string;
    readonly values: readonly number[];
    readonly answer: TemplateAnswer;
    /** By version, where it answers otherwise. */
    readonly others?: Readonly<Record<string, TemplateAnswer>>;
  }[];
}

/** Written by scripts/record/record-templates.mjs from Ollama's own package. */
const records = JSON.parse(readFileSync(new URL('templates.json', import.meta.url), 'utf8')) as Records;
const [year, month, day] = records.recordedOn;
const now = new Date(year, month - 1, day, 12);
const groups = [...new Set(records.cases.map(({ group }) => group))];

/** Only what does not depend on addresses was recorded, though some of it was printed on the way. */
function withoutAddresses(answer: TemplateAnswer): TemplateAnswer {
  return answer.ok
    ? {
        ...answer,
        rendered: answer.rendered.map(
          (result) =>
            Object.fromEntries(Object.entries(result).filter(([key]) => key !== 'address')) as unknown as Rendered,
        ),
      }
    : answer;
}

describe(`templates, as Ollama ${records.ollama.join(' and ')} took them`, () => {
  it('is the same for every version, the newest that the table knows among them', () => {
    expect(records.ollama).toContain(NEWEST_KNOWN);
    expect(records.ollama).toContain('0.32.15');
    expect(records.cases.filter(({ others }) => others !== undefined)).toEqual([]);
  });

  it('has enough of every kind', () => {
    expect(records.cases.length).toBeGreaterThan(3000);
    const refused = records.cases.filter(({ answer }) => !answer.ok).length;
    const rendered = records.cases.flatMap(({ answer }) => (answer.ok ? answer.rendered : []));
    expect(refused).toBeGreaterThan(400);
    expect(rendered.filter(({ ok }) => ok).length).toBeGreaterThan(2000);
    expect(rendered.filter((result) => !result.ok && result.error !== undefined).length).toBeGreaterThan(1000);
    expect(rendered.filter((result) => !result.ok && result.panic !== undefined).length).toBeGreaterThan(10);
  });

  it.each(groups)('%s: verdict, names, rendered bytes and errors are the same', (group) => {
    for (const { text, values, answer } of records.cases.filter((entry) => entry.group === group)) {
      const ours = withoutAddresses(
        answerTemplate(
          text,
          values.map((index) => records.conversations[index]),
          now,
        ),
      );
      const { ok, ...rest } = answer;
      const theirs = ok ? { ok, ...rest } : { ok, error: (rest as { error: string }).error };
      expect(ours, JSON.stringify(text)).toEqual(theirs);
    }
  });

  it('finds the same first error when it goes on behind errors, and none where there is none', () => {
    for (const { text, answer } of records.cases) {
      const { problems } = parseTemplateTolerantly(text);
      if (answer.ok) {
        expect(problems, JSON.stringify(text)).toEqual([]);
      } else {
        expect(problems[0]?.error, JSON.stringify(text)).toBe(answer.error);
      }
    }
  });

  it('puts every error on the line that its text names', () => {
    for (const { text, answer } of records.cases) {
      const parsed = parseTemplate(text);
      if (!answer.ok && !parsed.ok && parsed.error.startsWith('template:')) {
        expect(parsed.line, JSON.stringify(text)).toBe(Number(/^template: :(\d+)/.exec(answer.error)?.[1]));
      }
    }
  });
});
