import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkName } from '../../src/node/output/checkOutput';
import { StudioError } from '../../src/core/errors';
import { FIXTURES, runCli, runCliOk } from '../support/cli';
import { temporaryFolder } from '../support/models';
import { writeNoiseModel } from '../support/noiseModel';
import { errorCode, startCli, until } from '../support/startCli';

const RUGBY = join(FIXTURES, 'rugby');
const isWindows = process.platform === 'win32';
const folder = temporaryFolder();
const base = join(folder, 'base');
const lora = join(folder, 'lora');
const source = join(folder, 'source.gguf');

beforeAll(async () => {
  cpSync(join(RUGBY, 'base'), base, { recursive: true });
  cpSync(join(RUGBY, 'lora'), lora, { recursive: true });
  await runCliOk(['convert', '--base', base, '--type', 'F16', '--out', source]);
});

/** Every file under a folder with the hash of its content. */
function snapshot(path: string): Record<string, string> {
  const names = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    names.map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return [file, createHash('sha256').update(readFileSync(file)).digest('hex')];
    }),
  );
}

/** Runs a command that must be refused, and sees that it changed nothing at all. */
async function refused(args: readonly string[], code: string, cwd?: string): Promise<string> {
  const before = snapshot(folder);
  const run = await runCli([...args, '--json'], cwd === undefined ? {} : { cwd });
  expect(errorCode(run), run.stdout).toBe(code);
  expect(run.code).toBe(1);
  expect(snapshot(folder)).toEqual(before);
  return (run.json['error'] as { message: string }).message;
}

describe('W4 the output is an input', () => {
  const extra: string[] = [];
  afterEach(() => {
    extra.splice(0).forEach((path) => rmSync(path, { recursive: true, force: true }));
  });
  const made = (path: string): string => {
    extra.push(path);
    return path;
  };

  it('the same path', async () => {
    await refused(['quantize', source, source, 'Q8_0', '--force'], 'output/is-input');
  });
  it('by way of .. and another working folder', async () => {
    await refused(
      ['quantize', source, join(folder, 'base', '..', 'source.gguf'), 'Q8_0', '--force'],
      'output/is-input',
    );
    await refused(['quantize', 'source.gguf', './/source.gguf', 'Q8_0', '--force'], 'output/is-input', folder);
  });
  it.skipIf(isWindows)('a symbolic link to it, and a link to its folder', async () => {
    symlinkSync(source, made(join(folder, 'link.gguf')));
    symlinkSync(folder, made(join(folder, 'here')));
    await refused(['quantize', source, join(folder, 'link.gguf'), 'Q8_0', '--force'], 'output/is-input');
    await refused(['quantize', join(folder, 'link.gguf'), source, 'Q8_0', '--force'], 'output/is-input');
    await refused(['quantize', source, join(folder, 'here', 'source.gguf'), 'Q8_0', '--force'], 'output/is-input');
  });
  it('a hard link to it', async () => {
    linkSync(source, made(join(folder, 'hard.gguf')));
    await refused(['quantize', source, join(folder, 'hard.gguf'), 'Q8_0', '--force'], 'output/is-input');
  });
  it('another case on a file system that does not tell them apart', async (context) => {
    const fat = join(folder, 'fat');
    context.skip(!canMountFat(), 'needs root and mkfs.vfat to mount such a file system');
    try {
      writeFileSync(join(fat, 'source.gguf'), readFileSync(source));
      await refused(
        ['quantize', join(fat, 'source.gguf'), join(fat, 'SOURCE.GGUF'), 'Q8_0', '--force'],
        'output/is-input',
      );
    } finally {
      execFileSync('umount', ['-l', fat]);
    }
  });
  it.each(['config.json', 'tokenizer.json', 'model.safetensors', 'chat_template.jinja'])(
    "the base's %s",
    async (name) => {
      await refused(
        ['build', '--base', base, '--adapter', lora, '--type', 'Q8_0', '--out', join(base, name), '--force'],
        'output/is-input',
      );
    },
  );
  it("the adapter's files", async () => {
    await refused(
      [
        'build',
        '--base',
        base,
        '--adapter',
        lora,
        '--type',
        'Q8_0',
        '--out',
        join(lora, 'adapter_config.json'),
        '--force',
      ],
      'output/is-input',
    );
  });
  it("the base folder, its parent, or the adapter's", async () => {
    for (const out of [base, `${base}/`, folder, lora, join(lora, '..', 'base')]) {
      await refused(['fuse', '--base', base, '--adapter', lora, '--out', out, '--force'], 'output/is-input');
    }
    await refused(['build', '--base', base, '--type', 'Q8_0', '--out', base, '--force'], 'output/is-input');
  });
  it.skipIf(isWindows)('a folder whose weights are links to elsewhere, as in the cache of Hugging Face', async () => {
    const cached = made(join(folder, 'cached'));
    mkdirSync(cached);
    readdirSync(base).forEach((name) => symlinkSync(join(base, name), join(cached, name)));
    await refused(['fuse', '--base', cached, '--adapter', lora, '--out', cached, '--force'], 'output/is-input');
    await refused(
      ['build', '--base', cached, '--type', 'Q8_0', '--out', join(cached, 'config.json'), '--force'],
      'output/is-input',
    );
  });
  it('its unfinished form is an input', async () => {
    const odd = made(join(folder, 'odd.gguf.partial'));
    writeFileSync(odd, readFileSync(source));
    await refused(['quantize', odd, join(folder, 'odd.gguf'), 'Q8_0'], 'output/is-input');
  });
  it('but a GGUF inside the base folder is fine, and leaves the rest of it alone', async () => {
    const before = snapshot(base);
    const out = made(join(base, 'here.gguf'));
    made(`${out}.build.json`);
    await runCliOk(['build', '--base', base, '--type', 'Q8_0', '--out', out]);
    expect(snapshot(base)).toMatchObject(before);
    expect((await runCli(['build', '--base', base, '--type', 'Q4_0', '--out', out, '--force', '--json'])).code).toBe(0);
  });
});

