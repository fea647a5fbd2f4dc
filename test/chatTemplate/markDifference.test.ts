import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffSequences } from '../../src/core/diffSequences';
import { markCharacters, markTokens, type MarkedPart } from '../../src/core/chatTemplate/markDifference';

const shown = (parts: readonly MarkedPart[]): string =>
  parts.map(({ text, differs }) => (differs ? `[${text}]` : text)).join('');

/** Length of the longest common subsequence, by the table that everyone knows. */
function common(a: readonly unknown[], b: readonly unknown[]): number {
  const rows = a.reduce<number[]>(
    (row, x) => {
      const next = [0];
      b.forEach((y, j) => next.push(x === y ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!)));
      return next;
    },
    new Array<number>(b.length + 1).fill(0),
  );
  return rows.at(-1)!;
}

describe('marking two prompts', () => {
  it.each([
    ['<|im_end|>\n\n', '<|im_end|>\n', '<|im_end|>\n[\n]', '<|im_end|>\n'],
    ['<a>model\nx', '<a>assistant\nx', '<a>[model]\nx', '<a>[assistant]\nx'],
    ['same', 'same', 'same', 'same'],
    ['', 'new', '', '[new]'],
    ['🏉 won', '🏈 won', '[🏉] won', '[🏈] won'],
  ])('marks %j beside %j', (own, file, left, right) => {
    const pair = markCharacters(own, file);
    expect([shown(pair.own), shown(pair.file)]).toEqual([left, right]);
  });

  it('keeps every token a part of its own', () => {
    const token = (id: number): { id: number; text: string } => ({ id, text: `t${id}` });
    const pair = markTokens([1, 2, 3].map(token), [1, 9, 3].map(token));
    expect([shown(pair.own), shown(pair.file)]).toEqual(['t1[t2]t3', 't1[t9]t3']);
    expect(pair.own).toHaveLength(3);
  });

  it('finds the shortest way, and what is unmarked is the same on both sides', () => {
    const sequence = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 25 });
    fc.assert(
      fc.property(sequence, sequence, (a, b) => {
        const { left, right } = diffSequences(a, b);
        const same = a.filter((_, index) => left[index] === 0);
        expect(b.filter((_, index) => right[index] === 0)).toEqual(same);
        expect(same.length).toBe(common(a, b));
      }),
      { numRuns: 500 },
    );
  });

  it('keeps both prompts whole', () => {
    const words = fc.array(fc.constantFrom('<|im_end|>', '\n', ' ', 'user', 'a', 'é', '🏉'), { maxLength: 30 });
    fc.assert(
      fc.property(words, words, (a, b) => {
        const pair = markCharacters(a.join(''), b.join(''));
        const whole = (parts: readonly MarkedPart[]): string => parts.map(({ text }) => text).join('');
        expect([whole(pair.own), whole(pair.file)]).toEqual([a.join(''), b.join('')]);
        const same = (parts: readonly MarkedPart[]): string => whole(parts.filter(({ differs }) => !differs));
        expect(same(pair.own)).toBe(same(pair.file));
      }),
    );
  });

  it('gives up on texts that have nothing in common, and marks them whole', () => {
    const [a, b] = ['x'.repeat(50_000), 'y'.repeat(50_000)];
    const pair = markCharacters(`begin ${a}`, `begin ${b}`);
    expect(pair.own.map(({ differs }) => differs)).toEqual([false, true]);
  });
});
