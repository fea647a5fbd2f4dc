import { mkdirSync, mkdtempSync, realpathSync, rmSync, cpSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CompletionItem, MarkupContent, Position, TextEdit } from 'vscode-languageserver-types';
import {
  computeCodeActions,
  computeCompletions,
  computeDiagnostics,
  computeDocumentLinks,
  computeDocumentSymbols,
  computeFoldingRanges,
  computeFormatting,
  computeHover,
  computeSemanticTokens,
  computeSignatureHelp,
  ModelfileDocument,
  TOKEN_TYPES,
} from '../../language-server/src/service/languageService';
import { fixAll } from '../../src/core/modelfile/applyFixes';
import { lintModelfile } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { NO_FACTS, type WorkspaceFacts } from '../../src/core/modelfile/workspaceFacts';
import { NodeWorkspaceFacts } from '../../src/node/modelfile/workspaceFacts';
import { mutate, randomModelfile } from '../support/modelfileGenerator';
import { Random } from '../support/random';
import { marked } from './markedText';

const URI = 'file:///nowhere/Modelfile';
const open = (text: string): ModelfileDocument => new ModelfileDocument(URI, 1, text);

let folder = '';
let facts: WorkspaceFacts = NO_FACTS;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'modelfile-features-')));
  for (const name of ['base', 'lora']) {
    cpSync(new URL(`../fixtures/rugby/${name}`, import.meta.url).pathname, join(folder, name), { recursive: true });
  }
  mkdirSync(join(folder, 'empty'));
  facts = new NodeWorkspaceFacts({ directory: folder, isTrusted: true });
});
afterAll(() => rmSync(folder, { recursive: true }));

async function completions(
  source: string,
  around: WorkspaceFacts = NO_FACTS,
): Promise<{ items: CompletionItem[]; apply: (label: string) => string }> {
  const { text, position } = marked(source);
  const document = open(text);
  const items = await computeCompletions(document, position, around);
  const apply = (label: string): string => {
    const edit = items.find((item) => item.label === label)?.textEdit as TextEdit | undefined;
    if (edit === undefined) {
      throw new Error(`no ${label} among ${items.map((item) => item.label).join(', ')}`);
    }
    return (
      text.slice(0, document.offset(edit.range.start)) + edit.newText + text.slice(document.offset(edit.range.end))
    );
  };
  return { items, apply };
}

const labels = async (source: string, around?: WorkspaceFacts): Promise<string[]> =>
  (await completions(source, around)).items.map(({ label }) => label);

