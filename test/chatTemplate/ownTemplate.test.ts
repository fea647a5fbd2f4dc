import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Conversation } from '../../src/core/chatTemplate/chatFormat';
import { renderExpectations } from '../../src/core/chatTemplate/compareTemplate';
import { barePrompt, explainDifference } from '../../src/core/chatTemplate/explainDifference';
import { templateReport, type TemplateReport } from '../../src/core/chatTemplate/templateReport';
import { string, strings, u32 } from '../../src/core/formats/gguf/ggufValue';
import { encodeGgufHeader } from '../../src/core/formats/gguf/writeGguf';
import type { Diagnostic } from '../../src/core/modelfile/diagnostic';
import { applyEdits } from '../../src/core/modelfile/formatModelfile';
import { lintModelfile } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { TemplateComparer } from '../../src/node/jinja/templateComparer';
import { NodeWorkspaceFacts } from '../../src/node/modelfile/workspaceFacts';
import {
  computeCodeActions,
  computeTemplateDifferences,
  ModelfileDocument,
  type TemplateDifferences,
} from '../../language-server/src/service/languageService';
import { CLI } from '../support/cli';
import { formatFor, renderHere } from '../support/familyTemplates';
import { indexPairs } from '../support/indexPairs';

const GEMMA =
  "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ 'model' if message.role == 'assistant' else message.role }}\n{{ message.content }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}";
const QWEN =
  '{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';
const LLAMA =
  '{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n{{ message.content }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}';
const HOSTILE =
  '{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}';

const TOKENS: Readonly<Record<string, readonly string[]>> = {
  gemma: ['<eos>', '<bos>', '<start_of_turn>', '<end_of_turn>', 'a'],
  qwen: ['<|endoftext|>', '<|im_start|>', '<|im_end|>', 'a'],
  llama: ['<|begin_of_text|>', '<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>', 'a'],
};

function model(family: keyof typeof TOKENS, eos: number, jinja: string | undefined, type = 3): Uint8Array {
  const tokens = TOKENS[family] ?? [];
  const { header, dataBytes } = encodeGgufHeader({
    metadata: [
      ['general.architecture', string(family === 'gemma' ? 'gemma3' : family === 'qwen' ? 'qwen2' : 'llama')],
      ['tokenizer.ggml.model', string('gpt2')],
      ['tokenizer.ggml.tokens', strings(tokens)],
      [
        'tokenizer.ggml.token_type',
        { type: 'array', elements: 'i32', value: tokens.map((one) => (one === 'a' ? 1 : type)) },
      ],
      ['tokenizer.ggml.eos_token_id', u32(eos)],
      ...(jinja === undefined ? [] : [['tokenizer.chat_template', string(jinja)] as const]),
    ],
    tensors: [{ name: 'token_embd.weight', shape: [32, 4], type: 'F32' }],
  });
  return Uint8Array.from([...header, ...new Uint8Array(dataBytes)]);
}

