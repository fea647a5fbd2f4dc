import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixAll } from '../../src/core/modelfile/applyFixes';
import type { Diagnostic } from '../../src/core/modelfile/diagnostic';
import { applyEdits } from '../../src/core/modelfile/formatModelfile';
import { FOREIGN_PARAMETERS } from '../../src/core/modelfile/foreignParameters';
import { LineIndex } from '../../src/core/modelfile/lineIndex';
import { lintModelfile, lintText } from '../../src/core/modelfile/lintModelfile';
import { PARAMETERS } from '../../src/core/modelfile/parameters';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { NodeWorkspaceFacts } from '../../src/node/modelfile/workspaceFacts';

/** `line:severity:code`, and the message, of every finding. */
function described(text: string, diagnostics: readonly Diagnostic[]): { place: string; message: string }[] {
  const lines = new LineIndex(text);
  return diagnostics.map(({ span, severity, code, message }) => ({
    place: `${lines.position(span.start).line + 1}:${severity}:${code.replace('modelfile/', '')}`,
    message,
  }));
}

/** The text after one fix that is offered, by its title. */
function offered(text: string, title: RegExp, diagnostics: readonly Diagnostic[]): string {
  const fix = diagnostics.flatMap(({ fixes }) => fixes).find((one) => title.test(one.title));
  return fix === undefined ? `no fix ${String(title)}` : applyEdits(text, fix.edits);
}

const lint = (text: string): readonly Diagnostic[] => lintText(parseModelfile(text));

async function afterFixAll(text: string): Promise<string> {
  return (await fixAll(text, lint(text), (next) => Promise.resolve(lint(next)))).text;
}

