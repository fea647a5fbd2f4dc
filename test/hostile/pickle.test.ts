import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { memorySource } from '../../src/core/bytes';
import { detectFormat } from '../../src/core/formats/detectFormat';
import { describeGguf, readGguf } from '../../src/core/formats/gguf/readGguf';
import { readImatrix } from '../../src/core/formats/gguf/imatrix';
import { detectPickle } from '../../src/core/formats/pickle/detectPickle';
import { listPickleImports, PICKLE_NOTE } from '../../src/core/formats/pickle/listPickleImports';
import { listZipEntries, storedZipEntry } from '../../src/core/formats/zipDirectory';
import { describeSafetensors, readSafetensorsHeader } from '../../src/core/formats/safetensors/readSafetensors';
import { openFileSource } from '../../src/node/files/fileSource';
import { join, u8 } from './ggufBuilder';
import { buildZip, latin1, protocol2Bomb, protocol4Bomb, textBomb } from './pickleBuilder';
import { expectRefusal, expectTyped } from './refusal';
import { HANG_LIMIT } from '../support/hangLimit';

const sentinel = joinPath(tmpdir(), `modelfile-studio-sentinel-${process.pid}`);
const command = `touch ${sentinel}`;
const archive = (bytes: Uint8Array, name = 'archive/data.pkl'): Uint8Array =>
  buildZip({
    files: [
      { name, bytes },
      { name: 'archive/data/0', bytes: new Uint8Array(64) },
    ],
  });
const tar = (): Uint8Array => {
  const header = new Uint8Array(512);
  header.set(latin1('sys_info'));
  header.set(latin1('ustar'), 257);
  return header;
};

const BOMBS = [
  ['protocol 0', textBomb(command), 'stream', 'evil.pkl'],
  ['protocol 2', protocol2Bomb(command), 'stream', 'evil'],
  ['protocol 4', protocol4Bomb(command), 'stream', 'evil'],
  ['a PyTorch archive', archive(protocol2Bomb(command)), 'zip', 'evil'],
  [
    'an archive with another first entry',
    buildZip({
      files: [
        { name: 'archive/version', bytes: u8(0x33) },
        { name: 'archive/data.pkl', bytes: protocol4Bomb(command) },
      ],
    }),
    'zip',
    'evil',
  ],
] as const;

/** Names that promise something harmless; the one that the bomb needs to be told at all comes first. */
const NAMES = ['model.safetensors', 'model.gguf', 'adapter_model.bin', 'x.pt'];

afterAll(() => {
  expect(existsSync(sentinel), 'the pickle ran').toBe(false);
});

describe('P1 pickles are told by content, whatever their name, and never loaded', () => {
  it.each(BOMBS)('%s', async (_what, bytes, container, ownName) => {
    for (const name of [ownName, ...NAMES].filter((candidate) => ownName === 'evil' || candidate === ownName)) {
      expect(detectFormat(bytes.subarray(0, 1024), bytes.length, name)).toBe('pickle');
      expect(detectPickle(bytes, name)).toBe(container);
      for (const read of [readSafetensorsHeader, describeSafetensors, readGguf, describeGguf, readImatrix]) {
        const error = await expectRefusal('input/pickle', () => read(memorySource(bytes), { path: name }));
        expect(error.message).toContain('safetensors');
      }
    }
    const listing = await listPickleImports(memorySource(bytes), ownName);
    expect(listing).toMatchObject({ container, imports: ['posix.system'], isComplete: true });
    expect(existsSync(sentinel)).toBe(false);
  });

  it('tells the tar of old PyTorch, and does not take other archives or texts for pickles', async () => {
    expect(detectPickle(tar(), 'x')).toBe('legacy-tar');
    expect(await listPickleImports(memorySource(tar()), 'x')).toMatchObject({
      container: 'legacy-tar',
      isComplete: false,
    });
    expect(
      detectPickle(buildZip({ files: [{ name: 'word/document.xml', bytes: u8(1) }] }), 'letter.docx'),
    ).toBeUndefined();
    expect(detectPickle(latin1('(this is text)'), 'notes.pkl')).toBeUndefined();
    expect(detectPickle(u8(0x80, 77), 'x')).toBeUndefined();
    expect(await listPickleImports(memorySource(latin1('hello')), 'x')).toBeUndefined();
  });

  it('tells a safetensors file whose header length begins like a pickle', () => {
    const header = join(u8(0x80, 2, 0, 0, 0, 0, 0, 0), latin1('{'.padEnd(640)));
    expect(detectFormat(header, header.length, 'x')).toBe('safetensors');
  });
});

