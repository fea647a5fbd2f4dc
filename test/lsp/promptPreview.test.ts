import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  computeBaseSummaries,
  computePromptPreview,
  ModelfileDocument,
  type PromptPreview,
} from '../../language-server/src/service/languageService';
import { NO_FACTS, type InstalledModelFacts, type WorkspaceFacts } from '../../src/core/modelfile/workspaceFacts';
import { markSpecialTokens } from '../../src/core/goTemplate/markSpecialTokens';
import { SAMPLE_CONVERSATIONS, type SampleConversation } from '../../src/core/goTemplate/sampleConversations';
import { NodeWorkspaceFacts } from '../../src/node/modelfile/workspaceFacts';
import { HANG_LIMIT } from '../support/hangLimit';
import { FIXTURES, runCliOk } from '../support/cli';

const CHATML =
  'TEMPLATE """{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"""\n';

const preview = (
  text: string,
  conversation: SampleConversation = 'question',
  facts: WorkspaceFacts = NO_FACTS,
): Promise<PromptPreview> =>
  computePromptPreview(
    new ModelfileDocument('file:///Modelfile', 1, text),
    { conversation, question: 'How wide?' },
    facts,
  );

const textOf = ({ parts }: PromptPreview): string | undefined => parts?.map(({ text }) => text).join('');

const installed = (facts: Partial<InstalledModelFacts>): WorkspaceFacts => ({
  ...NO_FACTS,
  path: () => Promise.resolve({ kind: 'absent' }),
  installedModel: (name) => Promise.resolve({ name, stops: [], endTokens: [], specialTokens: [], ...facts }),
});

