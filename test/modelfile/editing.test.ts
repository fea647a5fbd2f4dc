import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextDocument, type TextDocumentContentChangeEvent } from 'vscode-languageserver-textdocument';
import { lintText } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { encode, mutate, randomModelfile } from '../support/modelfileGenerator';
import { Random } from '../support/random';
import { TemplateGenerator } from '../support/templateGenerator';

const PIECES = [
  '"',
  '"""',
  '\n',
  '\r\n',
  '\r',
  ' ',
  '\t',
  '#',
  '\u0000',
  '\ufeff',
  '🦙',
  'FROM ',
  'MESSAGE user ',
  'PARAMETER stop ',
  'TEMPLATE """',
  '{{ if .X }}',
  '{{ end }}',
  '{{',
  '\u200d',
  'é',
  '日',
];

/** One change as an editor sends it, now and then a whole new text. */
function change(random: Random, document: TextDocument): TextDocumentContentChangeEvent {
  if (random.chance(0.02)) {
    return { text: randomModelfile(random) };
  }
  const { length } = document.getText();
  const start = random.below(length + 1);
  const end = Math.min(length, start + (random.chance(0.5) ? 0 : random.below(20)));
  return {
    range: { start: document.positionAt(start), end: document.positionAt(end) },
    text: random.times(0, 3, () => random.pick(PIECES)).join(''),
  };
}

function everything(text: string): unknown {
  const parsed = parseModelfile(text);
  const { verdict, comments, problems, instructions } = parsed;
  const tree = instructions.map(({ keyword, keywordSpan, name, span, value, command }) => ({
    keyword,
    keywordSpan,
    name,
    span,
    command,
    value: value && { ...value, text: value.text, span: value.span, content: value.content },
  }));
  return { verdict, comments, problems, tree, diagnostics: lintText(parsed) };
}

describe('a document that is edited', () => {
  it('parses after every change as its whole text does', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = new Random(seed);
        const document = TextDocument.create(
          'file:///Modelfile',
          'modelfile',
          0,
          `${randomModelfile(random)}TEMPLATE """${new TemplateGenerator(random, 0.01).template()}"""\n`,
        );
        for (let version = 1; version <= 15; version += 1) {
          TextDocument.update(document, [change(random, document)], version);
          const text = document.getText();
          // Another string with the same characters, so that nothing remembered of this one serves.
          const whole = Buffer.from(text, 'utf16le').toString('utf16le');
          expect(everything(text)).toEqual(everything(whole));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('says the same of the text and of its bytes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = new Random(seed);
        const text = mutate(random, randomModelfile(random))
          .replace(/\p{Surrogate}/gu, '\ufffd')
          .replace(/^\ufeff/, '');
        expect(parseModelfile(new TextEncoder().encode(text)).verdict).toEqual(parseModelfile(text).verdict);
      }),
      { numRuns: 500 },
    );
  });

  it('no bytes make parser or diagnostics throw, and every range lies in the text', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = new Random(seed);
        const parsed = parseModelfile(encode(random, mutate(random, randomModelfile(random))));
        for (const { span, fixes } of lintText(parsed)) {
          for (const { start, end } of [span, ...fixes.flatMap(({ edits }) => edits.map((edit) => edit.span))]) {
            expect(start >= 0 && start <= end && end <= parsed.text.length, `seed ${seed}`).toBe(true);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});