describe('P2 imports are listed by walking opcodes, with caps', () => {
  const list = (bytes: Uint8Array): ReturnType<typeof listPickleImports> =>
    listPickleImports(memorySource(bytes), 'x.pkl');
  const marked = (...parts: Uint8Array[]): Uint8Array => join(u8(0x80, 2), ...parts);

  it('never says that a pickle is safe', () => {
    expect(PICKLE_NOTE).toContain('cannot be proven safe');
  });

  it.each([
    ['INST', marked(latin1('(ios\nsystem\n.')), ['os.system']],
    ['text memo', marked(latin1("S'os'\np5\n0S'popen'\np6\n0g5\ng6\n\x93.")), ['os.popen']],
    [
      'long memo',
      marked(latin1('U\x02osr\x01\x01\x00\x000U\x05popenj\x01\x01\x00\x00'), latin1('U\x05popen\x93.')),
      ['os.popen'],
    ],
    ['DUP', marked(latin1('U\x02os2\x93.')), ['os.os']],
    ['a name that is computed', marked(latin1('U\x02osN\x93.')), ['os.?']],
    ['several pickles in a row', join(marked(latin1('ca\nb\n.')), marked(latin1('cc\nd\n.'))), ['a.b', 'c.d']],
    ['the same import twice', marked(latin1('ca\nb\nca\nb\n.')), ['a.b']],
  ])('follows %s', async (_what, bytes, imports) => {
    expect(await list(bytes)).toMatchObject({ imports, isComplete: true });
  });

  it.each([
    ['an unknown opcode', marked(latin1('ca\nb\n\xff.'))],
    ['no end', marked(latin1('ca\nb\n'))],
    ['a text longer than the file', marked(latin1('ca\nb\nX\xff\xff\xff\xff.'))],
    ['a text of 2^64-1 bytes', marked(latin1('ca\nb\n\x8d\xff\xff\xff\xff\xff\xff\xff\xff.'))],
    ['a line without end', marked(latin1('ca\nb\ncos'))],
    ['a million opcodes', marked(latin1('ca\nb\n'), new Uint8Array(1_000_000).fill(0x4e), latin1('.'))],
    ['a million entries in the memo', marked(latin1('ca\nb\n'), new Uint8Array(1_000_000).fill(0x94), latin1('.'))],
    [
      'ten thousand imports',
      marked(latin1('ca\nb\n'), latin1(Array.from({ length: 10_000 }, (_, i) => `cm\nn${i}\n`).join('')), latin1('.')),
    ],
  ])('says that a listing is not complete: %s', async (_what, bytes) => {
    const start = performance.now();
    const listing = await list(bytes);
    expect(performance.now() - start).toBeLessThan(HANG_LIMIT);
    expect(listing?.isComplete).toBe(false);
    expect(listing?.imports).toContain('a.b');
    expect(listing!.imports.length).toBeLessThanOrEqual(1001);
  });

  it('lists the pickles that a real training run left', async () => {
    const folder = 'test/fixtures/rugby/outputs/checkpoint-180';
    const wanted = {
      'optimizer.pt': 'torch._utils._rebuild_tensor_v2',
      'training_args.bin': 'transformers.training_args.OptimizerNames',
      'rng_state.pth': 'torch.ByteStorage',
    };
    for (const [name, expected] of Object.entries(wanted)) {
      const source = await openFileSource(`${folder}/${name}`);
      const listing = await listPickleImports(source, name);
      await source.close();
      expect(listing).toMatchObject({ container: 'zip', isComplete: true });
      expect(listing!.imports).toContain(expected);
      expect(listing!.imports.some((entry) => entry.includes('?'))).toBe(false);
      expect(listing!.entries.some((entry) => entry.name.endsWith('/data.pkl'))).toBe(true);
    }
  });
});

