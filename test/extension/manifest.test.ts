import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, runCli } from '../support/cli';

interface Contribution {
  readonly command: string;
  readonly title: string;
  readonly category?: string;
  readonly icon?: string;
  readonly enablement?: string;
}

interface MenuItem {
  readonly command?: string;
  readonly when?: string;
  readonly group?: string;
}

interface Setting {
  readonly scope?: string;
  readonly default?: unknown;
  readonly markdownDescription?: string;
}

interface View {
  readonly id: string;
  readonly name: string;
  readonly icon?: string;
  readonly initialSize?: number;
  readonly visibility?: string;
}

interface Manifest {
  readonly engines: { readonly vscode: string };
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly activationEvents: readonly string[];
  readonly icon: string;
  readonly extensionKind: readonly string[];
  readonly extensionDependencies?: unknown;
  readonly extensionPack?: unknown;
  readonly capabilities: {
    readonly untrustedWorkspaces: { readonly supported: string; readonly restrictedConfigurations: readonly string[] };
    readonly virtualWorkspaces: { readonly supported: string };
  };
  readonly contributes: {
    readonly commands: readonly Contribution[];
    readonly menus: Readonly<Record<string, readonly MenuItem[]>>;
    readonly configuration: { readonly properties: Readonly<Record<string, Setting>> };
    readonly viewsContainers: { readonly activitybar: readonly { readonly title: string; readonly icon: string }[] };
    readonly views: Readonly<Record<string, readonly View[]>>;
    readonly viewsWelcome: readonly { readonly view: string; readonly contents: string; readonly when?: string }[];
    readonly problemMatchers: readonly { readonly pattern: { readonly regexp: string } }[];
    readonly walkthroughs: readonly {
      readonly steps: readonly { readonly media: { readonly svg?: string; readonly altText?: string } }[];
    }[];
    readonly languages: readonly {
      readonly id: string;
      readonly filenames?: readonly string[];
      readonly filenamePatterns?: readonly string[];
      readonly extensions?: readonly string[];
    }[];
  };
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as Manifest;
const texts = JSON.parse(read('package.nls.json')) as Record<string, string>;
const { commands, menus, configuration, views, viewsWelcome } = manifest.contributes;
const ids = commands.map(({ command }) => command);

/** All sources of the extension as one text. */
const sources = readdirSync(join(ROOT, 'src/extension'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => read(join('src/extension', name)))
  .join('\n');

describe('the manifest', () => {
  it('asks for the engine that its types are of, and is activated by what it contributes', () => {
    expect(manifest.engines.vscode).toBe('^1.105.0');
    expect(manifest.devDependencies['@types/vscode']).toBe('1.105.0');
    expect(
      manifest.activationEvents.filter(
        (event) =>
          !/^onTaskType:modelfile-studio$|^onFileSystem:modelfile-studio-plan$|^onWebviewPanel:modelfileStudio\./.test(
            event,
          ),
      ),
    ).toEqual([]);
    expect(manifest.extensionKind).toEqual(['workspace']);
  });

  it('brings no other extension, and no address that links could call', () => {
    expect(manifest.extensionDependencies).toBeUndefined();
    expect(manifest.extensionPack).toBeUndefined();
    expect(sources).not.toContain('registerUriHandler');
  });

  it('titles its container and sizes its views', () => {
    expect(manifest.contributes.viewsContainers.activitybar.map(({ title }) => title)).toEqual(['Modelfile Studio']);
    const all = Object.values(views).flat();
    expect(all.map(({ initialSize }) => initialSize)).toEqual([6, 2, 1]);
    expect(all.map(({ name }) => texts[name.replaceAll('%', '')])).toEqual(['Artefacts', 'Jobs', 'Ollama']);
    expect(all[1]!.visibility).toBe('collapsed');
    expect(all.filter(({ icon }) => icon === undefined || !existsSync(join(ROOT, icon)))).toEqual([]);
  });

  it('opens every Modelfile as one', () => {
    const language = manifest.contributes.languages.find(({ id }) => id === 'modelfile')!;
    expect(language.filenames).toEqual(['Modelfile', 'modelfile']);
    expect(language.filenamePatterns).toContain('Modelfile.*');
    expect(language.extensions).toContain('.modelfile');
  });

  it('has a text for every key, and no text without one', () => {
    const used = new Set(
      [
        ...JSON.stringify({ contributes: manifest.contributes, capabilities: manifest.capabilities }).matchAll(
          /"%([\w.]+)%"/g,
        ),
      ].map(([, key]) => key!),
    );
    expect([...used].filter((key) => !(key in texts))).toEqual([]);
    expect(Object.keys(texts).filter((key) => !used.has(key))).toEqual([]);
    expect(
      Object.values(texts).filter((text) => text.trim() === '' || /\p{Extended_Pictographic}/u.test(text)),
    ).toEqual([]);
  });

  it('names no scheme but file that a server rewrites in conditions', () => {
    // VS Code's server (SSH, WSL, containers, code-server) replaces the word file in values of resourceScheme, wherever it stands.
    const conditions = [
      ...JSON.stringify(manifest.contributes).matchAll(/"(?:when|enablement)":"((?:[^"\\]|\\.)*)"/g),
    ].map(([, when]) => when!);
    expect(conditions.length).toBeGreaterThan(40);
    const schemes = conditions.flatMap((when) =>
      [...when.matchAll(/resourceScheme\s*(?:[!=]=|=~|in)\s*(\S+)/g)].map(([, scheme]) => scheme!),
    );
    expect(schemes).toContain('file');
    expect(schemes.filter((scheme) => scheme !== 'file' && scheme.includes('file'))).toEqual([]);
    const plan = menus['editor/title']!.find(({ command }) => command === 'modelfileStudio.runPlan');
    expect(plan?.when).toContain('resourceLangId == modelfile-studio-plan');
  });

  it('has a picture for the marketplace', () => {
    const png = readFileSync(join(ROOT, manifest.icon));
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([128, 128]);
  });
});

