import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { executeTemplate } from '../../src/core/goTemplate/executeTemplate';
import { decodeConversation } from '../../src/core/goTemplate/ollama/decodeConversation';
import { parseOrderedJson } from '../../src/core/goTemplate/ollama/orderedJson';
import { checkTemplate, parseTemplate, type TemplateParse } from '../../src/core/goTemplate/parseTemplate';
import { ConversationGenerator } from '../support/conversationGenerator';
import { Random } from '../support/random';
import { mutateTemplate, TemplateGenerator } from '../support/templateGenerator';
import { FAULTS } from './faults';
import { SHAPES } from './shapes';

const BUDGET = { steps: 20_000, depth: 100, bytes: 64 * 1024 };

/** Pieces that cost the most, to be nested in each other. */
const COSTLY = [
  (inside: string) => `{{ range 1000000 }}${inside}{{ end }}`,
  (inside: string) => `{{ range $.Messages }}${inside}{{ end }}`,
  (inside: string) => `{{ with print $ $ }}${inside}{{ . }}{{ end }}`,
  (inside: string) => `{{ block "b${inside.length}" $ }}${inside}{{ template "b${inside.length}" . }}{{ end }}`,
  (inside: string) => `{{ $x := printf "%100000d" 1 }}${inside}{{ print $x $x | html | js | urlquery | json }}`,
  (inside: string) => `{{ if and (or (not (len (print $))) 1) }}${inside}{{ end }}`,
  (inside: string) => `{{ printf "%[1]*[2]v%-99999999d%.99999999f" 999999 $ 1 1.5 }}${inside}`,
];

describe('a template that is read without its tree', () => {
  it('gets the same verdict, names and definitions', () => {
    const told = (parsed: TemplateParse): unknown =>
      parsed.ok
        ? {
            vars: parsed.template.vars,
            appends: parsed.template.appendsResponse,
            names: [...parsed.template.trees.keys()],
            definitions: parsed.template.definitions.length,
          }
        : parsed;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = new Random(seed);
        const text = new TemplateGenerator(random, 0.02).template();
        const changed = random.chance(0.5) ? mutateTemplate(random, text) : text;
        expect(told(checkTemplate(changed))).toEqual(told(parseTemplate(changed)));
      }),
      { numRuns: 3000 },
    );
    for (const text of [...FAULTS, ...SHAPES]) {
      expect(told(checkTemplate(text)), text).toEqual(told(parseTemplate(text)));
    }
  });
});

describe('a template that is out to cost', () => {
  it('ends with text, an error of Go, or its budget: it never throws', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = new Random(seed);
        let text = random.chance(0.5)
          ? mutateTemplate(random, new TemplateGenerator(random, 0.001).template())
          : '{{ .Messages }}';
        for (let depth = random.below(6); depth > 0; depth -= 1) {
          text = random.pick(COSTLY)(text);
        }
        const parsed = parseTemplate(text);
        if (!parsed.ok) {
          seen.add('refused');
          return;
        }
        const values = decodeConversation(parseOrderedJson(JSON.stringify(new ConversationGenerator(random).values())));
        const result = executeTemplate(parsed.template, values, { budget: BUDGET });
        seen.add(result.ok ? 'text' : result.fault);
        expect(result.ok ? result.bytes.length : 0).toBeLessThanOrEqual(BUDGET.bytes);
      }),
      { numRuns: 1500 },
    );
    expect([...seen].sort()).toEqual(expect.arrayContaining(['budget', 'error', 'refused', 'text']));
  });

  it.each([
    ['parentheses', (depth: number) => `{{ ${'('.repeat(depth)}1${')'.repeat(depth)} }}`],
    ['parentheses with fields', (depth: number) => `{{ ${'('.repeat(depth)}.${').A'.repeat(depth)} }}`],
    ['nested calls', (depth: number) => `{{ ${'print ('.repeat(depth)}1${')'.repeat(depth)} }}`],
    ['nested conditions', (depth: number) => `{{ ${'and 1 ('.repeat(depth)}1${')'.repeat(depth)} }}`],
    ['blocks', (depth: number) => `${'{{ if 1 }}'.repeat(depth)}x${'{{ end }}'.repeat(depth)}`],
    ['loops', (depth: number) => `${'{{ range 1 }}'.repeat(depth)}x${'{{ end }}'.repeat(depth)}`],
    ['else branches', (depth: number) => `${'{{ if 0 }}{{ else }}'.repeat(depth)}x${'{{ end }}'.repeat(depth)}`],
    ['chained else', (depth: number) => `{{ if 0 }}${'{{ else if 0 }}'.repeat(depth)}{{ else }}x{{ end }}`],
    [
      'blocks with names',
      (depth: number) =>
        `${Array.from({ length: depth }, (_, at) => `{{ block "b${at}" . }}`).join('')}x${'{{ end }}'.repeat(depth)}`,
    ],
    ['a pipeline', (depth: number) => `{{ 1 ${'| print '.repeat(depth)} }}`],
    ['fields', (depth: number) => `{{ .${'A.'.repeat(depth)}B }}`],
  ])('%s, a hundred to fifty thousand deep, never overflow the stack', (_name, make) => {
    for (const depth of [100, 9_000, 50_000]) {
      for (const around of ['', '{{ .Messages }}']) {
        const parsed = parseTemplate(make(depth) + around);
        const result = parsed.ok
          ? executeTemplate(
              parsed.template,
              decodeConversation(parseOrderedJson('{"messages": [{"role": "user", "content": "x"}]}')),
            )
          : parsed;
        expect(result.ok || result.error !== '').toBe(true);
      }
    }
  });
});
