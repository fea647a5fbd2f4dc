import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compilePythonPattern } from '../../src/core/formats/adapters/pythonPattern';
import { HANG_LIMIT } from '../support/hangLimit';

/** Patterns that JavaScript and Python read alike, over a small alphabet so that they often match. */
const patterns = fc.letrec<{ item: string; pattern: string }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom('a', 'b', '\\.', '.', '\\d', '[ab]', '[^a]', '[0-9]', '\\w'),
    tie('pattern').map((inner) => `(${inner})`),
    tie('pattern').map((inner) => `(?:${inner})`),
  ),
  pattern: fc
    .array(fc.tuple(tie('item'), fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{0,2}', '{1,}', '*?')), {
      minLength: 0,
      maxLength: 4,
    })
    .chain((items) =>
      fc.constantFrom(
        items.map(([item, quantifier]) => item + quantifier).join(''),
        items.map(([item]) => item).join('|'),
      ),
    ),
})).pattern;

describe('patterns of configurations', () => {
  test('match what the regular expression engine matches', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', '.', '1'), maxLength: 6 });
    fc.assert(
      fc.property(patterns, texts, (pattern, text) => {
        const compiled = compilePythonPattern(pattern);
        expect(compiled).toBeDefined();
        expect(compiled!.matches(text)).toBe(new RegExp(`^(?:${pattern})$`).test(text));
      }),
      { numRuns: 3000 },
    );
  });

  test.each<[string, string, boolean]>([
    ['(.*\\.)?(q_proj)$', 'model.layers.0.self_attn.q_proj', true],
    ['(.*\\.)?(q_proj)$', 'model.layers.0.self_attn.xq_proj', false],
    ['(.*\\.)?(^model.layers.0.self_attn.q_proj)$', 'model.layers.0.self_attn.q_proj', true],
    ['(.*\\.)?(^layers.0.self_attn.q_proj)$', 'model.layers.0.self_attn.q_proj', false],
    ['layers\\.(?:[0-9]|1[0-5])\\..*', 'layers.12.mlp', true],
    ['layers\\.(?:[0-9]|1[0-5])\\..*', 'layers.16.mlp', false],
    ['[]a]+', ']a]', true],
    ['[^\\d.]+', 'a-', true],
    ['a$b', 'a', false],
  ])('%s on %s', (pattern, text, expected) => {
    expect(compilePythonPattern(pattern)?.matches(text)).toBe(expected);
  });

  test.each(['(?=a)', '(?P<n>a)', '\\bq', 'a\\1', '(a', 'a)', '[a', '*', 'a**', 'a{100}', '(?i)a', '\\'])(
    '%s is not understood, and not guessed at',
    (pattern) => {
      expect(compilePythonPattern(pattern)).toBeUndefined();
    },
  );

  test.each([
    '(a+)+$',
    '(a|a)*$',
    '(a|aa)+$',
    '((a{64}){64}){64}',
    `${'('.repeat(20_000)}a${')'.repeat(20_000)}`,
    `${'('.repeat(40)}a${')+'.repeat(40)}`,
    '(.*)*x',
  ])('%# ends at once on a text made to hang it', (pattern) => {
    const started = performance.now();
    compilePythonPattern(pattern)?.matches(`${'a'.repeat(2000)}!`);
    expect(performance.now() - started).toBeLessThan(HANG_LIMIT);
  });
});