describe('commands', () => {
  it('carry the category, a title that begins with a verb, and an icon of the editor', () => {
    for (const { command, title, category, icon } of commands) {
      expect(texts[category?.replaceAll('%', '') ?? ''], command).toBe('Modelfile Studio');
      expect(texts[title.replaceAll('%', '')], command).toMatch(/^[A-Z]/);
      expect(icon, command).toMatch(/^\$\([a-z-]+\)$/);
    }
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('are all registered, and all that are registered and not internal are in it', () => {
    const registered = new Set(
      [...sources.matchAll(/(?:registerCommand\(\s*\w+,|onPlan\(|each\(|'modelfileStudio\.)\s*'?([\w.]+)'/g)].map(
        ([, name]) => name!,
      ),
    );
    [...sources.matchAll(/COMMAND_TABLE = \{([\s\S]*?)\}/g)].forEach(([, body]) =>
      [...body!.matchAll(/\w+/g)].forEach(([name]) => registered.add(name)),
    );
    expect(ids.map((id) => id.replace('modelfileStudio.', '')).filter((name) => !registered.has(name))).toEqual([]);
  });

  it('are in the palette with nothing selected: at least ten, and only trust hides them', () => {
    const rules = new Map(menus['commandPalette']!.map(({ command, when }) => [command, when]));
    const shown = ids.filter(
      (id) => rules.get(id) !== 'false' && !/resourceLangId == modelfile-studio-plan/.test(rules.get(id) ?? ''),
    );
    expect(shown.length).toBeGreaterThanOrEqual(25);
    for (const id of shown) {
      expect([undefined, 'isWorkspaceTrusted && !virtualWorkspace'], id).toContain(rules.get(id));
    }
    const wanted = [
      'Build Ollama Model…',
      'Fuse…',
      'Convert to GGUF…',
      'Quantise…',
      'Convert Adapter to GGUF…',
      'New Modelfile from Artefact',
      'Inspect',
      'Verify',
      'Compare…',
      'Rebuild with Last Choices',
      'Reveal',
      'Clean Up',
      'Diagnose Setup',
      'Show Logs',
      'Restart Language Server',
      'Insert Template from Library Model…',
      'Create from Modelfile',
    ];
    const titles = shown.map((id) => texts[commands.find(({ command }) => command === id)!.title.replaceAll('%', '')]);
    expect(wanted.filter((title) => !titles.includes(title))).toEqual([]);
  });

  it('are known to every menu, and need trust in each but where they do no harm', () => {
    const harmless = /showLogs|previewPrompt|newModelfile$|restartLanguageServer|Job|openInViewer/;
    for (const [menu, items] of Object.entries(menus)) {
      for (const { command, when } of items) {
        expect(ids, `${menu}: ${command ?? ''}`).toContain(command);
        const needsTrust = menu !== 'commandPalette' && !harmless.test(command ?? '');
        expect(
          !needsTrust || /isWorkspaceTrusted && !virtualWorkspace/.test(when ?? ''),
          `${menu}: ${command ?? ''} when ${when ?? ''}`,
        ).toBe(true);
      }
    }
  });

  it('show at most three inline for any one item', () => {
    const inline = menus['view/item/context']!.filter(({ group }) => group?.startsWith('inline') === true);
    // The words of one kind of item, as artefactTags gives them.
    for (const words of [
      'adapter buildable modelfile verifiable viewable inspectable folder',
      'gguf quantisable modelfile buildable rebuildable inspectable viewable file',
      'model buildable quantisable folder inspectable',
      'running output',
      'done revealable',
      'interrupted',
      'ollamaModel',
      'ollamaModel.running',
      'ollamaModel.running.adapter',
    ]) {
      for (const view of ['artefacts', 'jobs', 'ollama']) {
        const shown = inline.filter(({ when = '' }) => {
          const kinds = /viewItem =~ \/(.*)\/$/.exec(when)?.[1];
          const exact = /viewItem == ([\w.]+)$/.exec(when)?.[1];
          return (
            when.includes(`view == modelfileStudio.${view}`) &&
            (kinds === undefined ? exact === undefined || exact === words : new RegExp(kinds).test(words))
          );
        });
        expect(shown.length, `${view}: ${words}`).toBeLessThanOrEqual(3);
      }
    }
  });
});

describe('settings', () => {
  it('are few, and each has a default, a scope and words', () => {
    const settings = Object.entries(configuration.properties);
    expect(settings.length).toBeLessThanOrEqual(12);
    for (const [name, { scope, markdownDescription, ...rest }] of settings) {
      expect(name).toMatch(/^modelfileStudio\./);
      expect('default' in rest, name).toBe(true);
      expect(scope, name).toBeDefined();
      expect(texts[markdownDescription?.replaceAll('%', '') ?? '']?.length ?? 0, name).toBeGreaterThan(30);
    }
  });

  it('cannot be set by a workspace where they name programs, hosts or folders', () => {
    const risky = Object.entries(configuration.properties).filter(([name]) =>
      /host|path|folder|executable|args|command|version|enabled|workers|cache/i.test(name),
    );
    expect(risky.length).toBeGreaterThanOrEqual(5);
    for (const [name, { scope }] of risky) {
      expect(manifest.capabilities.untrustedWorkspaces.restrictedConfigurations, name).toContain(name);
      expect(!/host|path|executable|args|command/i.test(name) || scope === 'machine', name).toBe(true);
    }
    expect(manifest.capabilities.untrustedWorkspaces.supported).toBe('limited');
    expect(manifest.capabilities.virtualWorkspaces.supported).toBe('limited');
  });
});

describe('welcome texts', () => {
  it('name commands that exist, with at most one button each', () => {
    for (const { view, contents } of viewsWelcome) {
      const text = texts[contents.replaceAll('%', '')]!;
      const called = [...text.matchAll(/\]\(command:(modelfileStudio\.[\w.]+)/g)].map(([, id]) => id!);
      expect(
        called.filter((id) => !ids.includes(id) && !id.endsWith('.focus')),
        view,
      ).toEqual([]);
      const buttons = text.split('\n').filter((line) => /^\[[^\]]+\]\([^)]+\)$/.test(line));
      expect(buttons.length, text).toBeLessThanOrEqual(1);
    }
  });
});

describe('the walkthrough', () => {
  it('has at most five steps, each with its picture', () => {
    const [walkthrough] = manifest.contributes.walkthroughs;
    expect(walkthrough!.steps.length).toBeLessThanOrEqual(5);
    for (const { media } of walkthrough!.steps) {
      expect(existsSync(join(ROOT, media.svg ?? '')), media.svg).toBe(true);
      expect(media.altText).toBeDefined();
    }
  });
});

describe('the problem matcher', () => {
  it('reads what lint prints', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-matcher-'));
    const path = join(folder, 'Modelfile');
    writeFileSync(path, 'FROM x\nPARAMETER temprature 0.7\n');
    const { stdout } = await runCli(['lint', path]);
    rmSync(folder, { recursive: true });
    const pattern = new RegExp(manifest.contributes.problemMatchers[0]!.pattern.regexp);
    const found = stdout
      .split('\n')
      .map((line) => pattern.exec(line))
      .find((match) => match !== null);
    expect(found?.slice(1, 6)).toEqual([
      path,
      '2',
      expect.stringMatching(/^\d+$/),
      'error',
      'modelfile/unknown-parameter',
    ]);
    expect(found?.[6]).toMatch(/temprature/);
  });
});

describe('the package', () => {
  it('holds what runs, and nothing else', () => {
    const listed = execFileSync(
      process.execPath,
      [join(ROOT, 'node_modules/@vscode/vsce/vsce'), 'ls', '--no-dependencies'],
      { cwd: ROOT, encoding: 'utf8' },
    )
      .trim()
      .split('\n')
      .filter((line) => !line.startsWith('npm '));
    const allowed =
      /^(?:package\.json|package\.nls\.json|README\.md|CHANGELOG\.md|LICENSE|dist\/[\w-]+\.js|dist\/(?:library\.json|NOTICES\.txt)|media\/[\w-]+\.(?:svg|png|css|js)|media\/(?:walkthrough|sample)\/.+|syntaxes\/[\w.-]+\.json|language-server\/VALIDATOR\.md|l10n\/.+)$/;
    expect(listed.filter((file) => !allowed.test(file))).toEqual([]);
    expect(listed).toEqual(
      expect.arrayContaining([
        'package.json',
        'README.md',
        'LICENSE',
        'dist/cli.js',
        'dist/worker.js',
        'dist/server.js',
        'dist/extension.js',
        'media/icon.png',
        'syntaxes/modelfile.tmLanguage.json',
      ]),
    );
    const bytes = listed
      .filter((file) => !file.startsWith('dist/'))
      .reduce((sum, file) => sum + statSync(join(ROOT, file)).size, 0);
    expect(bytes).toBeLessThan(4_000_000);
  });
});