let folder = '';
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'modelfile-own-')));
  const files: Readonly<Record<string, Uint8Array>> = {
    'gemma.gguf': model('gemma', 3, GEMMA),
    'qwen.gguf': model('qwen', 2, QWEN),
    'llama.gguf': model('llama', 3, LLAMA),
    'hostile.gguf': model('qwen', 2, HOSTILE),
    'untyped.gguf': model('qwen', 2, undefined, 1),
  };
  for (const [name, bytes] of Object.entries(files)) {
    writeFileSync(join(folder, name), bytes);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const comparer = new TemplateComparer({ bundleFolder: join(CLI, '..') });
const lint = (text: string): Promise<readonly Diagnostic[]> =>
  lintModelfile(parseModelfile(text), {
    facts: new NodeWorkspaceFacts({ directory: folder, isTrusted: true, comparer }),
  });
const told = async (text: string): Promise<string[]> =>
  (await lint(text)).map(({ severity, code, message }) => `${severity} ${code.replace('modelfile/', '')} ${message}`);

const chatml = (more = '', end = '<|im_end|>\n'): string =>
  `TEMPLATE """{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n${more}{{ .Response }}${end}"""\n`;
const llama = (gap = '\n\n', role = 'assistant'): string =>
  `TEMPLATE """{{ if .System }}<|start_header_id|>system<|end_header_id|>${gap}{{ .System }}<|eot_id|>{{ end }}<|start_header_id|>user<|end_header_id|>${gap}{{ .Prompt }}<|eot_id|><|start_header_id|>${role}<|end_header_id|>${gap}{{ .Response }}<|eot_id|>"""\n`;

describe('a TEMPLATE beside the template of its model', () => {
  it.each<[string, string, RegExp | undefined]>([
    ['the same', `FROM ./qwen.gguf\n${chatml()}`, undefined],
    [
      'the same but for white space at the end',
      `FROM ./qwen.gguf\n${chatml('', '<|im_end|>')}`,
      /^information template-differs .*(no white space|no newlines?).* instead of one newline after <\|im_end\|>/,
    ],
    [
      'the same, with a BOS of its own',
      'FROM ./llama.gguf\nTEMPLATE """<|begin_of_text|>{{ range .Messages }}<|start_header_id|>{{ .Role }}<|end_header_id|>\n\n{{ .Content }}<|eot_id|>{{ end }}<|start_header_id|>assistant<|end_header_id|>\n\n"""\n',
      undefined,
    ],
    [
      'of another family',
      `FROM ./gemma.gguf\n${chatml()}`,
      /^warning template-foreign-markers .*<\|im_start\|>, <\|im_end\|>.*“<end_of_turn>”/,
    ],
    [
      'one newline for two',
      `FROM ./llama.gguf\n${llama('\n')}`,
      /^information template-differs .*one newline instead of two newlines after <\|end_header_id\|>/,
    ],
    [
      'another head',
      `FROM ./llama.gguf\n${llama('\n\n', 'model')}`,
      /^warning template-differs .*headed "<\|start_header_id\|>model/,
    ],
    [
      'the system message twice',
      `FROM ./qwen.gguf\n${chatml().replace('{{ .System }}', '{{ .System }}\n{{ .System }}')}`,
      /^warning template-system-twice /,
    ],
    ['past answers without an end', `FROM ./qwen.gguf\n${chatml('', '')}`, /^warning template-no-turn-end/],
    ['thoughts begun', `FROM ./qwen.gguf\n${chatml('<think>\n')}`, /^information template-differs .*<think>/],
    ['the prompt alone', 'FROM ./qwen.gguf\nTEMPLATE {{ .Prompt }}\n', /^information template-completion/],
    [
      'dead beside a renderer',
      `FROM ./gemma.gguf\nRENDERER qwen3-coder\nPARSER qwen3-coder\n${chatml()}`,
      /^warning template-dead/,
    ],
    ['a model without a template, with tokens of any type', `FROM ./untyped.gguf\n${chatml()}`, undefined],
    ['a template without an end', `FROM ./hostile.gguf\n${chatml()}`, undefined],
    ['a library model', `FROM gemma2:2b\n${chatml()}`, /^warning template-differs .*the markers of ChatML .*Gemma/],
    [
      'a library model, as it is',
      'FROM qwen2.5:0.5b\nTEMPLATE """{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"""\n',
      undefined,
    ],
    ['a base model of the library', `FROM gemma2:2b-text\n${chatml()}`, undefined],
  ])('%s', async (_, text, expected) => {
    const found = await told(text);
    expect(found.length, found.join('\n')).toBe(expected === undefined ? 0 : 1);
    expect(found.join('\n')).toMatch(expected ?? /^$/);
  });

  it('is put in the place of one that is foreign, with its stops', async () => {
    const text = `FROM ./gemma.gguf\n${chatml()}PARAMETER stop "<|im_end|>"\nPARAMETER top_k 4\n`;
    const found = await lint(text);
    const fix = found.flatMap(({ fixes }) => fixes).find(({ title }) => title === 'Use the model’s own template');
    const next = applyEdits(text, fix?.edits ?? []);
    expect(next).toContain('<start_of_turn>model');
    expect(next).toContain('PARAMETER stop "<end_of_turn>"\nPARAMETER top_k 4\n');
    expect(next).not.toContain('im_end');
    expect(await told(next)).toEqual([]);
  });

  it('is shown beside it, marked by character', async () => {
    const facts = new NodeWorkspaceFacts({ directory: folder, isTrusted: true, comparer });
    const shown = (text: string): Promise<TemplateDifferences> =>
      computeTemplateDifferences(new ModelfileDocument('file:///Modelfile', 1, text), facts);
    const found = await shown(`FROM ./llama.gguf\n${llama('\n')}`);
    expect(found).toMatchObject({ state: 'compared', own: 'the template of the model file' });
    const [first] = found.differences;
    expect(first?.meaning).toMatch(/one newline instead of two/);
    const differing = (parts: readonly { readonly text: string; readonly differs: boolean }[]): string[] =>
      parts.filter(({ differs }) => differs).map(({ text }) => text);
    expect(differing(first?.characters.own ?? [])).toEqual(['\n']);
    expect(differing(first?.characters.file ?? [])).toEqual([]);
    expect(await shown(`FROM ./llama.gguf\n${llama()}`)).toMatchObject({ state: 'compared', differences: [] });
    expect(await shown('FROM ./llama.gguf\n')).toMatchObject({ state: 'no-template' });
    expect(await shown('FROM ./llama.gguf\nTEMPLATE {{ if }}\n')).toMatchObject({ state: 'unreadable' });
    expect(await shown(`FROM ./hostile.gguf\n${chatml()}`)).toMatchObject({ state: 'unrendered' });
    expect(await shown(`FROM ./nothing.gguf\n${llama()}`)).toMatchObject({ state: 'no-model' });
  });

  it('can be shown by an editor that has the command, and by no other', async () => {
    const facts = new NodeWorkspaceFacts({ directory: folder, isTrusted: true, comparer });
    for (const text of [`FROM ./llama.gguf\n${llama('\n')}`, `FROM ./gemma.gguf\n${chatml()}`]) {
      const document = new ModelfileDocument('file:///Modelfile', 1, text);
      const range = { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } };
      const titles = async (canCompare: boolean): Promise<string[]> =>
        (await computeCodeActions(document, { range, diagnostics: [], canCompare }, facts)).map(({ title }) => title);
      expect(await titles(true)).toContain('Show Differences');
      expect(await titles(false)).not.toContain('Show Differences');
    }
  });

  it('is not compared in an untrusted workspace', async () => {
    const facts = new NodeWorkspaceFacts({ directory: folder, isTrusted: false, comparer });
    expect(await facts.compareTemplate({ kind: 'path', value: './gemma.gguf' }, '{{ .Prompt }}')).toBeUndefined();
  });

  it('comes later where nobody waits, and is there the next time', async () => {
    let ready = 0;
    const quiet = new TemplateComparer({ bundleFolder: join(CLI, '..'), onReady: () => (ready += 1) });
    const facts = new NodeWorkspaceFacts({ directory: folder, isTrusted: true, comparer: quiet });
    const ask = (template: string): Promise<TemplateReport | undefined> =>
      facts.compareTemplate({ kind: 'path', value: './gemma.gguf' }, template);
    // Typing: what was asked for before the last question is never worked on.
    expect(await ask('<|im_start|>{{ .Prompt }}')).toBeUndefined();
    expect(await ask('<|im_start|>{{ .Prompt }}<|im_end|>')).toBeUndefined();
    await expect.poll(() => ready, { timeout: 20_000 }).toBe(1);
    expect((await ask('<|im_start|>{{ .Prompt }}<|im_end|>'))?.differences[0]?.kind).toBe('markers');
    expect(ready).toBe(1);
  });
});