describe('a mistake is one finding, whose message names its cause', () => {
  const PROSE = 'FROM a\nSYSTEM You answer.\n\nEach time:\n- give JSON\n\nFrom now on, be brief.\n# Style\nNo lists.\n';

  it.each<[string, string, string, RegExp]>([
    [
      'inner quotes',
      'FROM a\nSYSTEM """Use it.\ndef f():\n  """\n  What it does\n  """\nNow.\n"""\nPARAMETER top_k 1\n',
      '4:error:unknown-instruction',
      /The """ in line 4 ended the SYSTEM text that begins in line 2/,
    ],
    ['prose in paragraphs', PROSE, '4:error:unknown-instruction', /SYSTEM of line 2 ended with its line.*"""/],
    [
      'single quotes thrice',
      "FROM a\nSYSTEM '''You are\nkind.\n'''\n",
      '3:error:unknown-instruction',
      /''' is no quote/,
    ],
    [
      'a closed quote',
      'FROM a\nSYSTEM "You are kind."\nAnd brief, always.\n',
      '3:error:unknown-instruction',
      /ended at the quotes of line 2/,
    ],
    [
      'prose without SYSTEM',
      'FROM a\nYou are a kind helper.\nBe brief.\n',
      '2:error:unknown-instruction',
      /Prose is written as SYSTEM/,
    ],
    [
      'a no-break space',
      'FROM\u00a0llama3.1\n',
      '1:error:unknown-instruction',
      /Behind FROM in line 1 stands a no-break space \(U\+00A0\)/,
    ],
    [
      'an ideographic space',
      'FROM a\nSYSTEM\u3000hi\n',
      '2:error:unknown-instruction',
      /ideographic space \(U\+3000\)/,
    ],
    [
      'an invisible character',
      'FR\u200bOM a\n',
      '1:error:unknown-instruction',
      /In FROM of line 1 stands a zero-width space/,
    ],
    [
      'a byte order mark in the middle',
      'FROM a\n\ufeff\ufeffSYSTEM hi\n',
      '2:error:unknown-instruction',
      /byte order mark \(U\+FEFF\)/,
    ],
    ['a Cyrillic letter', 'FRОM a\n', '1:error:unknown-instruction', /only looks like O/],
    ['full-width letters', 'ＦＲＯＭ a\n', '1:error:unknown-instruction', /only looks like F/],
    [
      'a parameter alone',
      'FROM a\nTEMPERATURE 0.7\n',
      '2:error:unknown-instruction',
      /Did you mean PARAMETER temperature\?/,
    ],
    ['a stop alone', 'FROM a\nSTOP "x"\n', '2:error:unknown-instruction', /Did you mean PARAMETER stop\?/],
    [
      'a parameter of others alone',
      'FROM a\nmax_tokens=512\n',
      '2:error:unknown-instruction',
      /Did you mean PARAMETER num_predict\?/,
    ],
    ['a fence', '```\nFROM a\n```\n', '1:error:unknown-instruction', /Markdown fence/],
    ['comments of others', '// the base\n// model\nFROM a\n', '1:error:unknown-instruction', /A comment begins with #/],
    [
      'console junk',
      'FROM a\nfailed to get console mode for stdout: The handle is invalid.\n',
      '2:error:unknown-instruction',
      /The console wrote this line/,
    ],
    ['a Dockerfile', 'FROM a\nRUN pip install x\n', '2:error:unknown-instruction', /instruction of Dockerfiles/],
    ['JSON', '{\n  "model": "a",\n  "system": "b"\n}\n', '1:error:unknown-instruction', /This file is JSON/],
    [
      'YAML',
      'from: a\nsystem: b\nparameters:\n  temperature: 0.7\n',
      '1:error:unknown-instruction',
      /This file is YAML/,
    ],
    ['one key with a colon', 'from: a\nSYSTEM b\n', '1:error:unknown-instruction', /Did you mean FROM\?/],
    [
      'a GGUF',
      'GGUF\u0003\u0000\u0000\u0000\u0001\n\n \ntensor\n',
      '1:error:unknown-instruction',
      /a model in GGUF form/,
    ],
    ['a web page', '<!DOCTYPE html>\n<html>\n<body>\n\n</html>\n', '1:error:unknown-instruction', /a web page/],
    [
      'a text below its instruction',
      'FROM a\nSYSTEM\nYou are kind.\nBe brief.\n',
      '2:error:missing-value',
      /Write """ behind it/,
    ],
    [
      'a comment behind closing quotes',
      'FROM a\nSYSTEM """Hi.""" # greet\nPARAMETER top_k 1\n',
      '2:error:unclosed-quote',
      /The """ in line 2 does not close it, for “# greet”/,
    ],
    [
      'other closing quotes',
      'FROM a\nSYSTEM """Hi.\nYou.\'\'\'\nPARAMETER top_k 1\n',
      '2:error:unclosed-quote',
      /The ''' in line 3 does not close it/,
    ],
  ])('%s', (_, text, place, message) => {
    const found = described(text, lint(text));
    expect(found.map((one) => one.place)).toEqual([place]);
    expect(found[0]?.message).toMatch(message);
    expect(parseModelfile(text).verdict.ok).toBe(false);
  });

  it.each<[string, RegExp, string]>([
    ['FROM a\nSYSTEM You are.\n\nBe brief.\n', /Put """/, 'FROM a\nSYSTEM """You are.\n\nBe brief."""\n'],
    ['FROM a\nSYSTEM "You are."\nBe brief.\n', /Put """/, 'FROM a\nSYSTEM """You are.\nBe brief."""\n'],
    ["FROM a\nSYSTEM '''You are\nkind.\n'''\n", /Put """/, 'FROM a\nSYSTEM """You are\nkind.\n"""\n'],
    ['FROM a\nYou are kind.\nBe brief.\n', /SYSTEM/, 'FROM a\nSYSTEM """You are kind.\nBe brief."""\n'],
    ['FROM a\nSYSTEM\nYou are kind.\n', /Put """/, 'FROM a\nSYSTEM """\nYou are kind."""\n'],
    [
      'FROM a\nSYSTEM """a\n  """\n  b\n  """\nc\n"""\n',
      /'''/,
      'FROM a\nSYSTEM """a\n  \'\'\'\n  b\n  \'\'\'\nc\n"""\n',
    ],
    ['FROM\nllama3.1\n', /one line/, 'FROM llama3.1\n'],
  ])('and can be mended: %j', (text, title, expected) => {
    const fixed = offered(text, title, lint(text));
    expect(fixed).toBe(expected);
    expect(parseModelfile(fixed).verdict.ok).toBe(true);
  });

  it.each([
    ['FROM\u00a0\u00a0llama3.1\n', 'FROM llama3.1\n'],
    ['FRОM a\n', 'FROM a\n'],
    ['FROM a\nTEMPERATURE 0.7\nstop "x"\n', 'FROM a\nPARAMETER temperature 0.7\nPARAMETER stop "x"\n'],
    ['```modelfile\nFROM a\n```\n', 'FROM a\n'],
    ['// x\nFROM a\n', '# x\nFROM a\n'],
    ['FROM a\nSYSTEM """Hi.""" # greet\nPARAMETER top_k 1\n', 'FROM a\n# greet\nSYSTEM """Hi."""\nPARAMETER top_k 1\n'],
    ['FROM a\nSYSTEM "Hi." # greet\nPARAMETER stop "x"\n', 'FROM a\n# greet\nSYSTEM "Hi."\nPARAMETER stop "x"\n'],
    ['FROM a\nPARAMETER n_gpu_layers 20\n', 'FROM a\nPARAMETER num_gpu 20\n'],
    ['FROM a\nPARAMETER ctx-size 4096\n', 'FROM a\nPARAMETER num_ctx 4096\n'],
    // Words of prose, and names that are set already, are left to people.
    ['FROM a\nSYSTEM Be kind.\nStop when asked.\n', 'FROM a\nSYSTEM Be kind.\nStop when asked.\n'],
    ['FROM a\nPARAMETER num_ctx 1\nPARAMETER n_ctx 2\n', 'FROM a\nPARAMETER num_ctx 1\nPARAMETER n_ctx 2\n'],
  ])('is mended by fix all only where that is right: %j', async (text, expected) => {
    expect(await afterFixAll(text)).toBe(expected);
  });

  it('two mistakes are two findings', () => {
    expect(described('', lint('FROM a\nTEMPERATURE 0.7\nstop "x"\nSYSTM hi\n'))).toHaveLength(3);
  });
});

describe('escapes and paths where Ollama reads a text', () => {
  it.each<[string, string[]]>([
    ['SYSTEM "Line one.\\nLine two."', ['2:warning:literal-escape']],
    ['SYSTEM """You are kind.\\n\\nBe brief."""', ['2:warning:literal-escape']],
    ['MESSAGE user Hi.\\nThere\nMESSAGE assistant Hi.', ['2:warning:literal-escape']],
    ['SYSTEM ./prompt.txt', ['2:warning:text-is-path']],
    ['SYSTEM "@prompts/kind.md"', ['2:warning:text-is-path']],
    ['SYSTEM $(cat prompt.txt)', ['2:warning:text-is-path']],
    ['LICENSE ./LICENSE', ['2:warning:text-is-path']],
    // Escapes that are spoken of, paths and formulas.
    ['SYSTEM Separate lines with "\\n" always.', []],
    ['SYSTEM Put `\\n` at the end.', []],
    ['SYSTEM Look into C:\\new\\notes.', []],
    ['SYSTEM The gradient is \\nabla f.', []],
    ['SYSTEM """You write code.\nUse \\n for newlines.\n"""', []],
    ['LICENSE MIT', []],
    ['SYSTEM Read README.md first.', []],
  ])('%s', (line, places) => {
    const text = `FROM a\n${line}\n`;
    expect(described(text, lint(text)).map(({ place }) => place)).toEqual(places);
  });

  it('of a TEMPLATE are written as what they mean; those in string constants mean it already', async () => {
    const text =
      'FROM ./a.gguf\nTEMPLATE "<|user|>\\n{{ .System }}{{ .Prompt }}{{ print "\\n" }}<|assistant|>\\n{{ .Response }}</s>"\n';
    expect(described(text, lint(text)).map(({ place }) => place)).toEqual(['2:warning:literal-escape']);
    expect(await afterFixAll(text)).toBe(
      'FROM ./a.gguf\nTEMPLATE """<|user|>\n{{ .System }}{{ .Prompt }}{{ print "\\n" }}<|assistant|>\n{{ .Response }}</s>"""\n',
    );
  });
});

describe('what other tools call a setting', () => {
  it('has an answer for forty of them and more, each a parameter or a sentence', () => {
    expect(FOREIGN_PARAMETERS.size).toBeGreaterThan(100);
    for (const [name, foreign] of FOREIGN_PARAMETERS) {
      expect(PARAMETERS.has(name), name).toBe(false);
      expect(name).toMatch(/^[a-z0-9_]+$/);
      if (foreign.kind === 'parameter') {
        expect(PARAMETERS.has(foreign.name), name).toBe(true);
      } else {
        expect(foreign.advice, name).toMatch(/^[A-Z].*\.$/s);
      }
    }
  });

  it.each<[string, RegExp]>([
    ['think false', /chosen with each request/],
    ['keep_alive 10m', /OLLAMA_KEEP_ALIVE/],
    ['mmproj ./p.gguf', /FROM line of its own/],
    ['num_gpu_layers 20', /Did you mean num_gpu\?/],
    ['context_window 8192', /Did you mean num_ctx\?/],
    ['max_tokens 5', /Did you mean num_predict\?/],
    ['n_ctx 4096', /Did you mean num_ctx\?/],
    ['rope_freq_base 10000', /read from the model file/],
    ['flash_attn 1', /OLLAMA_FLASH_ATTENTION/],
    ['response_format json', /"format" in the API/],
    ['Max-Tokens 5', /Did you mean num_predict\?/],
  ])('%s', (line, message) => {
    const found = described('', lint(`FROM a\nPARAMETER ${line}\n`));
    expect(found).toHaveLength(1);
    expect(found[0]?.message).toMatch(message);
  });
});

describe('templates', () => {
  const places = (template: string, more = ''): string[] => {
    const text = `FROM ./none.gguf\nTEMPLATE """${template}"""\n${more}`;
    return described(text, lint(text)).map(({ place }) => place);
  };
  const fixed = async (template: string, more = ''): Promise<string> =>
    afterFixAll(`FROM ./none.gguf\nTEMPLATE """${template}"""\n${more}`);

  it.each<[string, string, string[]]>([
    ['{{ .Prompt }}', '', ['2:information:template-completion']],
    ['{{ .System }}\n\n{{ .Prompt }}', '', ['2:information:template-completion']],
    ['{{ .Prompt }}', 'SYSTEM Be kind.\n', ['2:information:template-completion']],
    ['<|fim_prefix|>{{ .Prompt }}<|fim_suffix|>{{ .Suffix }}<|fim_middle|>', '', []],
    ['<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>', '', []],
    [
      '{{ range .Messages }}<start_of_turn>{{ .Role }}\n{{ .Content }}<end_of_turn>\n{{ end }}<start_of_turn>model\n',
      '',
      ['2:warning:template-role-mismatch'],
    ],
    [
      '{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}',
      '',
      ['2:warning:template-no-answer-header'],
    ],
    ['{{ range .Messages }}{{ .Role }}: {{ .Content }}\n{{ end }}', '', ['2:warning:template-no-answer-header']],
    [
      '{{ .System }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n{{ .Response }}<|im_end|>\n',
      '',
      ['2:warning:template-no-answer-header'],
    ],
    [
      '{{ .System }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant<|im_end|>\n{{ .Response }}<|im_end|>',
      '',
      ['2:warning:template-answer-closed'],
    ],
    [
      '{{ .System }}<|user|>\n{{ .Prompt }}<|end|>\n<|assistant|>\n<|end|>\n{{ .Response }}<|end|>\n',
      '',
      ['2:warning:template-answer-closed'],
    ],
    // Formats in which what follows a question opens the answer, and thoughts that are begun for the model.
    ['[INST] {{ .System }} {{ .Prompt }} [/INST]{{ .Response }}</s>', '', []],
    ['{{ .System }}USER: {{ .Prompt }}\nASSISTANT: {{ .Response }}</s>\n', '', []],
    [
      '{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n<think>\n\n</think>\n\n',
      '',
      [],
    ],
    [
      '{{ if .First }}{{ .System }}{{ end }}<|user|>\n{{ .Prompt }}</s>\n<|assistant|>\n{{ .Response }}</s>',
      'SYSTEM Hi.\n',
      ['2:warning:template-unknown-field'],
    ],
    ['{{ .System }}{{ .Prompt }}|{{ .Response }}<|im_end|>{{ .Foo }}', '', ['2:warning:template-unknown-field']],
    [
      '<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}<|im_end|>\n',
      '',
      ['2:information:template-ignores-system'],
    ],
    [
      '<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}<|im_end|>\n',
      'SYSTEM Hi.\n',
      ['2:warning:template-ignores-system'],
    ],
  ])('%j %j', (template, more, expected) => {
    expect(places(template, more)).toEqual(expected);
  });

  it('claim <no value> only where something is printed', () => {
    const message = (template: string): string =>
      lint(`FROM ./none.gguf\nTEMPLATE """${template}"""\n`)
        .map((one) => one.message)
        .join('\n');
    expect(message('{{ .System }}{{ .Foo }}{{ .Prompt }}|{{ .Response }}</s>')).toContain('prints <no value>');
    expect(message('{{ .System }}{{ if .Foo }}x{{ end }}{{ .Prompt }}|{{ .Response }}</s>')).not.toContain(
      '<no value>',
    );
    expect(message('{{ if .First }}{{ .System }}{{ end }}{{ .Prompt }}|{{ .Response }}</s>')).toMatch(
      /^\.First.*\{\{ if \.System \}\}/,
    );
  });

  it('get the end of turn that they lack, with its stop', async () => {
    const open =
      '{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n';
    expect(places(open)).toEqual(['2:warning:template-no-turn-end']);
    expect(await fixed(open)).toBe(
      `FROM ./none.gguf\nTEMPLATE """${open}{{ .Response }}<|im_end|>\n"""\nPARAMETER stop "<|im_end|>"\n`,
    );
    expect(await fixed(open, 'PARAMETER stop "<|im_start|>"\n')).toBe(
      `FROM ./none.gguf\nTEMPLATE """${open}{{ .Response }}<|im_end|>\n"""\nPARAMETER stop "<|im_start|>"\n`,
    );
    const loop =
      '{{ range .Messages }}{{ if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n{{ else if eq .Role "assistant" }}<|im_start|>assistant\n{{ .Content }}{{ else }}{{ .Content }}{{ end }}{{ end }}<|im_start|>assistant\n';
    expect(places(loop)).toEqual(['2:warning:template-no-turn-end']);
    expect(await fixed(loop, 'PARAMETER stop "<|im_end|>"\n')).toBe(
      `FROM ./none.gguf\nTEMPLATE """${loop.replace('assistant\n{{ .Content }}{{ else }}', 'assistant\n{{ .Content }}<|im_end|>\n{{ else }}')}"""\nPARAMETER stop "<|im_end|>"\n`,
    );
    // Where the format has no end of turn, none is made up.
    expect(places('[INST] {{ .System }} {{ .Prompt }} [/INST]')).toEqual([]);
  });

  it('name the new answer as the old ones', () => {
    const template =
      '{{ range .Messages }}<start_of_turn>{{ .Role }}\n{{ .Content }}<end_of_turn>\n{{ end }}<start_of_turn>model\n';
    const text = `FROM ./none.gguf\nTEMPLATE """${template}"""\nPARAMETER stop "<end_of_turn>"\n`;
    const next = offered(text, /model for assistant/, lint(text));
    expect(next).toContain('<start_of_turn>{{ if eq .Role "assistant" }}model{{ else }}{{ .Role }}{{ end }}\n');
    expect(lint(next)).toEqual([]);
  });
});

describe('names and paths in FROM', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'modelfile-paths-'));
    mkdirSync(join(folder, 'llama3'));
    mkdirSync(join(folder, 'models'));
    writeFileSync(join(folder, 'models', 'tiny-q4.gguf'), 'GGUF');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const all = (text: string): Promise<readonly Diagnostic[]> =>
    lintModelfile(parseModelfile(text), { facts: new NodeWorkspaceFacts({ directory: folder, isTrusted: true }) });

  it.each<[string, string[], RegExp?]>([
    ['FROM hf.co/acme/Tiny-7B-GGUF:Tiny-7B.Q4_K_M.gguf', []],
    ['FROM hf.co/acme/Tiny-7B-GGUF', []],
    ['FROM huggingface.co/acme/Tiny-GGUF:Q8_0', []],
    ['FROM https://hf.co/acme/Tiny-GGUF:Q8_0', []],
    ['FROM registry.example.com/acme/tiny:v1.gguf', []],
    [
      'FROM https://huggingface.co/acme/Tiny-GGUF/resolve/main/tiny.Q4.gguf',
      ['1:warning:from-web-address'],
      /FROM hf\.co\/acme\/Tiny-GGUF:tiny\.Q4\.gguf/,
    ],
    [
      'FROM https://huggingface.co/acme/Tiny-GGUF/blob/main/sub/tiny.gguf?download=true',
      ['1:warning:from-web-address'],
      /hf\.co\/acme\/Tiny-GGUF:tiny\.gguf/,
    ],
    ['FROM hf.co/acme/Tiny-GGUF/tiny.gguf', ['1:warning:from-web-address'], /hf\.co\/acme\/Tiny-GGUF:tiny\.gguf/],
    [
      'FROM https://huggingface.co/acme/Tiny-GGUF/tree/main',
      ['1:warning:from-web-address'],
      /FROM hf\.co\/acme\/Tiny-GGUF\./,
    ],
    ['FROM https://ollama.com/library/llama3.2:3b', ['1:warning:from-web-address'], /FROM llama3\.2:3b/],
    ['FROM https://example.com/files/x.gguf', ['1:warning:from-web-address'], /Download the file/],
    ['FROM $HOME/models/none.gguf', ['1:warning:from-missing-path'], /expands no variables, and takes \$HOME/],
    ['FROM %USERPROFILE%\\models\\none.gguf', ['1:warning:from-missing-path'], /expands no variables/],
    ['FROM ${MODEL}', ['1:warning:from-invalid-name'], /expands no variables/],
    ['FROM ./my\\ model.gguf', ['1:warning:from-missing-path'], /no escape/],
    ['FROM /data/none.gguf', ['1:information:from-missing-path'], /not on this machine/],
    ['FROM ./models/tiny-q5.gguf', ['1:warning:from-missing-path'], /Did you mean .*tiny-q4\.gguf/],
    ['FROM ./none.gguf', ['1:information:from-missing-path'], /relative to this file/],
    ['FROM ./a.gguf\nFROM ./b.gguf', ['1:information:from-missing-path', '2:information:from-missing-path']],
    ['FROM llama3', ['1:warning:from-shadowed'], /folder named llama3.*not the model.*llama3:latest/],
    ['FROM llama3.1 8b', ['1:warning:from-invalid-name'], /Did you mean llama3\.1:8b\?/],
    [
      '# To build a new Modelfile based on this, replace FROM with:\n# FROM qwen3-coder:30b\n\nFROM /Users/x/.ollama/models/blobs/sha256-1194192cf2a187eb02722edcc3f77b11d21f537048ce04b67ccf8ba78863006a',
      ['4:warning:from-missing-path'],
      /Write FROM qwen3-coder:30b/,
    ],
  ])('%j', async (text, places, message) => {
    const found = described(text, await all(`${text}\n`));
    expect(found.map(({ place }) => place)).toEqual(places);
    expect(found.map((one) => one.message).join('\n')).toMatch(message ?? /^/);
  });

  it('are mended by what is offered', async () => {
    const text =
      '# FROM qwen3-coder:30b\nFROM C:\\Users\\x\\.ollama\\models\\blobs\\sha256-1194192cf2a187eb02722edcc3f77b11\n';
    expect(offered(text, /Write FROM/, await all(text))).toBe('# FROM qwen3-coder:30b\nFROM qwen3-coder:30b\n');
    const url = 'FROM https://huggingface.co/acme/Tiny-GGUF/resolve/main/tiny.Q4.gguf\n';
    expect(offered(url, /Write FROM/, await all(url))).toBe('FROM hf.co/acme/Tiny-GGUF:tiny.Q4.gguf\n');
  });
});
