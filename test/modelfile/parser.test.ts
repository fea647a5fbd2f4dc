import { describe, expect, it } from 'vitest';
import type { Span } from '../../src/core/modelfile/modelfileTypes';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { indexInValue, offsetInDocument } from '../../src/core/modelfile/scanValue';
import { mutate, randomModelfile } from '../support/modelfileGenerator';
import { Random } from '../support/random';

const cut = (text: string, span: Span): string => text.slice(span.start, span.end);

const droppedUnits = (dropped: readonly number[]): number =>
  dropped.reduce((sum, at, i) => sum + (i % 2 === 0 ? -at : at), 0);

describe('the tolerant tree', () => {
  it('keeps exact ranges of keyword, name, value and comment', () => {
    const text = 'FROM ./a.gguf \n# note\nPARAMETER stop "<|im_end|>"  \nMESSAGE user """hi\nthere"""\n';
    const { instructions, comments, problems } = parseModelfile(text);
    expect(problems).toEqual([]);
    expect(comments.map((span) => cut(text, span))).toEqual(['# note']);
    expect(instructions.map((i) => [i.keyword, i.name?.text, i.value?.text, cut(text, i.span)])).toEqual([
      ['FROM', undefined, './a.gguf', 'FROM ./a.gguf'],
      ['PARAMETER', 'stop', '<|im_end|>', 'PARAMETER stop "<|im_end|>"'],
      ['MESSAGE', 'user', 'hi\nthere', 'MESSAGE user """hi\nthere"""'],
    ]);
    expect(instructions.map(({ value }) => value && cut(text, value.content))).toEqual([
      './a.gguf',
      '<|im_end|>',
      'hi\nthere',
    ]);
  });

  it('maps between the value and the text around characters that Ollama drops', () => {
    const text = 'SYSTEM "\u200ba\u200d\u00adb"\nFROM x';
    const value = parseModelfile(text).instructions[0]?.value;
    expect(value?.text).toBe('ab');
    expect(value?.dropped).toEqual([8, 9, 10, 12]);
    if (value !== undefined) {
      expect(text[indexOfB(text)]).toBe('b');
      expect(indexInValue(value, indexOfB(text))).toBe(1);
      expect(text.slice(offsetInDocument(value, 0), offsetInDocument(value, 2))).toContain('b');
    }
  });

  const indexOfB = (text: string): number => text.indexOf('b');

  it('takes lines of prose after an unquoted SYSTEM for one problem', () => {
    const { problems, instructions } = parseModelfile(
      'FROM x\nSYSTEM You are\nvery helpful\nand kind.\n\nPARAMETER seed 1\nalso wrong\n',
    );
    expect(problems.map(({ kind, word, lines }) => [kind, word, lines])).toEqual([
      ['unknown-instruction', 'very', 2],
      ['unknown-instruction', 'also', 1],
    ]);
    expect(instructions.filter(({ keyword }) => keyword !== undefined).map(({ keyword }) => keyword)).toEqual([
      'FROM',
      'SYSTEM',
      'PARAMETER',
    ]);
  });

  it('goes on after a quote that never closes, and reports only the quote', () => {
    const text = 'FROM x\nSYSTEM """You are\nhelpful\nPARAMETER stop a\nMESSAGE user "b\nTEMPLATE c\n';
    const { problems, instructions, verdict } = parseModelfile(text);
    expect(verdict).toEqual({ ok: false, error: 'unexpected EOF' });
    expect(problems.map(({ kind, span }) => [kind, cut(text, span)])).toEqual([['unclosed-quote', '"""']]);
    expect(instructions.map(({ keyword, value }) => [keyword, value?.text])).toEqual([
      ['FROM', 'x'],
      ['SYSTEM', 'You are\nhelpful'],
      ['PARAMETER', 'a'],
      ['MESSAGE', 'b'],
      ['TEMPLATE', 'c'],
    ]);
  });

  it('knows which word is wrong', () => {
    const problem = (text: string): unknown =>
      parseModelfile(text).problems.map(({ kind, span }) => [kind, cut(text, span)])[0];
    expect(problem('FROM x\nPARAMETER num-ctx 1')).toEqual(['parameter-name', 'num-ctx']);
    expect(problem('FROM x\nMESSAGE User hi')).toEqual(['message-role', 'User']);
    expect(problem('FROM x\nMESSAGE user')).toEqual(['missing-value', 'MESSAGE user']);
    expect(problem('FROM x\nSYSTEM\n')).toEqual(['missing-value', 'SYSTEM']);
    expect(problem('SYSTEM x')).toEqual(['no-from', '']);
  });

  it('has ranges within the text and in order, whatever the text', () => {
    for (let seed = 0; seed < 3000; seed += 1) {
      const random = new Random(seed);
      const source = mutate(random, randomModelfile(random));
      const { text, instructions, problems, comments } = parseModelfile(source);
      expect(text.length).toBe(source.length);
      let last = 0;
      for (const { span, keywordSpan, name, value } of instructions) {
        const parts = [
          keywordSpan,
          ...(name === undefined ? [] : [name.span]),
          ...(value === undefined ? [] : [value.span]),
        ];
        expect(span.start, `seed ${seed}`).toBeGreaterThanOrEqual(last);
        expect(
          parts.every((part) => part.start >= span.start && part.end <= span.end && part.start <= part.end),
          `seed ${seed}`,
        ).toBe(true);
        last = span.end;
        if (value !== undefined) {
          expect(value.content.start >= value.span.start && value.content.end <= value.span.end, `seed ${seed}`).toBe(
            true,
          );
          expect(cut(text, value.content).length - droppedUnits(value.dropped)).toBe(value.text.length);
        }
      }
      expect(last).toBeLessThanOrEqual(text.length);
      expect(
        [...problems.map(({ span }) => span), ...comments].every(
          ({ start, end }) => start <= end && end <= text.length,
        ),
      ).toBe(true);
    }
  });
});