describe('what a difference means', () => {
  const turns: Conversation = {
    name: 'turns',
    messages: [
      { role: 'user', content: 'Who won?' },
      { role: 'assistant', content: 'We.' },
      { role: 'user', content: 'Really?' },
    ],
  };
  const prompt = (end = '</e>\n', head = '<a>\n', last = head): string =>
    `<u>\nWho won?${end}${head}We.${end}<u>\nReally?${end}${last}`.trim();

  it.each<[string, string, string | undefined, boolean]>([
    [prompt(), prompt(), undefined, false],
    [prompt('<|im_end|>\n'), prompt('\n'), 'no-end', true],
    [prompt('</s>'), prompt(''), 'no-end', false],
    [prompt('</e>\n', '<|im_start|>assistant\n'), prompt('</e>\n', '<|im_start|>assistant\n', ''), 'no-header', true],
    [
      prompt('<|im_end|>\n', '<a>assistant\n'),
      prompt('<|im_end|>\n', '<a>assistant\n', '<a>assistant<|im_end|>'),
      'closed',
      true,
    ],
    [prompt('</e>\n', '<a>model\n'), prompt('</e>\n', '<a>assistant\n', '<a>model\n'), 'past-header', false],
    [prompt('</e>\n', '<a>model\n'), prompt('</e>\n', '<a>assistant\n'), 'header', true],
    [prompt(), prompt().replace('We.', 'They.'), 'message-lost', true],
    [prompt('</e>\n\n'), prompt('</e>\n'), 'space', false],
    [prompt('<|im_end|>'), prompt('<|eot_id|>'), 'markers', true],
  ])('%#', (expected, found, kind, isGrave) => {
    const explained = explainDifference(expected, found, turns);
    expect([explained?.kind, explained?.isGrave ?? false]).toEqual([kind, isGrave]);
  });

  it('does not count outer white space and what begins a text', () => {
    expect(barePrompt('\n<bos><start_of_turn>user\n', '<bos>')).toBe('<start_of_turn>user');
    expect(barePrompt('<s>[INST] x', undefined)).toBe('[INST] x');
  });
});

