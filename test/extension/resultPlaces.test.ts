import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { editorWords } from '../../src/extension/editorWords';
import { outputProblem, shownPath, typedPath } from '../../src/extension/wizard/resultPlaces';
import { FIXTURES, ROOT, runCli } from '../support/cli';

const root = mkdtempSync(join(tmpdir(), 'modelfile-studio-places-'));
beforeAll(() => {
  mkdirSync(join(root, 'models/taken.gguf'), { recursive: true });
  writeFileSync(join(root, 'models/file'), '');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the place of a result', () => {
  it('is shown from the workspace or the home folder on, and means the same when it is typed', () => {
    expect(shownPath(join(root, 'models/x.gguf'), root)).toBe(join('models', 'x.gguf'));
    expect(shownPath(join(homedir(), 'm/x.gguf'), root)).toBe(join('~', 'm', 'x.gguf'));
    expect(shownPath(`${root}-other/x.gguf`, root)).toBe(`${root}-other/x.gguf`);
    for (const path of [join(root, 'models/x.gguf'), join(homedir(), 'm/x.gguf'), `${root}-other/x.gguf`]) {
      expect(typedPath(shownPath(path, root), root)).toBe(path);
    }
    expect(typedPath('x.gguf', undefined)).toBe(join(homedir(), 'x.gguf'));
  });

  it.each([
    ['', 'gguf', /name of the file/],
    ['models/', 'folder', /name of the folder/],
    ['nowhere/x.gguf', 'gguf', /no folder nowhere/],
    ['models/taken.gguf', 'gguf', /is a folder/],
    ['models/x', 'gguf', /ends in \.gguf/],
    ['models/nul.gguf', 'gguf', /not a name that every system can store\. Choose another one\.$/],
    ['models/file', 'folder', /is a file/],
  ] as const)('%j as %s is refused while it is typed', async (text, kind, problem) => {
    expect(await outputProblem(text, { kind, root })).toMatch(problem);
  });

  it('that is right has no problem', async () => {
    expect(await outputProblem('models/x.gguf', { kind: 'gguf', root })).toBeUndefined();
    expect(await outputProblem(join(root, 'models'), { kind: 'folder', root })).toBeUndefined();
  });
});

describe('a plan refuses what the run would refuse', () => {
  it('a folder in the way that is no model', async () => {
    const base = join(FIXTURES, 'rugby/base');
    const out = join(root, 'models');
    const args = ['fuse', '--base', base, '--adapter', join(FIXTURES, 'rugby/lora'), '--out', out];
    const refused = await runCli([...args, '--dry-run', '--json']);
    expect(refused.json).toMatchObject({ error: { code: 'output/exists' } });
    expect((await runCli([...args, '--force', '--json'])).json).toEqual(refused.json);
    expect(readdirSync(out).sort()).toEqual(['file', 'taken.gguf']);
  });
});

describe('the words of the editor', () => {
  const sources = ['src/core', 'src/node'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(ROOT, folder, name), 'utf8')),
  );

  it('hold no --force and no --out of the terminal, whatever message is said', () => {
    // Sentences, not commands that are told for a terminal.
    const messages = sources
      .flatMap((text) => [...text.matchAll(/(?:`[^`]*`|'(?:[^'\\\n]|\\.)*')/g)].map(([literal]) => literal))
      .filter((literal) => /--(?:out|force)\b/.test(literal) && !/(?:modelfile-studio|build) .*--out/.test(literal))
      .filter((literal) => literal.includes('. ') || literal.endsWith(".'") || literal.endsWith('.`'));
    expect(messages.length).toBeGreaterThan(5);
    expect(messages.map(editorWords).filter((text) => /--(?:out|force)\b/.test(text))).toEqual([]);
  });

  it('say what to do with a type and a base', () => {
    expect(editorWords('Use --type BF16 (or F32).')).toBe('Choose the type BF16 (or F32).');
    expect(editorWords('or a smaller type (--type Q4_K_M).')).toBe('or a smaller type (Q4_K_M).');
    expect(editorWords('Name its folder with --base.')).toBe('Name its folder.');
  });
});
