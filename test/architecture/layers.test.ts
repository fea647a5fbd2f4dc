import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ENGINE_VERSION } from '../../src/core/engineVersion';
import { ERROR_CODES } from '../../src/core/errorCodes';
import { ROOT } from '../support/cli';

interface Metafile {
  readonly inputs: Readonly<
    Record<string, { readonly imports: readonly { readonly path: string; readonly external?: boolean }[] }>
  >;
}

/** The bundler's own account of who imports whom (esbuild.mjs writes it with every build). */
const metafiles = JSON.parse(readFileSync(join(ROOT, 'dist/meta.json'), 'utf8')) as Record<string, Metafile>;
const imports = new Map<string, Set<string>>();
for (const { inputs } of Object.values(metafiles)) {
  for (const [file, { imports: targets }] of Object.entries(inputs)) {
    const set = imports.get(file) ?? new Set<string>();
    targets.forEach(({ path }) => set.add(path));
    imports.set(file, set);
  }
}

const LAYERS = [
  'src/core',
  'src/node',
  'src/cli',
  'src/extension',
  'language-server/src/service',
  'language-server/src/server',
] as const;
type Layer = (typeof LAYERS)[number];
const MAY_IMPORT: Record<Layer, readonly Layer[]> = {
  'src/core': ['src/core'],
  'src/node': ['src/node', 'src/core'],
  'src/cli': ['src/cli', 'src/core', 'src/node', 'language-server/src/service'],
  'src/extension': ['src/extension', 'src/core', 'src/node', 'language-server/src/service'],
  'language-server/src/service': ['language-server/src/service', 'src/core'],
  'language-server/src/server': ['language-server/src/server', 'language-server/src/service', 'src/core', 'src/node'],
};
const layerOf = (file: string): Layer | undefined => LAYERS.find((layer) => file.startsWith(`${layer}/`));
const packageOf = (file: string): string => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? file;

/** Who alone may import a package or module. */
const OWNERS: Record<string, RegExp> = {
  vscode: /^src\/extension\//,
  execa: /^src\/node\//,
  ollama: /^src\/node\/ollama\/ollamaClient\.ts$/,
  'node:child_process': /^src\/node\//,
};

describe('layers', () => {
  it('sees the bundles', () => {
    expect(Object.keys(metafiles)).toEqual(expect.arrayContaining(['cli', 'worker']));
    expect([...imports.keys()].filter((file) => file.startsWith('src/core/')).length).toBeGreaterThan(20);
  });

  it('import only what they may', () => {
    const wrong: string[] = [];
    for (const [file, targets] of imports) {
      const layer = layerOf(file);
      if (layer === undefined) {
        continue;
      }
      for (const target of targets) {
        const other = layerOf(target);
        if (other !== undefined && !MAY_IMPORT[layer].includes(other)) {
          wrong.push(`${file} imports ${target}`);
        }
        const owner = OWNERS[packageOf(target)];
        if (owner !== undefined && !owner.test(file)) {
          wrong.push(`${file} imports ${target}`);
        }
        const pure = layer === 'src/core' || layer === 'language-server/src/service';
        if (pure && target.startsWith('node:')) {
          wrong.push(`${file} imports ${target}`);
        }
        if (layer === 'src/core' && target.startsWith('node_modules/') && packageOf(target) !== 'zod') {
          wrong.push(`${file} imports ${target}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});

/** All source files that people write, with their text. */
function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => name.endsWith('.ts') && !name.includes('/build/'));
}

describe('the code', () => {
  const files = [...sources('src'), ...sources('language-server/src')];

  it('keeps files under 400 lines, but for generated tables', () => {
    const long = files.filter((file) => {
      const text = readFileSync(join(ROOT, file), 'utf8');
      return text.split('\n').length > 401 && !/generated/i.test(text.slice(0, 400));
    });
    expect(long).toEqual([]);
  });

  it('has no any in core', () => {
    const found = files.filter(
      (file) =>
        file.startsWith('src/core/') &&
        !file.includes('/assembly/') &&
        /(?::|\bas|<)\s*any\b(?!_)/.test(
          readFileSync(join(ROOT, file), 'utf8')
            .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
            .replace(/'[^'\n]*'|`[^`]*`/g, "''"),
        ),
    );
    expect(found).toEqual([]);
  });

  it('never starts a shell', () => {
    const found = files.filter((file) =>
      /shell:\s*true|execSync|\bexec\(['"`]|execaCommand|ShellExecution/.test(readFileSync(join(ROOT, file), 'utf8')),
    );
    expect(found).toEqual([]);
  });

  it('documents every error code', () => {
    const page = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8');
    expect(page.match(/^\| `[a-z-]+\/[a-z/-]+` \|/gm)?.length).toBe(Object.keys(ERROR_CODES).length);
    for (const [code, meaning] of Object.entries(ERROR_CODES)) {
      expect(code).toMatch(/^[a-z]+(-[a-z]+)*(\/[a-z]+(-[a-z]+)*)+$/);
      expect(page).toContain(`| \`${code}\` | ${meaning} |`);
    }
  });

  it('says one version', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(ENGINE_VERSION).toBe(manifest.version);
  });
});
