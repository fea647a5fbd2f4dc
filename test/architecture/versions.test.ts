import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/cli';

/** Where versions of Ollama stand: the list that is written by hand; the generated one is no source. */
const HOME = 'src/core/ollama/ollamaBehaviours.ts';

/** What looks like a version of Ollama, and is another thing. */
const OTHERS: readonly (readonly [file: string, text: RegExp, why: string])[] = [
  ['src/core/engineVersion.ts', /^0\.1\.0$/, 'the version of this program'],
  ['src/core/modelfile/createRequest.ts', /requires must be a valid semver \(e\.g\. 0\.14\.0\)/, 'words of Ollama'],
  ['src/core/modelfile/diagnostics/textDiagnostics.ts', /is no version\. Ollama: requires must be/, 'words of Ollama'],
  ['src/core/ollama/ollamaProfile.ts', /^0\.0\.0$/, 'what a build without a version says'],
  ['src/core/ollama/createRefusals.ts', /^REQUIRES takes a version such as 0\.14\.0\.$/, 'an example'],
];

/** `0.34`, `0.34.1`: no part of an address, and Ollama's own first number. */
const VERSION = /(?<![\d.])0\.(?:[1-9]|[1-9]\d)(?:\.\d{1,2})?(?![\d.]*\d)/;
const EXACT = /(?<![\d.])0\.\d{1,2}\.\d{1,2}(?![\d.]*\d)/;

interface Found {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** Every string and template of the sources in which a version stands; comments tell what was read, and decide nothing. */
function versionsIn(file: string, source: string): Found[] {
  const parsed = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const found: Found[] = [];
  const visit = (node: ts.Node): void => {
    if (
      ts.isStringLiteralLike(node) ||
      ts.isTemplateHead(node) ||
      ts.isTemplateMiddle(node) ||
      ts.isTemplateTail(node) ||
      ts.isRegularExpressionLiteral(node)
    ) {
      const { text } = node;
      if (EXACT.test(text) || (/ollama/i.test(text) && VERSION.test(text))) {
        found.push({ file, line: parsed.getLineAndCharacterOfPosition(node.getStart()).line + 1, text });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(parsed);
  return found;
}

describe('versions of Ollama', () => {
  it('are found where they stand', () => {
    const text = (source: string): string[] => versionsIn('x.ts', source).map(({ text: found }) => found);
    expect(text("const A = '0.34.1';")).toEqual(['0.34.1']);
    expect(text('const A = `Ollama 0.32 and later ${b} since 0.34.1`;')).toEqual([
      'Ollama 0.32 and later ',
      ' since 0.34.1',
    ]);
    expect(text('const A = /^0\\.34\\.1/; // 0.34.1')).toEqual([]);
    expect(text("const A = ['127.0.0.1:11434', '0.0.0.0', 0.34, 'min_p 0.05', 'perplexity 0.0217'];")).toEqual([]);
  });

  it('stand in the table and in the list of behaviours, and nowhere else', () => {
    const files = ['src', 'language-server/src'].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => join(folder, name).replaceAll('\\', '/')),
    );
    expect(files).toContain(HOME);
    const all = files.flatMap((file) => versionsIn(file, readFileSync(join(ROOT, file), 'utf8')));
    expect(all.filter(({ file }) => file === HOME).length).toBeGreaterThan(10);
    const elsewhere = all.filter(
      ({ file, text }) => file !== HOME && !OTHERS.some(([where, words]) => where === file && words.test(text)),
    );
    expect(elsewhere.map(({ file, line, text }) => `${file}:${line} ${text}`)).toEqual([]);
    // An exception that nothing needs is one too many.
    const unused = OTHERS.filter(([where, words]) => !all.some(({ file, text }) => where === file && words.test(text)));
    expect(unused).toEqual([]);
  });
});
