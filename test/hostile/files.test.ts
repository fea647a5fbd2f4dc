import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBytes } from '../../src/core/bytes';
import type { ErrorCode } from '../../src/core/errorCodes';
import { openFileSource, type FileSource } from '../../src/node/files/fileSource';
import { runCli } from '../support/cli';
import { expectTyped } from './refusal';

const isWindows = process.platform === 'win32';
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelfile-files-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Within a second, or the test fails: opening must never wait for another program. */
async function openError(path: string): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`opening ${path} blocks`)), 1000);
  });
  const opened = openFileSource(path).then(
    async (source) => {
      await source.close();
      return 'opened';
    },
    (error: unknown) => {
      const typed = expectTyped(error);
      expect(typed.path).toBe(path);
      return typed.code;
    },
  );
  return Promise.race([opened, deadline]).finally(() => clearTimeout(timer));
}

describe('S9 only regular files are opened, and nothing is waited for', () => {
  const cases: readonly (readonly [
    what: string,
    code: ErrorCode | 'opened',
    make: () => Promise<string>,
    posixOnly?: boolean,
  ])[] = [
    ['a regular file', 'opened', async () => written('regular', 'x')],
    ['an empty file', 'opened', async () => written('empty', '')],
    ['a link to a regular file', 'opened', async () => linked('good-link', await written('target', 'x')), true],
    ['a folder', 'input/not-regular', () => Promise.resolve(folder)],
    ['a link to a folder', 'input/not-regular', () => linked('folder-link', folder), true],
    ['a missing file', 'input/missing', () => Promise.resolve(join(folder, 'nobody'))],
    ['a path through a file', 'input/missing', async () => join(await written('not-a-folder', 'x'), 'below'), true],
    ['a dangling link', 'input/missing', () => linked('dangling', join(folder, 'nobody')), true],
    ['a link to itself', 'input/unreadable', () => linked('loop', join(folder, 'loop')), true],
    ['a name that no system takes', 'input/unreadable', () => Promise.resolve(join(folder, 'n'.repeat(300))), true],
    ['a name with NUL', 'input/unreadable', () => Promise.resolve(join(folder, 'a\0b'))],
    ['a pipe that nobody writes to', 'input/not-regular', () => Promise.resolve(pipe('pipe')), true],
    ['a link to a pipe', 'input/not-regular', () => linked('pipe-link', pipe('pipe2')), true],
    ['/dev/null', 'input/not-regular', () => Promise.resolve('/dev/null'), true],
    ['/dev/zero', 'input/not-regular', () => Promise.resolve('/dev/zero'), true],
  ];

  for (const [what, code, make, posixOnly] of cases) {
    it.skipIf(posixOnly === true && isWindows)(`${what}: ${code}`, async () => {
      expect(await openError(await make())).toBe(code);
    });
  }

  it.skipIf(isWindows)('a socket: input/not-regular', async () => {
    const server = createServer();
    const path = join(folder, 'socket');
    await new Promise<void>((resolve) => server.listen(path, resolve));
    expect(await openError(path)).toBe('input/not-regular');
    await new Promise((resolve) => server.close(resolve));
  });

  it.skipIf(isWindows || process.getuid?.() === 0)('a file without permission: input/unreadable', async () => {
    const path = await written('secret', 'x');
    execFileSync('chmod', ['000', path]);
    expect(await openError(path)).toBe('input/unreadable');
  });
});