describe('completion', () => {
  it('offers instructions where one could begin', async () => {
    for (const source of ['¦', 'FROM a\n¦', 'FROM a\nPAR¦', 'FROM a\n  par¦\nSYSTEM x']) {
      expect(await labels(source)).toEqual(expect.arrayContaining(['FROM', 'PARAMETER', 'TEMPLATE', 'REQUIRES']));
    }
    expect((await completions('FROM a\nMES¦')).apply('MESSAGE')).toBe(
      'FROM a\nMESSAGE ${1|user,assistant,system|} ${2:text}',
    );
  });

  it('offers parameters with their defaults, and values', async () => {
    expect((await completions('FROM a\nPARAMETER te¦')).apply('temperature')).toBe(
      'FROM a\nPARAMETER temperature ${1:0.8}',
    );
    expect((await completions('FROM a\nPARAMETER ¦')).apply('stop')).toBe('FROM a\nPARAMETER stop "$1"');
    expect((await completions('FROM a\nPARAMETER te¦ 0.5')).apply('temperature')).toBe(
      'FROM a\nPARAMETER temperature 0.5',
    );
    expect(await labels('FROM a\nPARAMETER use_mmap ¦')).toEqual(['true', 'false']);
    expect(await labels('FROM a\nPARAMETER num_predict ¦')).toEqual(['-1', '-2']);
    expect(await labels('FROM a\nPARAMETER top_p ¦')).toEqual(['0.9']);
  });

  it('offers roles, renderers and parsers', async () => {
    expect(await labels('FROM a\nMESSAGE ¦')).toEqual(['user', 'assistant', 'system']);
    expect(await labels('FROM a\nRENDERER q¦')).toContain('qwen3-coder');
    expect(await labels('FROM a\nPARSER ¦')).toContain('harmony');
  });

  it('offers paths of the workspace', async () => {
    expect(await labels('FROM ¦', facts)).toEqual(expect.arrayContaining(['./base/', './lora/']));
    expect((await completions('FROM "./b¦"', facts)).apply('./base/')).toBe('FROM "./base/"');
    expect(
      (await completions('FROM a\nADAPTER ./¦', facts)).items.find(({ label }) => label === './lora/')?.detail,
    ).toBe('adapter');
  });

  it('offers stop texts of the model and the template', async () => {
    expect((await completions('FROM ./base\nPARAMETER stop ¦', facts)).apply('<|im_end|>')).toBe(
      'FROM ./base\nPARAMETER stop "<|im_end|>"',
    );
    expect((await completions('FROM ./base\nPARAMETER stop "¦"', facts)).apply('<|im_end|>')).toBe(
      'FROM ./base\nPARAMETER stop "<|im_end|>"',
    );
    expect(await labels('FROM x\nTEMPLATE """{{ .Prompt }}|{{ .Response }}<|eot|>"""\nPARAMETER stop ¦')).toEqual([
      '<|eot|>',
    ]);
  });

  it('offers what a template can name, by scope', async () => {
    expect(await labels('FROM a\nTEMPLATE {{ .¦ }}')).toEqual([
      'System',
      'Prompt',
      'Response',
      'Suffix',
      'Messages',
      'Tools',
      'Think',
      'ThinkLevel',
      'IsThinkSet',
    ]);
    expect(await labels('FROM a\nTEMPLATE """{{ range .Messages }}{{ .¦ }}{{ end }}"""')).toEqual([
      'Role',
      'Content',
      'Thinking',
      'Images',
      'ToolCalls',
      'ToolName',
      'ToolCallID',
    ]);
    expect(await labels('FROM a\nTEMPLATE """{{ range $i, $m := .Messages }}{{ $m.Ro¦ }}{{ end }}"""')).toContain(
      'Role',
    );
    expect(await labels('FROM a\nTEMPLATE """{{ range .Tools }}{{ .Function.¦ }}{{ end }}"""')).toEqual([
      'Name',
      'Description',
      'Parameters',
    ]);
    expect(await labels('FROM a\nTEMPLATE """{{ range $i, $m := .Messages }}{{ $¦ }}{{ end }}"""')).toEqual([
      '$',
      '$i',
      '$m',
    ]);
    expect(await labels('FROM a\nTEMPLATE """{{ ra¦"""')).toEqual(
      expect.arrayContaining(['range', 'if', 'json', '.System']),
    );
    expect(
      await labels('FROM a\nTEMPLATE """{{ with $all := .Messages }}{{ range $all }}{{ .¦ }}{{ end }}{{ end }}"""'),
    ).toContain('ToolCalls');
    expect(await labels('FROM a\nTEMPLATE """{{ range .Messages }}{{ $.¦ }}{{ end }}"""')).toContain('System');
    expect(await labels('FROM a\nTEMPLATE """{{ $last := index .Messages 0 }}{{ $last.¦ }}"""')).toContain('Role');
    expect(await labels('FROM a\nTEMPLATE """{{ (index .Messages 0).¦ }}"""')).toContain('Role');
    expect(await labels('FROM a\nTEMPLATE """{{ (index .Messages 0).Con¦ }}"""')).toContain('Content');
    expect(await labels('FROM a\nTEMPLATE """{{ define "turn" }}{{ . }}{{ end }}{{ template "¦" . }}"""')).toEqual([
      'turn',
    ]);
    // Before the closing quotes are written.
    expect(await labels('FROM a\nTEMPLATE """{{ .¦')).toContain('Messages');
    expect(await labels('FROM a\nTEMPLATE {{ if eq "x¦" }}')).toEqual([]);
    expect(
      (await completions('FROM a\nTEMPLATE """{{ range .Messages }}{{ .Con¦ }}{{ end }}"""')).apply('Content'),
    ).toBe('FROM a\nTEMPLATE """{{ range .Messages }}{{ .Content }}{{ end }}"""');
  });

  it('offers codes to ignore', async () => {
    expect(await labels('# modelfile-studio: ignore mod¦\nFROM a')).toContain('modelfile/system-empty');
    expect(await labels('#¦')).toEqual(['# modelfile-studio: ignore']);
  });
});

