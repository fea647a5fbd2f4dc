import { describe, expect, it } from 'vitest';
import { computeCodeActions, computeDiagnostics } from '../../language-server/src/service/languageService';
import { ModelfileDocument } from '../../language-server/src/service/modelfileDocument';
import { buildRequest, editsForBuilt } from '../../src/core/modelfile/buildFix';
import { commandsOf, droppedParameters } from '../../src/core/modelfile/inheritedCommands';
import type { ModelfileCommand } from '../../src/core/modelfile/modelfileTypes';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { NO_FACTS, type WorkspaceFacts } from '../../src/core/modelfile/workspaceFacts';
import type { LibraryModel } from '../../src/core/ollama/registryManifest';
import { ollamaProfile } from '../../src/core/ollama/ollamaProfile';

/** The text after the edits, last first. */
function built(text: string, base: string, inherited: readonly ModelfileCommand[] = [], path = './new.gguf'): string {
  return [...editsForBuilt(text, path, base, inherited)]
    .sort((a, b) => b.span.start - a.span.start)
    .reduce((left, { span, newText }) => left.slice(0, span.start) + newText + left.slice(span.end), text);
}

describe('what is built of a Modelfile', () => {
  it.each([
    ['FROM ./base\nADAPTER ./lora\n', { base: './base', adapters: ['./lora'] }],
    ['FROM ./base\n', { base: './base', adapters: [] }],
    ['ADAPTER ./a\nADAPTER "./b c"\nFROM llama3.2\n', { base: 'llama3.2', adapters: ['./a', './b c'] }],
    ['FROM ./mmproj.gguf\nFROM llama3.2\n', { base: 'llama3.2', adapters: [] }],
  ])('%j', (text, expected) => {
    expect(buildRequest(parseModelfile(text))).toEqual(expected);
  });
});

describe('the result in the place of what it was built from', () => {
  it.each([
    ['FROM ./base\nADAPTER ./lora\nSYSTEM a\n', 'FROM ./new.gguf\nSYSTEM a\n'],
    ['ADAPTER ./lora\r\nFROM ./base\r\nSYSTEM a', 'FROM ./new.gguf\r\nSYSTEM a'],
    [
      '# mine\nFROM "./base"  \nFROM ./mmproj.gguf\nADAPTER """./a"""\nADAPTER ./b',
      '# mine\nFROM ./new.gguf  \nFROM ./mmproj.gguf\n',
    ],
    ['FROM ./base\nFROM ./base\n', 'FROM ./new.gguf\n'],
    ['from ./base\nadapter ./lora\n', 'from ./new.gguf\n'],
  ])('%j', (text, expected) => {
    expect(built(text, './base')).toBe(expected);
    expect(built(built(text, './base'), './base')).toBe(expected);
  });

  it('is nothing where FROM says something else by now', () => {
    expect(editsForBuilt('FROM ./other\nADAPTER ./lora\n', './new.gguf', './base')).toEqual([]);
  });

  it.each(['./my model.gguf', './a#b.gguf', "./it's.gguf", '/abs/ü.gguf'])('can be called %s', (path) => {
    const { verdict } = parseModelfile(built('FROM ./base\nADAPTER ./lora\n', './base', [], path));
    expect(verdict.ok && verdict.commands).toEqual([{ name: 'model', args: path }]);
  });

  it('brings what an installed base hands on and a file does not, where the Modelfile says nothing of its own', () => {
    const inherited = [
      { name: 'model', args: '/store/blobs/sha256-projector' },
      { name: 'template', args: '{{ .Prompt }}\n' },
      { name: 'system', args: 'Theirs.' },
      { name: 'stop', args: '<|end|>' },
      { name: 'stop', args: 'User:' },
      { name: 'temperature', args: '0.2' },
      { name: 'license', args: 'MIT' },
      { name: 'license', args: 'a """\n" b' },
      { name: 'message', args: 'user: a: b' },
    ];
    const text = built('FROM base\nADAPTER ./lora\nSYSTEM Mine.\nPARAMETER temperature 1\n', 'base', inherited);
    const { verdict } = parseModelfile(text);
    expect(verdict.ok && verdict.commands).toEqual([
      { name: 'model', args: './new.gguf' },
      ...inherited.filter(({ name, args }) => !['system', 'temperature'].includes(name) && !args.includes('""')),
      { name: 'system', args: 'Mine.' },
      { name: 'temperature', args: '1' },
    ]);
    expect(text).toContain('# A licence of the base is left out');
  });
});

