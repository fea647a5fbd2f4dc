import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { instruction, modelfileFor } from '../../src/core/modelfile/writeModelfile';
import { lintModelfile } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { chooseTemplate, type TemplateChoice } from '../../src/core/chatTemplate/chooseTemplate';
import { familyTemplates, formatFor, renderHere } from '../support/familyTemplates';

const commands = (text: string): readonly { readonly name: string; readonly args: string }[] => {
  const { verdict } = parseModelfile(text);
  expect(verdict.ok, text).toBe(true);
  return verdict.ok ? verdict.commands.map(({ name, args }) => ({ name, args })) : [];
};

const choice: TemplateChoice = {
  template: '{{ .Prompt }}\n"quoted" ',
  origin: 'generated',
  exact: true,
  exactButTrim: true,
  notes: ['One\nnote # with "marks"\u001b[2J'],
  jinjaWins: false,
  stops: [
    { text: '<|im_end|>', reason: 'the template ends an answer with it' },
    { text: '\n### User:', reason: 'next turn' },
    { text: '"', reason: 'a quote' },
  ],
  parameters: [
    { name: 'temperature', value: 0.6, reason: 'generation_config.json' },
    { name: 'no_such', value: 1, reason: 'unknown to Ollama' },
  ],
  renderer: 'qwen3-coder',
  parser: 'qwen3-coder',
  license: ['MIT\n\nDo as you "like".', 'Second'],
};

describe('Modelfiles that are written', () => {
  it('hold what was meant, in a form that people read', () => {
    const text = modelfileFor({
      from: ['./rugby model.gguf'],
      adapter: './lora.gguf',
      choice,
      system: 'You are a "referee".\nBe fair.',
      parameters: { num_ctx: 8192 },
      header: ['Made from\noutputs/checkpoint-500'],
      requires: '0.14.0',
    });
    expect(commands(text)).toEqual([
      { name: 'model', args: './rugby model.gguf' },
      { name: 'adapter', args: './lora.gguf' },
      { name: 'requires', args: '0.14.0' },
      { name: 'renderer', args: 'qwen3-coder' },
      { name: 'parser', args: 'qwen3-coder' },
      { name: 'template', args: '{{ .Prompt }}\n"quoted" ' },
      { name: 'system', args: 'You are a "referee".\nBe fair.' },
      { name: 'temperature', args: '0.6' },
      { name: 'num_ctx', args: '8192' },
      { name: 'stop', args: '<|im_end|>' },
      { name: 'stop', args: '\n### User:' },
      { name: 'stop', args: '"' },
      { name: 'license', args: 'MIT\n\nDo as you "like".' },
      { name: 'license', args: 'Second' },
    ]);
    expect(text).not.toContain('\u001b');
    expect(text).toContain('# stop <|im_end|>: the template ends an answer with it\nPARAMETER stop "<|im_end|>"');
  });

  it('lets what was asked for win over what was found', () => {
    const text = modelfileFor({ from: ['x'], choice, parameters: { temperature: 0, stop: 'END' } });
    expect(commands(text).filter(({ name }) => name === 'temperature' || name === 'stop')).toEqual([
      { name: 'temperature', args: '0' },
      { name: 'stop', args: 'END' },
    ]);
  });

  it('give every generated template back as it was', async () => {
    let templates = 0;
    for (const { jinja } of await familyTemplates()) {
      const { template, stops, ...rest } = await chooseTemplate(formatFor(jinja), renderHere, { now: 0 });
      if (template !== undefined) {
        const found = commands(modelfileFor({ from: ['./m.gguf'], choice: { ...rest, template, stops } }));
        expect(found.find(({ name }) => name === 'template')?.args).toBe(template);
        expect(found.filter(({ name }) => name === 'stop').map(({ args }) => args)).toEqual(
          stops.map(({ text }) => text),
        );
        templates += 1;
      }
    }
    expect(templates).toBeGreaterThan(85);
  }, 60_000);

  it("give the linter nothing to say but what the model's own template does", async () => {
    let linted = 0;
    for (const { name, jinja } of await familyTemplates()) {
      const chosen = await chooseTemplate(formatFor(jinja), renderHere, { now: 0 });
      const found = await lintModelfile(
        parseModelfile(modelfileFor({ from: ['qwen3:0.6b'], choice: chosen, system: 'Be kind.' })),
      );
      const leavesOut = chosen.notes.some((note) => note.includes('leaves system messages out'));
      const expected = chosen.exactButTrim
        ? leavesOut
          ? ['modelfile/template-ignores-system']
          : []
        : found.map(({ code }) => code);
      expect(
        found.map(({ code }) => code),
        name,
      ).toEqual(expected);
      expect(
        found.filter(({ severity }) => severity === 'error'),
        name,
      ).toEqual([]);
      linted += 1;
    }
    expect(linted).toBeGreaterThan(90);
  }, 60_000);

  it('give any printable text back, and refuse the rest', () => {
    const piece = fc.constantFrom(
      'a',
      ' ',
      '\n',
      '"',
      '""',
      '"""',
      "'",
      '#',
      '{{',
      '}}',
      '\\',
      '\t',
      'ä',
      '🏉',
      'FROM x\n',
      '\r\n',
      '\u00a0',
      '\u200b',
      'stop',
    );
    let held = 0;
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }).map((parts) => parts.join('')),
        fc.constantFrom('SYSTEM', 'TEMPLATE', 'LICENSE', 'FROM'),
        (value, keyword) => {
          let line: string;
          try {
            line = instruction(keyword, value);
          } catch (thrown) {
            expect(thrown).toMatchObject({ code: 'modelfile/syntax' });
            return;
          }
          held += 1;
          const [first] = commands(keyword === 'FROM' ? `${line}\n` : `${line}\nFROM y\n`);
          expect(first?.args).toBe(value);
        },
      ),
      { numRuns: 2000, seed: 7 },
    );
    expect(held).toBeGreaterThan(1000);
  });

  it.each([
    ['MESSAGE', 'user', 'Hi: there'],
    ['MESSAGE', 'assistant', 'a: "b"\nc'],
    ['PARAMETER', 'stop', ' x '],
    ['PARAMETER', 'temperature', '0.7'],
  ] as const)('%s %s %j', (keyword, name, value) => {
    const [first] = commands(`${instruction(keyword, value, name)}\nFROM x\n`);
    expect(first?.args).toBe(keyword === 'MESSAGE' ? `${name}: ${value}` : value);
  });
});