describe('P3 zip tricks: a listing, never an extraction', () => {
  const bomb = { name: 'archive/data.pkl', bytes: protocol2Bomb(command) };
  const list = async (bytes: Uint8Array): Promise<unknown> => listPickleImports(memorySource(bytes), 'x.pt');

  it.each([
    ['a name that differs in the local header', buildZip({ files: [{ ...bomb, localName: 'archive/harmless' }] })],
    ['a packed pickle', buildZip({ files: [{ ...bomb, method: 8 }] })],
    ['an encrypted pickle', buildZip({ files: [{ ...bomb, flags: 1 }] })],
    [
      'more pickles than are followed',
      buildZip({ files: Array.from({ length: 100 }, (_, i) => ({ name: `${i}.pkl`, bytes: bomb.bytes })) }),
    ],
  ])('lists, but not as complete: %s', async (_what, bytes) => {
    expect(await list(bytes)).toMatchObject({ isComplete: false });
  });

  it.each([
    ['zip64 sizes and offsets', buildZip({ files: [{ ...bomb, zip64: true }], end64Entries: 1n })],
    ['a comment that looks like another end', buildZip({ files: [bomb], comment: 'PK\x05\x06' })],
  ])('reads %s', async (_what, bytes) => {
    expect(await list(bytes)).toMatchObject({ isComplete: true, imports: ['posix.system'] });
  });

  it.each([
    ['no directory', buildZip({ files: [bomb] }).subarray(0, 60)],
    ['a directory behind the file', buildZip({ files: [bomb], directoryOffset: 2 ** 31 })],
    ['a directory larger than the file', buildZip({ files: [bomb], directoryBytes: 2 ** 31 })],
    ['a directory that is something else', buildZip({ files: [bomb], directoryOffset: 0 })],
    ['a million entries in a small file', buildZip({ files: [bomb], end64Entries: 1_000_000n })],
    ['2^64-1 entries', buildZip({ files: [bomb], end64Entries: 2n ** 64n - 1n })],
    ['65,535 entries in a small file', buildZip({ files: [bomb], entryCount: 0xffff })],
  ])('refuses %s', async (_what, bytes) => {
    await expectRefusal('input/unrecognised', () => list(bytes));
  });

  it('lists at most 10,000 entries', async () => {
    const files = Array.from({ length: 10_001 }, (_, i) => ({ name: `f${i}`, bytes: u8() }));
    const listing = await listZipEntries(memorySource(buildZip({ files })));
    expect(listing).toMatchObject({ entryCount: 10_001, isComplete: false });
    expect(listing.entries).toHaveLength(10_000);
  });

  it('survives every prefix and every broken byte of an archive', async () => {
    const whole = buildZip({ files: [bomb, { name: 'b', bytes: u8(1, 2, 3), zip64: true }], end64Entries: 2n });
    for (let length = 0; length < whole.length; length++) {
      await list(whole.slice(0, length)).catch(expectTyped);
    }
    for (let at = 0; at < whole.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const broken = whole.slice();
        broken[at] = value;
        await list(broken).catch(expectTyped);
      }
    }
  });

  it('reads stored entries only within the archive', async () => {
    const source = memorySource(buildZip({ files: [bomb] }));
    const [entry] = (await listZipEntries(source)).entries;
    const stored = await storedZipEntry(source, entry!);
    const target = new Uint8Array(1000);
    expect(await stored!.read(0, target)).toBe(bomb.bytes.length);
    expect(await stored!.read(bomb.bytes.length, target)).toBe(0);
    expect(await storedZipEntry(source, { ...entry!, bytes: 10_000, storedBytes: 10_000 })).toBeUndefined();
    expect(await storedZipEntry(source, { ...entry!, headerOffset: 10_000 })).toBeUndefined();
  });

  it('has no code that unpacks archives or loads pickles', () => {
    const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .map((name) => joinPath('src', name))
      .filter((path) => path.endsWith('.ts') && statSync(path).isFile())
      // Unpacks what the same process packed, in memory that its threads share: nothing that comes from a file.
      .filter((path) => path !== joinPath('src/node/engine/sharedTensors.ts'));
    expect(sources.length).toBeGreaterThan(10);
    for (const path of sources) {
      expect(readFileSync(path, 'utf8'), path).not.toMatch(
        /\b(?:create)?(?:inflate|gunzip|unzip)(?:Raw|Sync)*\(|DecompressionStream/i,
      );
    }
    const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<
      string,
      Record<string, string>
    >;
    expect(
      Object.keys({ ...dependencies, ...devDependencies }).filter((name) =>
        /zip|inflate|pako|pickle|(^|[-/])tar/.test(name),
      ),
    ).toEqual([]);
  });
});