describe('time', () => {
  const size = 1024 * 1024;
  const fill = (piece: string): string => piece.repeat(Math.ceil(size / piece.length)).slice(0, size);
  const shapes: readonly (readonly [string, () => string])[] = [
    ['one quote that never closes', () => `SYSTEM """${fill('a b\n')}`],
    ['quotes that never close on every line', () => fill('SYSTEM """x\n')],
    ['unknown words with open quotes', () => fill('foo "x y\n')],
    ['one line', () => `FROM ${fill('x')}`],
    ['short lines', () => fill('x\n')],
    ['newlines in a quote', () => `SYSTEM "${fill('\n')}`],
    ['spaces', () => `SYSTEM "${fill(' ')}`],
    ['quotes', () => `SYSTEM ${fill('"')}`],
    ['characters that are dropped', () => `SYSTEM "${fill('\u200b')}"`],
    ['letters beyond ASCII', () => `SYSTEM "${fill('語🦙')}"`],
    ['comments', () => fill('# c\n')],
    ['parameters', () => fill('PARAMETER stop "a"\n')],
    ['blank lines before instructions', () => `SYSTEM """${fill('\n   FROM')}`],
  ];

  /** Of processor time, the best of some runs. */
  const milliseconds = (text: string): number => {
    const times = [0, 1, 2].map(() => {
      const begin = process.cpuUsage();
      parseModelfile(text);
      const { user, system } = process.cpuUsage(begin);
      return (user + system) / 1000;
    });
    return Math.min(...times);
  };

  // The bound of 200 ms on a quiet machine is measured in bench/; here a slow one must pass, a quadratic one must not.
  it.each(shapes)('grows with the length for %s', (_, make) => {
    const text = make();
    const small = milliseconds(make().slice(0, size / 10));
    expect(milliseconds(text)).toBeLessThan(30 * small + 400);
  });
});
