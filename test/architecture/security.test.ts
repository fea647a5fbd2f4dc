import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
// @ts-expect-error Scripts carry no types.
import * as table from '../../scripts/docs/threats.mjs';
// @ts-expect-error Scripts carry no types.
import * as writer from '../../scripts/docs/write-security.mjs';
import { findOllama } from '../../src/node/ollama/ollamaState';
import { ROOT } from '../support/cli';

type Row = readonly [string, string, string, readonly (readonly [string, string])[]];
const { THREATS, NOT_RUN_HERE } = table as {
  readonly THREATS: readonly Row[];
  readonly NOT_RUN_HERE: readonly (readonly [string, string])[];
};
const { securityPage } = writer as { readonly securityPage: () => string };

const IDS = Object.entries({ G: 13, S: 9, P: 3, T: 5, O: 10, X: 8, W: 12, V: 10, C: 6 }).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, at) => `${letter}${at + 1}`),
);

describe('the table of threats', () => {
  it('has every row once', () => {
    expect(THREATS.map(([id]) => id).sort()).toEqual([...IDS].sort());
  });

  it.each(THREATS.map((row) => [row[0], row] as const))('%s names tests that are there', (_id, [, , , tests]) => {
    expect(tests.length).toBeGreaterThan(0);
    for (const [file, name] of tests) {
      expect(existsSync(join(ROOT, file)), file).toBe(true);
      expect(readFileSync(join(ROOT, file), 'utf8'), file).toContain(name);
    }
  });

  it('is the page that people read', () => {
    expect(readFileSync(join(ROOT, 'docs/security.md'), 'utf8')).toBe(securityPage());
    for (const [file] of NOT_RUN_HERE) {
      expect(existsSync(join(ROOT, file)), file).toBe(true);
    }
  });
});

/** What is bundled: a package that is not here got in unseen. */
const PACKAGES: readonly string[] = [
  '@huggingface/blake3-jit',
  '@huggingface/hub',
  '@huggingface/jinja',
  '@huggingface/xetchunk-wasm',
  '@sec-ant/readable-stream',
  '@sindresorhus/merge-streams',
  'balanced-match',
  'brace-expansion',
  'cross-spawn',
  'execa',
  'figures',
  'gearhash-jit',
  'get-stream',
  'human-signals',
  'is-plain-obj',
  'is-stream',
  'is-unicode-supported',
  'isexe',
  'minimatch',
  'npm-run-path',
  'ollama',
  'parse-ms',
  'path-key',
  'pretty-ms',
  'semver',
  'shebang-command',
  'shebang-regex',
  'signal-exit',
  'strip-final-newline',
  'undici',
  'unicorn-magic',
  'vscode-jsonrpc',
  'vscode-languageclient',
  'vscode-languageserver',
  'vscode-languageserver-protocol',
  'vscode-languageserver-textdocument',
  'vscode-languageserver-types',
  'whatwg-fetch',
  'which',
  'yoctocolors',
  'zod',
];

describe('C1 packages in the bundles', () => {
  it('are those of the list', () => {
    const metafiles = JSON.parse(readFileSync(join(ROOT, 'dist/meta.json'), 'utf8')) as Record<
      string,
      { readonly inputs: Readonly<Record<string, unknown>> }
    >;
    const found = new Set(
      Object.values(metafiles).flatMap(({ inputs }) =>
        Object.keys(inputs).flatMap((file) => /(?:^|.*\/)node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []),
      ),
    );
    expect([...found].sort()).toEqual([...PACKAGES].sort());
  });
});

const SOURCES = ['src', 'language-server/src'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => name.endsWith('.ts')),
);

describe('C4 code from elsewhere', () => {
  it('is not made from text, and no module has a name that is made', () => {
    const text = (file: string): string =>
      readFileSync(join(ROOT, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g, '');
    const making = SOURCES.filter((file) => /(?<![.\w])eval\(|\bnew Function\(|from '(?:node:)?vm'/.test(text(file)));
    expect(making).toEqual([]);
    const named = SOURCES.filter((file) =>
      [...text(file).matchAll(/(?:await |return |= )(?:import|require)\(\s*([^)]*)/g)].some(
        ([, name]) => !/^'(?:\.{1,2}\/|node:)[\w./-]+'\s*$/.test(name!),
      ),
    );
    expect(named).toEqual([]);
  });
});

/** The files that may ask something of another machine. */
const NETWORK = [
  'src/node/hub/hubConnection.ts',
  // Bounded questions for diagnostics, to the Ollama server of the settings.
  'src/node/modelfile/ollamaFacts.ts',
  // What is called fetch in these two is a function of their own, by way of the transports beside them.
  'src/node/ollama/ollamaClient.ts',
  'src/node/ollama/ollamaTransport.ts',
  'src/node/registry/registryClient.ts',
  'src/node/registry/registryTransport.ts',
];

describe.skipIf(process.platform === 'win32')('X3 programs planted in the working folder', () => {
  it('are not found by relative folders of PATH', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
    const before = process.cwd();
    try {
      const good = join(folder, 'good');
      for (const place of [folder, join(folder, 'bin'), good]) {
        mkdirSync(place, { recursive: true });
        writeFileSync(join(place, 'ollama'), '#!/bin/sh\n', { mode: 0o755 });
      }
      process.chdir(folder);
      expect(await findOllama({ PATH: `.:bin::./bin:${good}` })).toBe(join(good, 'ollama'));
      expect((await findOllama({ PATH: '.:bin:' }))?.startsWith(folder) ?? false).toBe(false);
    } finally {
      process.chdir(before);
      rmSync(folder, { recursive: true });
    }
  });
});

describe('C6 the network', () => {
  it('is in the named files only', () => {
    const uses = (text: string): boolean =>
      /^import (?!type)[^;]*from '(?:node:(?:https?|http2|net|tls|dgram|dns(?:\/promises)?)|undici)'/m.test(text) ||
      /(?<![\w.'`#])fetch\((?!\))|\bnew (?:WebSocket|EventSource|XMLHttpRequest)\(/.test(
        text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''),
      );
    const found = SOURCES.filter((file) => uses(readFileSync(join(ROOT, file), 'utf8')));
    expect(found.sort()).toEqual(NETWORK);
  });
});