describe('the preview of a prompt', () => {
  it('puts SYSTEM and MESSAGE where Ollama puts them', async () => {
    const text = `FROM x\n${CHATML}SYSTEM Be short.\nMESSAGE user Hi\nMESSAGE assistant Ho: ho\n`;
    expect(textOf(await preview(text))).toBe(
      '<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHo: ho<|im_end|>\n<|im_start|>user\nHow wide?<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it("leaves the conversation's own system message alone", async () => {
    const prompt = textOf(await preview(`FROM x\n${CHATML}SYSTEM Be short.\n`, 'system'));
    expect(prompt).not.toContain('Be short.');
    expect(prompt).toContain('You answer in one short sentence.');
  });

  it('renders what the command line renders', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
    try {
      const path = join(folder, 'Modelfile');
      writeFileSync(path, `FROM x\n${CHATML}`);
      const conversations = join(folder, 'c.json');
      writeFileSync(
        conversations,
        JSON.stringify({
          turns: {
            messages: [
              { role: 'user', content: 'Hello!' },
              { role: 'assistant', content: 'Hello! What can I do for you?' },
              { role: 'user', content: 'How wide?' },
            ],
          },
        }),
      );
      const { files } = (await runCliOk(['render', path, '--conversations', conversations])) as {
        files: readonly { rendered: { turns: { text: string } } }[];
      };
      expect(textOf(await preview(`FROM x\n${CHATML}`, 'turns'))).toBe(files[0]?.rendered.turns.text);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each(SAMPLE_CONVERSATIONS)('has a prompt for %s', async (conversation) => {
    const found = await preview(`FROM x\n${CHATML}`, conversation);
    const unwritten = /tool/i.test(conversation)
      ? ['tools-unwritten']
      : /think/i.test(conversation)
        ? ['thinking-unwritten']
        : [];
    expect(found).toMatchObject({ source: 'template', notes: unwritten });
    expect(found.error).toBeUndefined();
  });

  it("tells Go's words and line once", async () => {
    expect(await preview('FROM x\nTEMPLATE """a\n{{ if }}\n"""\n')).toMatchObject({
      error: { message: 'missing value for if', line: 2 },
    });
    expect((await preview('FROM x\nTEMPLATE {{ index .Messages 9 }}\n')).error).toMatchObject({
      message: expect.stringContaining('index out of range: 9') as string,
      line: 1,
    });
  });

  it('takes the template of the installed model that FROM names', async () => {
    const found = await preview('FROM rugby\n', 'question', installed({ template: 'Q: {{ .Prompt }}\nA:' }));
    expect(found).toMatchObject({ source: 'base', notes: [] });
    expect(textOf(found)).toBe('Q: How wide?\nA:');
  });

  it('says what makes the TEMPLATE dead text, and where there is none', async () => {
    expect((await preview(`FROM x\nPARSER qwen3\n${CHATML}`)).notes).toEqual(['renderer']);
    expect((await preview(`FROM rugby\n${CHATML}`, 'question', installed({ renderer: 'qwen3-coder' }))).notes).toEqual([
      'renderer',
    ]);
    expect(await preview('FROM x\n')).toEqual({ source: 'none', question: 'How wide?', notes: ['base-unknown'] });
    const facts = new NodeWorkspaceFacts({
      directory: join(FIXTURES, 'rugby'),
      isTrusted: true,
      ollama: undefined,
      ollamaVersion: undefined,
    });
    expect(await preview('FROM ./base\n', 'question', facts)).toMatchObject({
      source: 'none',
      notes: [expect.stringMatching(/jinja-only|no-template/)],
    });
  });

  it.each([
    ['FROM x\n', 'What can you do for me?'],
    ['FROM x\nSYSTEM You translate English to French.\n', 'Translate: Good morning, how are you?'],
    ['FROM x\nSYSTEM You write SQL.\nMESSAGE user How many\nMESSAGE assistant 4\n', 'How many'],
  ])('begins with a question that fits the file', async (text, question) => {
    const document = new ModelfileDocument('file:///Modelfile', 1, text + CHATML);
    const found = await computePromptPreview(document, { conversation: 'question' }, NO_FACTS);
    expect(found.question).toBe(question);
    expect(textOf(found)).toContain(`<|im_start|>user\n${question}<|im_end|>`);
  });

  it('counts tokens by the tokenizer that is at hand, and says which messages do not fit', async () => {
    const facts = new NodeWorkspaceFacts({ directory: join(FIXTURES, 'rugby'), isTrusted: true });
    const text = `FROM ./base\n${CHATML}SYSTEM Be short.\n`;
    const found = await preview(text, 'turns', facts);
    // The viewer's tokenizer, which is compared with llama.cpp's own elsewhere.
    const tokenizer = await facts.tokenizer({ kind: 'path', value: './base' });
    const counted = tokenizer!.encode(textOf(found)!);
    expect(counted.map((token) => token.text).join('')).toBe(textOf(found));
    expect(found.tokens).toEqual({
      count: counted.length,
      isExact: true,
      limit: 512,
      source: 'all that the model has',
      dropped: 0,
    });
    const last = await preview(text, 'question', facts);
    const tight = await preview(`${text}PARAMETER num_ctx ${last.tokens!.count}\n`, 'turns', facts);
    expect(tight.tokens).toMatchObject({ limit: last.tokens!.count, source: 'num_ctx', dropped: 2 });
    const over = await preview(`${text}PARAMETER num_ctx 4\n`, 'turns', facts);
    expect(over.tokens?.dropped).toBe(2);
    expect((await preview(text, 'turns')).tokens).toMatchObject({ isExact: false, limit: 4096 });
  });

  it('ends on a template without an end', async () => {
    const started = Date.now();
    const found = await preview(
      `FROM x\nTEMPLATE """{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}"""\n`,
    );
    expect(found.error?.message).toBeDefined();
    expect(Date.now() - started).toBeLessThan(HANG_LIMIT);
  });
});

describe('special tokens', () => {
  it.each([
    '',
    'plain',
    '<|im_start|>user\nx<|im_end|>\n',
    '<s>[INST] a [/INST] b</s>',
    '<start_of_turn>model\n',
    'a < b > c <|',
    '<｜User｜>x',
  ])('keep the text %j whole', (text) => {
    expect(
      markSpecialTokens(text)
        .map((part) => part.text)
        .join(''),
    ).toBe(text);
  });

  it('are told from text', () => {
    expect(
      markSpecialTokens('<s>[INST] 1 < 2 [/INST]')
        .filter(({ isSpecial }) => isSpecial)
        .map(({ text }) => text),
    ).toEqual(['<s>', '[INST]', '[/INST]']);
  });

  it('take time in proportion to the text', () => {
    const started = Date.now();
    markSpecialTokens('<|'.repeat(500_000));
    markSpecialTokens('<a'.repeat(500_000));
    expect(Date.now() - started).toBeLessThan(HANG_LIMIT);
  });
});

describe('what FROM and ADAPTER lead to', () => {
  it('is told in one line each', async () => {
    const facts = new NodeWorkspaceFacts({
      directory: join(FIXTURES, 'rugby'),
      isTrusted: true,
      ollama: undefined,
      ollamaVersion: undefined,
    });
    const document = new ModelfileDocument('file:///Modelfile', 1, 'FROM ./base\nADAPTER ./rslora\nFROM ./nowhere\n');
    const found = await computeBaseSummaries(document, facts);
    expect(found.map(({ range, text }) => `${range.start.line}: ${text}`)).toEqual([
      '0: Qwen3 · 6.6 MB · context 512',
      expect.stringMatching(/^1: rsLoRA · rank 8 · scale 2\.828$/),
    ]);
  });
});
