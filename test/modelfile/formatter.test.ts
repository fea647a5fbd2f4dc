import { describe, expect, it } from 'vitest';
import { applyEdits, formatModelfile } from '../../src/core/modelfile/formatModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { mutate, randomModelfile } from '../support/modelfileGenerator';
import { Random } from '../support/random';

const format = (text: string): string => applyEdits(text, formatModelfile(parseModelfile(text)));
const commands = (text: string): unknown => {
  const { verdict, comments, text: read } = parseModelfile(text);
  return [verdict, comments.map(({ start, end }) => read.slice(start, end).trimEnd())];
};

describe('the formatter', () => {
  it('puts instructions into their usual shape and leaves values alone', () => {
    const text =
      '\n\n  from   llama3.2  \n\n\n\n#  note  \nparameter\tstop   "a  b" \nmessage user """  x\n   y """\t\nSYSTEM \n\n';
    expect(format(text)).toBe(
      'FROM llama3.2\n\n#  note\nPARAMETER stop "a  b"\nMESSAGE user """  x\n   y """\nSYSTEM \n',
    );
  });

  it('keeps the line ends of the file', () => {
    expect(format('from a\r\n\r\n\r\nsystem b\r\n')).toBe('FROM a\r\n\r\nSYSTEM b\r\n');
    expect(format('FROM a\nSYSTEM """x\r\ny"""')).toBe('FROM a\nSYSTEM """x\r\ny"""\n');
  });

  it('leaves a text with errors alone', () => {
    expect(format('from a\nnonsense\n  system b')).toBe('from a\nnonsense\n  system b');
  });

  it('formats a range only', () => {
    const text = 'from a\nsystem b\nparameter seed 1\n';
    const start = text.indexOf('system');
    expect(applyEdits(text, formatModelfile(parseModelfile(text), { start, end: start + 3 }))).toBe(
      'from a\nSYSTEM b\nparameter seed 1\n',
    );
  });

  it('is stable and changes no command, whatever the text', () => {
    let changed = 0;
    for (let seed = 0; seed < 5000; seed += 1) {
      const random = new Random(seed);
      const plain = randomModelfile(random);
      const text = random.chance(0.5) ? mutate(random, plain) : plain;
      const once = format(text);
      // Lines may move, and with them the line of no error: a text with one is not touched.
      expect(commands(once), `seed ${seed}: ${JSON.stringify(text)}`).toEqual(commands(text));
      expect(format(once), `seed ${seed}`).toBe(once);
      changed += once === text ? 0 : 1;
    }
    expect(changed).toBeGreaterThan(500);
  });

  it('changes no command when it formats a range, and nothing far from it', () => {
    let changed = 0;
    for (let seed = 0; seed < 3000; seed += 1) {
      const random = new Random(seed);
      const text = random.chance(0.5) ? mutate(random, randomModelfile(random)) : randomModelfile(random);
      const parsed = parseModelfile(text);
      const start = random.below(parsed.text.length + 1);
      const range = { start, end: Math.min(parsed.text.length, start + random.below(40)) };
      const edits = formatModelfile(parsed, range);
      const once = applyEdits(parsed.text, edits);
      const note = `seed ${seed}: ${JSON.stringify(text)} ${JSON.stringify(range)}`;
      expect(commands(once), note).toEqual(commands(parsed.text));
      expect(
        edits.every(({ span }) => span.start <= range.end && span.end >= range.start),
        note,
      ).toBe(true);
      changed += edits.length > 0 ? 1 : 0;
    }
    expect(changed).toBeGreaterThan(300);
  });

  it('never overlaps edits', () => {
    for (let seed = 0; seed < 500; seed += 1) {
      const parsed = parseModelfile(randomModelfile(new Random(seed)));
      const edits = formatModelfile(parsed);
      expect(
        edits.every(({ span }, i) => span.start >= (edits[i - 1]?.span.end ?? 0)),
        `seed ${seed}`,
      ).toBe(true);
    }
  });
});