function canMountFat(): boolean {
  try {
    mkdirSync(join(folder, 'fat'));
    execFileSync('truncate', ['-s', '40M', join(folder, 'fat.img')]);
    execFileSync('mkfs.vfat', [join(folder, 'fat.img')], { stdio: 'ignore' });
    execFileSync('mount', ['-o', 'loop', join(folder, 'fat.img'), join(folder, 'fat')], { stdio: 'ignore' });
    return true;
  } catch {
    rmSync(join(folder, 'fat'), { recursive: true, force: true });
    return false;
  }
}

describe('W5 an existing output', () => {
  const out = join(folder, 'exists.gguf');
  const command = ['build', '--base', base, '--adapter', lora, '--type', 'Q8_0', '--out', out];

  it('is refused without --force, and untouched', async () => {
    writeFileSync(out, 'precious');
    expect(await refused(command, 'output/exists')).toContain('--force');
  });

  it('with --force stays until the new one is whole', async () => {
    const model = join(folder, 'noise');
    writeNoiseModel(model, { hidden: 1024, feedForward: 3072, layers: 4 });
    const run = startCli(['build', '--base', model, '--type', 'Q4_K_M', '--out', out, '--force']);
    await until(() => existsSync(`${out}.partial`), 'a partial output');
    let looks = 0;
    while (existsSync(`${out}.partial.journal`) && run.child.exitCode === null) {
      const head = readFileSync(out).subarray(0, 8).toString('latin1');
      expect(head === 'precious' || head.startsWith('GGUF')).toBe(true);
      looks++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(looks).toBeGreaterThan(5);
    expect((await run.ended).code).toBe(0);
    expect(readFileSync(out).subarray(0, 4).toString('latin1')).toBe('GGUF');
    rmSync(model, { recursive: true });
  });

  it('that appears while the run goes on is not replaced without --force', async () => {
    const late = join(folder, 'late.gguf');
    const model = join(folder, 'noise');
    writeNoiseModel(model, { hidden: 1024, feedForward: 3072, layers: 4 });
    const run = startCli(['build', '--base', model, '--type', 'Q4_K_M', '--out', late]);
    await until(() => existsSync(`${late}.partial`), 'a partial output');
    writeFileSync(late, 'somebody else');
    const ended = await run.ended;
    expect(errorCode(ended), ended.stdout).toBe('output/exists');
    expect(readFileSync(late, 'utf8')).toBe('somebody else');
    expect(readdirSync(folder).filter((name) => name.startsWith('late.'))).toEqual(['late.gguf']);
    rmSync(model, { recursive: true });
  });

  it('a folder: refused without --force; with it replaced only where it holds a model and nothing else', async () => {
    const merged = join(folder, 'merged');
    const fuse = ['fuse', '--base', base, '--adapter', lora, '--out', merged];
    await runCliOk(fuse);
    await refused(fuse, 'output/exists');
    writeFileSync(join(merged, 'note.txt'), 'mine');
    await runCliOk([...fuse, '--force']);
    expect(existsSync(join(merged, 'note.txt'))).toBe(false);
    mkdirSync(join(merged, 'thesis'));
    writeFileSync(join(merged, 'thesis', 'chapter1.txt'), 'years of work');
    expect(await refused([...fuse, '--force'], 'output/exists')).toContain('thesis');
    const documents = join(folder, 'documents');
    mkdirSync(documents);
    writeFileSync(join(documents, 'letter.txt'), 'dear');
    await refused(['fuse', '--base', base, '--adapter', lora, '--out', documents, '--force'], 'output/exists');
    await refused(['fuse', '--base', base, '--adapter', lora, '--out', source, '--force'], 'output/name');
  });
});

describe('W7 two runs to one output', () => {
  const lockOf = (out: string): string => `${out}.lock`;

  it('one ends, the other is told that it is busy', async () => {
    const out = join(folder, 'shared.gguf');
    const model = join(folder, 'noise');
    writeNoiseModel(model, { hidden: 1024, feedForward: 3072, layers: 4 });
    const args = ['build', '--base', model, '--type', 'Q4_K_M', '--out', out];
    const first = startCli(args);
    await until(() => existsSync(`${out}.partial`), 'a partial output');
    const second = await runCli([...args, '--force', '--json']);
    expect(errorCode(second), second.stdout).toBe('output/busy');
    expect((second.json['error'] as { message: string }).message).toContain(String(first.child.pid));
    expect((await first.ended).code).toBe(0);
    expect(existsSync(lockOf(out))).toBe(false);
    rmSync(model, { recursive: true });
  });

  const STALE: readonly (readonly [string, () => string])[] = [
    [
      'of a process that is gone',
      () => JSON.stringify({ marker: 'modelfile-studio lock', pid: deadPid(), started: '1' }),
    ],
    [
      'of a process whose number another one has by now',
      () => JSON.stringify({ marker: 'modelfile-studio lock', pid: process.pid, started: 'not this one' }),
    ],
    ['that a crash left empty', () => ''],
  ];

  it.each(STALE)('a lock %s is taken over', async (_what, text) => {
    const out = join(folder, 'stale.gguf');
    writeFileSync(lockOf(out), text());
    utimesSync(lockOf(out), new Date(Date.now() - 60_000), new Date(Date.now() - 60_000));
    await runCliOk(['build', '--base', base, '--type', 'Q8_0', '--out', out]);
    expect(existsSync(lockOf(out))).toBe(false);
    rmSync(out);
  });

  it('of many that find one stale lock at once, exactly one runs', async () => {
    const out = join(folder, 'race.gguf');
    writeFileSync(lockOf(out), JSON.stringify({ marker: 'modelfile-studio lock', pid: deadPid(), started: '1' }));
    const runs = await Promise.all(
      Array.from({ length: 6 }, () => startCli(['build', '--base', base, '--type', 'Q4_K_M', '--out', out]).ended),
    );
    const outcomes = runs.map((run) => (run.code === 0 ? 'done' : errorCode(run)));
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1);
    expect(
      outcomes.every((outcome) => ['done', 'output/busy', 'output/exists'].includes(outcome)),
      outcomes.join(),
    ).toBe(true);
    expect(existsSync(lockOf(out))).toBe(false);
  });

  it('a file of that name that is no lock is left alone', async () => {
    const out = join(folder, 'guarded.gguf');
    writeFileSync(lockOf(out), 'my notes');
    expect(await refused(['build', '--base', base, '--type', 'Q8_0', '--out', out], 'output/busy')).toContain(
      lockOf(out),
    );
  });
});