describe('S8 a file that changes while it is read', () => {
  const changes: readonly (readonly [what: string, change: (path: string) => Promise<unknown>])[] = [
    ['is truncated', (path) => truncate(path, 3)],
    ['grows', (path) => appendFile(path, 'more')],
    [
      'is written anew with as many bytes',
      async (path) => {
        await writeFile(path, 'HELLO WORLD');
        await utimes(path, new Date(), new Date(Date.now() + 5000));
      },
    ],
    [
      'is replaced by another of the same size and time',
      async (path) => {
        await writeFile(`${path}.new`, 'HELLO WORLD');
        await utimes(`${path}.new`, new Date(1e12), new Date(1e12));
        await rename(`${path}.new`, path);
      },
    ],
    ['is deleted', (path) => rm(path)],
  ];

  for (const [what, change] of changes) {
    it.skipIf(isWindows && /replaced|deleted/.test(what))(`${what}: input/changed`, async () => {
      const path = await written('changing', 'hello world');
      await utimes(path, new Date(1e12), new Date(1e12));
      const source = await openFileSource(path);
      await source.assertUnchanged();
      await change(path);
      expect(expectTyped(await source.assertUnchanged().catch((error: unknown) => error)).code).toBe('input/changed');
      await source.close();
    });
  }

  it('ends a read in its middle with input/changed, and never reads what was appended', async () => {
    const path = await written('shrinking', 'hello world');
    const source = await openFileSource(path);
    await appendFile(path, 'more');
    expect(await source.read(11, new Uint8Array(4))).toBe(0);
    expect(await source.read(6, new Uint8Array(100))).toBe(5);
    await truncate(path, 3);
    expect(expectTyped(await readBytes(source, 0, 11).catch((error: unknown) => error)).code).toBe('input/changed');
    await source.close();
  });
});

describe('a file source', () => {
  it('reads by range, names its file, and closes more than once', async () => {
    const path = await written('plain', 'hello world');
    const source: FileSource = await openFileSource(path);
    expect(source).toMatchObject({ size: 11, path, identity: { size: 11 } });
    expect(source.identity.mtimeNs).toMatch(/^[0-9]{16,20}$/);
    expect(new TextDecoder().decode(await readBytes(source, 6, 5))).toBe('world');
    expect(await source.read(100, new Uint8Array(1))).toBe(0);
    await Promise.all([source.close(), source.close()]);
    expect(expectTyped(await source.read(0, new Uint8Array(1)).catch((error: unknown) => error)).code).toBe(
      'input/unreadable',
    );
  });

  it('stops with its signal', async () => {
    const controller = new AbortController();
    const path = await written('cancelled', 'hello');
    const source = await openFileSource(path, { signal: controller.signal });
    controller.abort();
    expect(expectTyped(await source.read(0, new Uint8Array(1)).catch((error: unknown) => error)).code).toBe(
      'run/cancelled',
    );
    expect(
      expectTyped(await openFileSource(path, { signal: controller.signal }).catch((error: unknown) => error)).code,
    ).toBe('run/cancelled');
    await source.close();
  });
});

async function written(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

async function linked(name: string, target: string): Promise<string> {
  const path = join(folder, name);
  await symlink(target, path);
  return path;
}

function pipe(name: string): string {
  const path = join(folder, name);
  execFileSync('mkfifo', [path]);
  return path;
}

describe.skipIf(process.platform !== 'linux')('a name that is no text', () => {
  it('is said to be one, on the way and at the end, and does not stop a scan', async () => {
    const root = await mkdtemp(join(folder, 'names-'));
    const bytes = (name: string): Buffer => Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, 'latin1')]);
    await mkdir(bytes('run\xff'));
    await writeFile(bytes('run\xff/model.gguf'), 'GGUF');
    await writeFile(bytes('model\xff.gguf'), 'GGUF');
    await writeFile(bytes('notes\xff.txt'), 'nothing of ours');
    for (const name of ['model\ufffd.gguf', 'run\ufffd/model.gguf']) {
      await expect(openFileSource(join(root, name))).rejects.toMatchObject({
        code: 'input/unreadable',
        message: expect.stringContaining('Rename it') as string,
      });
    }
    await expect(openFileSource(join(root, 'missing.gguf'))).rejects.toMatchObject({ code: 'input/missing' });
    const { json } = await runCli(['scan', root, '--json']);
    const found = json['artefacts'] as readonly { path: string; problems: { code: string }[] }[];
    expect(found.map(({ path, problems }) => [path.slice(root.length + 1), problems[0]?.code])).toEqual([
      ['model\ufffd.gguf', 'input/unreadable'],
      ['run\ufffd', 'input/unreadable'],
    ]);
  });
});
