import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands';
import { ROOT, runCli } from '../support/cli';
import { temporaryFolder } from '../support/models';
import { errorCode } from '../support/startCli';

// Messages, diagnostics, fixes and documents name commands. Each that is named must be one that the command line takes.
const folder = temporaryFolder();

function textsBelow(path: string, ending: RegExp): string[] {
  return readdirSync(join(ROOT, path), { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name) && !/assembly|\/build\//.test(name))
    .map((name) => join(path, name));
}

const files = [
  ...textsBelow('src', /\.ts$/),
  ...textsBelow('language-server', /\.(?:ts|md)$/),
  ...textsBelow('docs', /\.md$/),
  'README.md',
  'package.nls.json',
];

interface Named {
  readonly place: string;
  readonly args: readonly string[];
}

/** Words of a command that stand for something: what is tried in their place. */
const PLACEHOLDERS: readonly (readonly [RegExp, string])[] = [
  [/^(?:T|TYPE|A|B)$/, 'Q4_K_M'],
  [
    /\$\{[^}]*\}|^(?:[A-Z][A-Z_/-]*|FILE\.[a-z]+|[\w/.-]+\.[\w]+|\.{0,2}\/\S*|[\w.-]+\/[\w./-]+|\d[\d.]*|\w+[:=]\S*|Q\d\w+|BF16|F16|F32|…)$/,
    '',
  ],
];

/** What follows the program's name up to the end of the command: options with their values, paths and placeholders. */
function commandAt(words: readonly string[]): string[] {
  const args: string[] = [];
  const command = COMMANDS.find(({ name }) => name === words[0]);
  let wantsValue = false;
  for (const word of words) {
    const bare = word.replace(/[.,;:)\]}…*]+$/, '').replace(/^[([{]+/, '');
    const ends = bare !== word && !/^\$\{/.test(bare);
    const isPlaceholder = PLACEHOLDERS.some(([pattern]) => pattern.test(bare));
    if (args.length === 0 || bare.startsWith('--') || wantsValue || isPlaceholder) {
      args.push(bare);
    } else {
      break;
    }
    const option = bare.startsWith('--') ? command?.options[bare.slice(2)] : undefined;
    wantsValue = option?.type === 'string' && !bare.includes('=');
    if (ends) {
      break;
    }
  }
  return args;
}

const named: Named[] = files.flatMap((file) =>
  readFileSync(join(ROOT, file), 'utf8')
    .split('\n')
    .flatMap((line, index) =>
      [
        ...line.matchAll(
          /modelfile-studio ([a-z][a-z-]+(?: (?:"[^"\n]*"|'[^'\n]*'|(?:\$\{[^}]*\}|[^\s'"`|<>\\#$])+))*)/g,
        ),
      ].map(([, text]): Named => ({
        place: `${file}:${index + 1}`,
        args: commandAt(text!.match(/"[^"]*"|'[^']*'|\$\{[^}]*\}\S*|\S+/g) ?? []),
      })),
    )
    // Markers of our own files, and prose about the program.
    .filter(({ args }) => !/^(?:journal|lock|ignore|needs|is|on|build 1)(?: |$)/.test(args.join(' '))),
);

/** As it could be typed, with something in the place of every placeholder. */
function typed(args: readonly string[]): string[] {
  const options = COMMANDS.find(({ name }) => name === args[0])?.options ?? {};
  return args.map((word, index) => {
    const before = args[index - 1] ?? '';
    const spec = before.startsWith('--') ? options[before.slice(2)] : undefined;
    if (spec?.type === 'string' && /^(?:[A-Z…]+|\$\{.*)$/.test(word)) {
      return before === '--type' ? 'Q4_K_M' : before === '--weight' ? '1' : 'nowhere/x';
    }
    return word.replace(/\$\{[^}]*\}/g, 'nowhere/x').replace(/^['"]|['"]$/g, '');
  });
}

describe('commands that texts name', () => {
  it('are found', () => {
    expect(named.length).toBeGreaterThan(20);
  });

  it('exist', () => {
    const names = new Set([...COMMANDS.map(({ name }) => name), 'help']);
    expect(
      named.filter(({ args }) => !names.has(args[0]!)).map(({ place, args }) => `${place}: ${args.join(' ')}`),
    ).toEqual([]);
  });

  it('have the options that they are named with', () => {
    const wrong = named.filter(({ args }) => {
      const command = COMMANDS.find(({ name }) => name === args[0]);
      const known = new Set([...Object.keys(command?.options ?? {}), 'json', 'quiet', 'help', 'no-color', 'version']);
      return args.some((word) => word.startsWith('--') && !known.has(word.slice(2).split('=')[0]!));
    });
    expect(wrong.map(({ place, args }) => `${place}: ${args.join(' ')}`)).toEqual([]);
  });

  // A command that is named with arguments is a line to type: what is missing must be nothing but the files.
  const lines = new Map(
    named
      .filter(({ args }) => args.length > 1 && !args.includes('--help'))
      .map(({ place, args }) => [typed(args).join(' '), { place, args: typed(args) }]),
  );
  it.each([...lines.values()].map(({ place, args }) => [args.join(' '), place, args] as const))(
    '%s (%s)',
    async (_line, place, args) => {
      const run = await runCli([...args, '--json'], {
        cwd: folder,
        env: { ...process.env, OLLAMA_HOST: '127.0.0.1:9', HF_ENDPOINT: 'http://127.0.0.1:9' },
      });
      const code = run.code === 0 ? '' : errorCode(run);
      expect(code, `${place}: ${run.stdout}${run.stderr}`).not.toBe('usage/arguments');
    },
  );
});