function deadPid(): number {
  return Number(execFileSync(process.execPath, ['-p', 'process.pid']).toString());
}

describe('W8 look-alikes are never deleted', () => {
  const out = join(folder, 'alike.gguf');
  const build = ['build', '--base', base, '--type', 'Q8_0', '--out', out];
  const merged = join(folder, 'alike');

  afterEach(() => {
    readdirSync(folder)
      .filter((name) => name.startsWith('alike'))
      .forEach((name) => rmSync(join(folder, name), { recursive: true }));
  });

  it.each(['.partial', '.partial.journal'])('a file %s', async (suffix) => {
    writeFileSync(`${out}${suffix}`, 'mine');
    expect(await refused(build, 'output/exists')).toContain(`${out}${suffix}`);
    await refused([...build, '--force'], 'output/exists');
  });

  it('a folder .partial', async () => {
    mkdirSync(`${merged}.partial`);
    writeFileSync(join(`${merged}.partial`, 'mine.txt'), 'mine');
    expect(await refused(['fuse', '--base', base, '--adapter', lora, '--out', merged], 'output/exists')).toContain(
      `${merged}.partial`,
    );
  });

  it('a folder .partial.replaced, or .replaced', async () => {
    await runCliOk(['fuse', '--base', base, '--adapter', lora, '--out', merged]);
    mkdirSync(`${merged}.replaced`);
    writeFileSync(join(`${merged}.replaced`, 'mine.txt'), 'mine');
    await runCliOk(['fuse', '--base', base, '--adapter', lora, '--out', merged, '--force']);
    expect(readFileSync(join(`${merged}.replaced`, 'mine.txt'), 'utf8')).toBe('mine');
    mkdirSync(`${merged}.partial.replaced`);
    await refused(['fuse', '--base', base, '--adapter', lora, '--out', merged, '--force'], 'output/exists');
  });

  it.each(['.build.json', '.build.json.partial'])('a file %s: the result is made and the file left', async (suffix) => {
    writeFileSync(`${out}${suffix}`, '{"mine": true}');
    const { warnings } = await runCliOk(build);
    expect(JSON.stringify(warnings)).toContain(`${out}${suffix}`);
    expect(readFileSync(`${out}${suffix}`, 'utf8')).toBe('{"mine": true}');
    expect(existsSync(out)).toBe(true);
  });
});