/** What the Go templates of Ollama's own index write otherwise than the Jinja templates that it takes them for: all of it looked at. */
const REVIEWED: Readonly<Record<string, readonly string[]>> = {
  alfred: [],
  alpaca: ['default-system', 'no-end', 'space'],
  chatml: ['default-system', 'text'],
  chatqa: ['default-system', 'no-end', 'text'],
  'codellama-70b-instruct': [],
  'command-r': ['text'],
  'falcon-instruct': ['space'],
  'gemma-instruct': [],
  'gemma3-instruct': [],
  'granite-instruct': [],
  'llama2-chat': ['text'],
  'llama3-instruct': ['default-system', 'text'],
  magicoder: ['default-system', 'no-end'],
  'mistral-instruct': ['space'],
  openchat: [],
  'phi-3': ['text'],
  'solar-instruct': ['text'],
  'starcoder2-instruct': ['default-system'],
  vicuna: ['default-system', 'space', 'text'],
  zephyr: ['text'],
};

describe("the pairs of Ollama's own index", () => {
  it('differ only as the reviewed table says, and by nothing grave', async () => {
    const found = new Map<string, Set<string>>();
    const pairs = await indexPairs();
    expect(pairs.length).toBeGreaterThan(30);
    for (const { name, jinja, template } of pairs) {
      const format = formatFor(jinja);
      const expectations = await renderExpectations(format, renderHere, { now: 0, tools: false, thinking: true });
      const report = templateReport(template, expectations, { bos: format.specials['bos_token'], own: 'it' });
      const kinds = found.get(name) ?? new Set();
      found.set(name, kinds);
      for (const { kind, isGrave, meaning } of report?.differences ?? []) {
        expect(isGrave, `${name}: ${meaning}`).toBe(false);
        kinds.add(kind);
      }
    }
    for (const [name, kinds] of found) {
      expect([...kinds].sort(), name).toEqual(REVIEWED[name]);
    }
  });
});
