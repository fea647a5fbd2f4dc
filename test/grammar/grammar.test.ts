import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { INSTRUCTION_NAMES } from '../../src/core/ollama/instructionNames';
import { lintText } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { GO_FUNCTIONS, OLLAMA_FUNCTIONS } from '../../src/core/goTemplate/functionNames';

const root = new URL('../../', import.meta.url).pathname;
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');

describe('the TextMate grammar', () => {
  it('gives the scopes that the marked files say', async () => {
    const tester = `${root}node_modules/vscode-tmgrammar-test/dist/unit.js`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [tester, '-g', 'syntaxes/modelfile.tmLanguage.json', 'test/grammar/*.Modelfile'],
      { cwd: root },
    );
    expect(stdout).toContain('instructions.Modelfile');
    expect(stdout).toContain('template.Modelfile');
  });

  it('knows every instruction and every function', () => {
    const grammar = read('syntaxes/modelfile.tmLanguage.json');
    for (const name of INSTRUCTION_NAMES) {
      expect(grammar).toMatch(new RegExp(`\\b${name}\\b`));
    }
    for (const name of [...GO_FUNCTIONS, ...OLLAMA_FUNCTIONS]) {
      expect(grammar).toMatch(new RegExp(`[(|:]${name}[|)]`));
    }
  });
});

describe('the snippets', () => {
  const snippets = JSON.parse(read('syntaxes/snippets.json')) as Record<
    string,
    { readonly prefix: string; readonly body: readonly string[] }
  >;
  it.each(Object.entries(snippets))('%s makes a text without errors', (_, { body }) => {
    const text = body
      .join('\n')
      .replace(/\$\{\d+:([^}]*)\}/g, '$1')
      .replace(/(?<!\\)\$\d+/g, '')
      .replaceAll('\\$', '$');
    const whole = /^FROM/m.test(text) ? text : `FROM ./x.gguf\n${text}`;
    const findings = lintText(parseModelfile(whole)).filter(
      ({ code }) => code !== 'modelfile/unknown-ignore' && code !== 'modelfile/template-no-stop',
    );
    expect(findings).toEqual([]);
  });
});

describe('the language configuration', () => {
  it('is JSON with working expressions', () => {
    const configuration = JSON.parse(read('syntaxes/language-configuration.json')) as {
      readonly wordPattern: string;
      readonly comments: { readonly lineComment: string };
    };
    expect(configuration.comments.lineComment).toBe('#');
    expect('PARAMETER num_ctx 4'.match(new RegExp(configuration.wordPattern, 'g'))).toEqual([
      'PARAMETER',
      'num_ctx',
      '4',
    ]);
  });
});