async function hover(source: string, around: WorkspaceFacts = NO_FACTS): Promise<string | undefined> {
  const { text, position } = marked(source);
  return ((await computeHover(open(text), position, around))?.contents as MarkupContent | undefined)?.value;
}

describe('hover', () => {
  it('explains instructions, parameters and roles', async () => {
    expect(await hover('FR¦OM a')).toContain('**FROM name or path**');
    expect(await hover('FROM a\nPARAMETER num¦_ctx 4')).toMatch(/num_ctx[^]*Type: whole number[^]*Default: `4096`/);
    expect(await hover('FROM a\nPARAMETER mirostat¦ 1')).toContain('Deprecated');
    expect(await hover('FROM a\nPARAMETER tfs_z¦ 1')).toContain('No longer known');
    expect(await hover('FROM a\nPARAMETER num_gpu -¦1')).toContain('as many as fit');
    expect(await hover('FROM a\nMESSAGE us¦er hi')).toContain('person');
    expect(await hover('FROM a\nRENDERER qwen3-¦coder')).toContain('0.12.0');
    expect(await hover('FROM a\nADAP¦TER b')).toContain('Until Ollama 0.34.0.');
    expect(await hover('FR¦OM a')).toContain(
      'Patterns since Ollama 0.34.1. Folders with safetensors are converted until Ollama 0.34.0, and imported by MLX since Ollama 0.34.1.',
    );
    expect(await hover('FROM a\nDR¦AFT b')).toContain('Since Ollama 0.23.1. Patterns since Ollama 0.34.1.');
    expect(await hover('FROM a\nPARAMETER typical¦_p 0.5')).toContain('Until Ollama 0.34.0');
    expect(await hover('# modelfile-studio: ignore system-¦empty')).toContain('modelfile/system-empty');
  });

  it('shows what FROM and ADAPTER lead to', async () => {
    expect(await hover('FROM ./ba¦se', facts)).toMatch(/Model folder[^]*`Qwen3ForCausalLM`[^]*Context: 512[^]*ChatML/);
    expect(await hover('FROM a\nADAPTER ./lo¦ra', facts)).toMatch(/PEFT[^]*Rank: 8[^]*Alpha: 16[^]*Base/);
    expect(await hover('FROM llama3¦.2', facts)).toBe('**Model** `llama3.2:latest`');
  });

  it('knows fields, functions and words of a template', async () => {
    expect(await hover('FROM a\nTEMPLATE """{{ range .Messages }}{{ .Ro¦le }}{{ end }}"""')).toMatch(
      /\.Role[^]*`string`, of a message/,
    );
    expect(await hover('FROM a\nTEMPLATE {{ .Sys¦tem }}')).toContain('The system prompt');
    expect(await hover('FROM a\nTEMPLATE {{ js¦on . }}')).toContain('json x');
    expect(await hover('FROM a\nTEMPLATE """{{ ran¦ge .Messages }}{{ end }}"""')).toContain('**range**');
    expect(await hover('FROM a\nTEMPLATE the ran¦ge')).toBeUndefined();
  });

  it('lets no file write Markdown', async () => {
    const trick = '`](command:x)<img src=x>`` $(trash) \u001b[2J';
    const text = await hover(`FROM "${trick}¦"`, {
      ...NO_FACTS,
      path: () => Promise.resolve({ kind: 'bad-gguf', truncated: false, reason: trick }),
    });
    expect(text).toContain('``` `](command:x)<img src=x>`` $(trash) \\u001b[2J ```');
  });
});