describe('the fix in an editor', () => {
  const document = new ModelfileDocument('file:///a/Modelfile', 1, 'FROM llama3.2\nADAPTER ./lora\n');
  const range = { start: { line: 1, character: 0 }, end: { line: 1, character: 3 } };

  it('comes first and is a command with what is to be built', async () => {
    const [first, ...others] = await computeCodeActions(document, { range, diagnostics: [], canBuild: true }, NO_FACTS);
    expect(first).toMatchObject({
      title: 'Build a GGUF and use it here',
      isPreferred: true,
      command: {
        command: 'modelfileStudio.buildForModelfile',
        arguments: [{ uri: 'file:///a/Modelfile', base: 'llama3.2', adapters: ['./lora'] }],
      },
    });
    expect(others.map(({ isPreferred }) => isPreferred ?? false)).not.toContain(true);
  });

  it('is offered once, whatever findings of the line it would mend', async () => {
    const facts: WorkspaceFacts = {
      ...NO_FACTS,
      ollama: () => Promise.resolve(ollamaProfile('0.32.15')),
      path: () =>
        Promise.resolve({
          kind: 'adapter-folder',
          adapter: {
            format: 'peft',
            method: 'lora',
            weightsFile: 'adapter_model.safetensors',
            refusals: [],
            targets: [],
          },
        }),
    };
    const diagnostics = await computeDiagnostics(document, facts);
    const line = { start: { line: 1, character: 0 }, end: { line: 1, character: 14 } };
    const actions = await computeCodeActions(document, { range: line, diagnostics, canBuild: true }, facts);
    const builds = actions.filter(({ command }) => command !== undefined);
    expect(builds).toHaveLength(1);
    expect(builds[0]!.diagnostics!.map(({ code }) => code)).toEqual([
      'modelfile/adapter-ending',
      'modelfile/adapter-directory',
    ]);
  });

  it('is not offered by an editor that cannot build', async () => {
    const actions = await computeCodeActions(document, { range, diagnostics: [] }, NO_FACTS);
    expect(actions.map(({ title }) => title)).toEqual(['Ignore modelfile/adapter-gone here']);
  });
});

describe('parameters that an installed model hands on', () => {
  const model = {
    name: 'old',
    license: [],
    messages: [],
    parameters: { typical_p: 0.7, temperature: 0.5, stop: ['a', 'b'], tfs_z: 1, mirostat: 2 },
  } as unknown as LibraryModel;

  it.each([
    ['0.32.15', true],
    ['0.34.0', true],
    ['0.34.1', false],
    ['0.34.4', false],
    ['0.99.0', false],
  ])('for %s: typical_p %s', (version, stays) => {
    const profile = ollamaProfile(version);
    expect(commandsOf(model, profile)).toEqual([
      ...(stays ? [{ name: 'typical_p', args: '0.7' }] : []),
      { name: 'temperature', args: '0.5' },
      { name: 'stop', args: 'a' },
      { name: 'stop', args: 'b' },
    ]);
    expect(droppedParameters(model, profile).map(({ code, message }) => `${code} ${message}`)).toEqual(
      stays
        ? []
        : [
            `ollama/parameter-dropped the typical_p 0.7 of old is left out: Ollama ${version} takes no new model with it (until Ollama 0.34.0)`,
          ],
    );
  });
});