describe('W9 names', () => {
  const codeOf = (name: string): string => {
    try {
      checkName(name);
      return 'fine';
    } catch (thrown) {
      return thrown instanceof StudioError ? thrown.code : String(thrown);
    }
  };
  const bad = [
    'CON',
    'con.gguf',
    'PRN',
    'aux.gguf',
    'NUL',
    'nul.tar.gguf',
    'COM1',
    'com9.gguf',
    'LPT1',
    'COM¹.gguf',
    'CONIN$',
    'con .gguf',
    'model.',
    'model ',
    'model.gguf.',
    'a:b',
    'C:foo',
    'model.gguf:stream',
    'a<b',
    'a>b',
    'a"b',
    'a|b',
    'a?b',
    'a*b',
    'a\tb',
    'a\nb',
    'a\0b',
    'a\u007fb',
    'a\u0085b',
    '.',
    '..',
    '',
    '\\\\server\\share',
    '\\\\?\\C:\\model',
    'a\\b.gguf',
  ];
  const good = [
    'model.gguf',
    'Qwen3-0.6B.Q4_K_M.gguf',
    'console.gguf',
    'contract',
    'com10.gguf',
    'auxiliary.gguf',
    'null.gguf',
    '.hidden',
    'ünïcödé.gguf',
    '模型.gguf',
    'with space.gguf',
    "it's [one] (two) {three}.gguf",
    'a=b.gguf',
    '-dash.gguf',
    '~home.gguf',
    '%PATH%.gguf',
    '$(id).gguf',
    'x'.repeat(300),
  ];
  // On Windows a backslash ends a folder's name, so that only what follows it is a name.
  it.each(bad.filter((name) => !isWindows || !name.includes('\\')))('%j is refused', (name) => {
    expect(codeOf(name)).toBe('output/name');
  });
  it.each(good)('%j is taken', (name) => {
    expect(codeOf(name)).toBe('fine');
  });
  it('a name that begins with a dash or holds shell signs is written as it is', async () => {
    const odd = join(folder, 'odd names');
    mkdirSync(odd);
    for (const name of ['-rf.gguf', '$(touch x); `id`.gguf', "it's.gguf"]) {
      await runCliOk(['build', `--base=${base}`, '--type', 'Q8_0', `--out=${name}`], { cwd: odd });
      expect(existsSync(join(odd, name))).toBe(true);
    }
  });
});