describe('signature help', () => {
  const help = (source: string): [string | undefined, number | undefined] => {
    const { text, position } = marked(source);
    const found = computeSignatureHelp(open(text), position);
    return [found?.signatures[0]?.label, found?.activeParameter ?? undefined];
  };
  it.each([
    ['FROM a\nPARAMETER ¦', ['PARAMETER name value', 0]],
    ['FROM a\nPARAMETER temperature ¦', ['PARAMETER temperature number', 1]],
    ['FROM a\nMESSAGE user ¦hi', ['MESSAGE role text', 1]],
    ['FROM a\nTEMPLATE {{ printf "%s" ¦ }}', ['printf format x…', 1]],
    ['FROM a\nTEMPLATE {{ if eq (index .Messages ¦0) }}', ['index x key…', 1]],
    ['FROM a\nTEMPLATE {{ if eq (len .Messages) ¦ }}', ['eq x y…', 1]],
    ['FROM a\nTEMPLATE te¦xt', [undefined, undefined]],
    ['¦', [undefined, undefined]],
  ])('case %#', (source, expected) => {
    expect(help(source)).toEqual(expected);
  });
});

const TEXT =
  '# one\n# two\nFROM a\nPARAMETER stop "x"\nTEMPLATE """{{ define "t" }}{{ . }}{{ end }}\n{{ range .Messages }}\n{{ .Content }}\n{{ end }}"""\nMESSAGE user hi\n';

describe('the outline, folds and links', () => {
  it('name every instruction', () => {
    expect(
      computeDocumentSymbols(open(TEXT)).map(({ name, detail, children }) => [
        name,
        detail,
        children?.map((child) => child.name),
      ]),
    ).toEqual([
      ['FROM', 'a', undefined],
      ['PARAMETER stop', 'x', undefined],
      ['TEMPLATE', '{{ define "t" }}{{ . }}{{ end }}', ['t']],
      ['MESSAGE user', 'hi', undefined],
    ]);
  });

  it('fold values, comments and blocks of the template', () => {
    expect(computeFoldingRanges(open(TEXT)).map(({ startLine, endLine, kind }) => [startLine, endLine, kind])).toEqual([
      [4, 7, undefined],
      [0, 1, 'comment'],
      [5, 7, undefined],
    ]);
  });

  it('lead to pages of models', () => {
    const links = (text: string): unknown =>
      computeDocumentLinks(open(text)).map(({ link, path }) => link.target ?? path);
    expect(links('FROM llama3.2:1b\nFROM hf.co/a/b:Q4\nFROM ./x.gguf\nADAPTER "./y"\nFROM me/mine\n')).toEqual([
      'https://ollama.com/library/llama3.2',
      'https://huggingface.co/a/b',
      './x.gguf',
      './y',
      'https://ollama.com/me/mine',
    ]);
  });
});

describe('semantic tokens', () => {
  it('call every word what it is', () => {
    const document = open(TEXT);
    const { data } = computeSemanticTokens(document);
    const tokens: string[] = [];
    let position: Position = { line: 0, character: 0 };
    for (let i = 0; i < data.length; i += 5) {
      const [line = 0, character = 0, length = 0, type = 0] = data.slice(i, i + 4);
      position = { line: position.line + line, character: line === 0 ? position.character + character : character };
      const start = document.offset(position);
      tokens.push(`${TOKEN_TYPES[type] ?? ''} ${TEXT.slice(start, start + length)}`);
    }
    expect(tokens).toEqual([
      'comment # one',
      'comment # two',
      'keyword FROM',
      'namespace a',
      'keyword PARAMETER',
      'property stop',
      'string "x"',
      'keyword TEMPLATE',
      'operator {{',
      'keyword define',
      'string "t"',
      'operator }}',
      'operator {{',
      'variable .',
      'operator }}',
      'operator {{',
      'keyword end',
      'operator }}',
      'operator {{',
      'keyword range',
      'property .Messages',
      'operator }}',
      'operator {{',
      'property .Content',
      'operator }}',
      'operator {{',
      'keyword end',
      'operator }}',
      'keyword MESSAGE',
      'enumMember user',
      'string hi',
    ]);
  });
});

describe('formatting and code actions', () => {
  const apply = (document: ModelfileDocument, edits: readonly TextEdit[]): string =>
    [...edits]
      .sort((a, b) => document.offset(b.range.start) - document.offset(a.range.start))
      .reduce(
        (text, { range, newText }) =>
          text.slice(0, document.offset(range.start)) + newText + text.slice(document.offset(range.end)),
        document.text,
      );

  it('format the whole, or the lines of a range', () => {
    const document = open('from a\n\n\n\nsystem b\n');
    expect(apply(document, computeFormatting(document))).toBe('FROM a\n\nSYSTEM b\n');
    const range = { start: { line: 4, character: 0 }, end: { line: 4, character: 8 } };
    expect(apply(document, computeFormatting(document, range))).toMatch(/^from a\n+SYSTEM b\n$/);
  });

  it('fix, fix all, and ignore', async () => {
    const document = open('FROM a\nPARAMETER temprature 0,7\nSYSTEM ""\n');
    const at = (line: number): { start: Position; end: Position } => ({
      start: { line, character: 0 },
      end: { line, character: 30 },
    });
    const diagnostics = await computeDiagnostics(document, NO_FACTS);
    const actions = await computeCodeActions(document, { range: at(1), diagnostics }, NO_FACTS);
    const edited = (title: string): string =>
      apply(document, actions.find((action) => action.title === title)?.edit?.changes?.[URI] ?? []);
    expect(edited('Write temperature')).toBe('FROM a\nPARAMETER temperature 0,7\nSYSTEM ""\n');
    // In rounds, as lint --fix: the value can be mended once the name is right.
    expect(edited('Apply all sure fixes')).toBe('FROM a\nPARAMETER temperature 0.7\n');
    expect(edited('Ignore modelfile/unknown-parameter here')).toBe(
      'FROM a\n# modelfile-studio: ignore modelfile/unknown-parameter\nPARAMETER temprature 0,7\nSYSTEM ""\n',
    );
    expect(actions.find(({ title }) => title === 'Write temperature')?.diagnostics).toHaveLength(1);
    const only = await computeCodeActions(
      document,
      { range: at(0), diagnostics: [], only: ['source.fixAll'] },
      NO_FACTS,
    );
    expect(only.map(({ kind }) => kind)).toEqual(['source.fixAll.modelfile']);
  });
});

describe('fix all', () => {
  it('gives what lint --fix would write, whatever the text', async () => {
    let changed = 0;
    for (let seed = 0; seed < 400; seed += 1) {
      const random = new Random(seed);
      const document = open(
        mutate(random, randomModelfile(random)).replaceAll('\n', random.chance(0.3) ? '\r\n' : '\n'),
      );
      const { parsed } = document;
      const { text: expected } = await fixAll(parsed.text, await lintModelfile(parsed), (text) =>
        lintModelfile(parseModelfile(text)),
      );
      const range = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
      const [action] = await computeCodeActions(
        document,
        { range, diagnostics: [], only: ['source.fixAll'] },
        NO_FACTS,
      );
      const edits = action?.edit?.changes?.[URI] ?? [];
      const result = [...edits]
        .sort((a, b) => document.offset(b.range.start) - document.offset(a.range.start))
        .reduce(
          (text, edit) =>
            text.slice(0, document.offset(edit.range.start)) +
            edit.newText +
            text.slice(document.offset(edit.range.end)),
          parsed.text,
        );
      expect(result, `seed ${seed}: ${JSON.stringify(parsed.text)}`).toBe(expected);
      changed += edits.length > 0 ? 1 : 0;
    }
    expect(changed).toBeGreaterThan(40);
  });
});
