import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { createNames } from '../../src/core/ollama/createNames';
import { ModelfileLines } from '../../src/core/modelfile/modelfileLines';
import { resolveOllamaAddress } from '../../src/core/ollama/ollamaAddress';
import { OllamaClient } from '../../src/node/ollama/ollamaClient';
import { planCreate } from '../../src/node/create/createPlan';
import type { CreatePart, CreatePlan } from '../../src/node/create/createPlanTypes';
import type { FileTypeName } from '../../src/core/engine/fileTypes';
import { buildGguf, key, textKey, u32Key } from '../hostile/ggufBuilder';
import { FIXTURES, runCliOk } from '../support/cli';
import { rejection } from '../support/collect';

const RUGBY = join(FIXTURES, 'rugby');
let folder: string;

function gguf(name: string, ...keys: readonly Uint8Array[]): void {
  writeFileSync(
    join(folder, name),
    buildGguf({
      keys: [textKey('general.architecture', 'llama'), u32Key('general.file_type', 1), ...keys],
      tensors: [{ name: 'a.weight', dimensions: [32n] }],
    }),
  );
}

/** A u16, little-endian. */
const u16Key = (name: string, value: number): Uint8Array => key(name, 'u16', Uint8Array.of(value, 0));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
  gguf('whole.gguf');
  gguf('other.gguf');
  for (const part of [1, 2]) {
    gguf(`split-0000${part}-of-00002.gguf`, u16Key('split.count', 2), u16Key('split.no', part - 1));
  }
  writeFileSync(
    join(folder, 'vision.gguf'),
    buildGguf({ keys: [textKey('general.architecture', 'clip')], tensors: [{ name: 'v.weight', dimensions: [32n] }] }),
  );
  mkdirSync(join(folder, 'finished'));
  writeFileSync(
    join(folder, 'finished/adapter.gguf'),
    buildGguf({ keys: [textKey('general.architecture', 'llama'), textKey('general.type', 'adapter')] }),
  );
  await runCliOk(['convert', '--base', join(RUGBY, 'base'), '--type', 'Q8_0', '--out', join(folder, 'rugby.gguf')]);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function plan(text: string, fileType?: FileTypeName, ollamaVersion?: string): Promise<CreatePlan> {
  const parsed = parseModelfile(text.replaceAll('RUGBY', RUGBY));
  return await planCreate(parsed, new ModelfileLines(parsed, 'Modelfile'), folder, { fileType, ollamaVersion });
}
const kinds = ({ parts }: CreatePlan): readonly string[] =>
  [...parts.values()].map(({ kind, role }) => `${role} ${kind}`).sort();
const only = ({ parts }: CreatePlan): CreatePart => [...parts.values()][0]!;

describe('the plan of a creation', () => {
  it('sends files as they are, whatever their number', async () => {
    expect(kinds(await plan('FROM ./whole.gguf\nFROM ./vision.gguf\n'))).toEqual(['model file', 'model file']);
    expect((await plan('FROM ./whole.gguf\n')).route).toBe('direct');
    const drafted = await plan('FROM ./whole.gguf\nDRAFT ./other.gguf\nSYSTEM x\n');
    expect(kinds(drafted)).toEqual(['draft file', 'model file']);
    expect(drafted.commands.map(({ name }) => name)).toEqual(['model', 'draft', 'system']);
  });

  it('takes all parts of a split model once, whichever are named', async () => {
    for (const text of [
      'FROM ./split-00001-of-00002.gguf\n',
      'FROM ./split-00002-of-00002.gguf\n',
      'FROM ./split-00001-of-00002.gguf\nFROM ./split-00002-of-00002.gguf\n',
    ]) {
      const found = await plan(text);
      expect(found.commands).toHaveLength(1);
      expect(only(found)).toMatchObject({
        kind: 'split',
        paths: [1, 2].map((part) => join(folder, `split-0000${part}-of-00002.gguf`)),
      });
    }
    rmSync(join(folder, 'split-00002-of-00002.gguf'));
    expect(await rejection(plan('FROM ./split-00001-of-00002.gguf\n'))).toMatchObject({
      code: 'input/missing',
      line: 1,
    });
    gguf('split-00002-of-00002.gguf', u16Key('split.count', 2), u16Key('split.no', 1));
  });

  it('chooses no type for a projector', async () => {
    expect(kinds(await plan('FROM ./whole.gguf\nFROM ./vision.gguf\n', 'Q4_K_M'))).toEqual([
      'model build',
      'model file',
    ]);
  });

  it.each(['0.32.15', '0.34.4', undefined])(
    'fuses adapters of every kind into every base that is here, for Ollama %s',
    async (version) => {
      expect(
        only(await plan('FROM RUGBY/base\nADAPTER RUGBY/lora\nADAPTER RUGBY/mlx-lora\n', 'Q6_K', version)),
      ).toMatchObject({
        kind: 'build',
        fileType: 'Q6_K',
        adapters: [
          { path: join(RUGBY, 'lora'), weight: 1 },
          { path: join(RUGBY, 'mlx-lora'), weight: 1 },
        ],
      });
      const finished = join(folder, 'finished/adapter.gguf');
      for (const [text, adapters] of [
        ['FROM ./rugby.gguf\nADAPTER RUGBY/lora\n', [join(RUGBY, 'lora')]],
        ['FROM ./rugby.gguf\nADAPTER RUGBY/dora\n', [join(RUGBY, 'dora')]],
        ['FROM ./rugby.gguf\nADAPTER ./finished\n', [finished]],
        ['FROM ./rugby.gguf\nADAPTER ./finished/adapter.gguf\n', [finished]],
        ['FROM ./rugby.gguf\nADAPTER RUGBY/lora\nADAPTER ./finished\n', [join(RUGBY, 'lora'), finished]],
      ] as const) {
        const merged = await plan(text, undefined, version);
        expect(merged.route).toBe('fuse-quantise');
        expect(kinds(merged)).toEqual(['model build']);
        expect(merged.commands.map(({ name }) => name)).toEqual(['model']);
        expect(only(merged)).toMatchObject({
          fileType: 'Q8_0',
          adapters: adapters.map((path) => ({ path, weight: 1 })),
        });
      }
      expect((await plan('FROM RUGBY/base\nADAPTER ./finished/adapter.gguf\n', undefined, version)).route).toBe('fuse');
    },
  );

  it('leaves an adapter apart only where the base is out of reach and the server still attaches it', async () => {
    const apart = await plan('FROM rugby\nADAPTER RUGBY/lora\n', undefined, '0.34.0');
    expect([apart.route, kinds(apart)]).toEqual(['gguf-adapter', ['adapter convert-adapter']]);
    expect(apart.from).toEqual({ name: 'rugby', line: 1 });
    for (const version of ['0.34.1', '0.34.4', '1.0.0', undefined]) {
      expect(await rejection(plan('FROM rugby\nADAPTER RUGBY/lora\n', undefined, version))).toMatchObject({
        code: 'ollama/model-missing',
        line: 1,
      });
    }
  });

  it('has a model that is not there pulled first, and plans the rest then', async () => {
    const parsed = parseModelfile(`FROM rugby\nADAPTER ${join(RUGBY, 'lora')}\n`);
    const client = new OllamaClient(resolveOllamaAddress({ setting: '127.0.0.1:1' }));
    const options = { ollamaVersion: '0.34.4', server: { client, find: () => undefined } };
    const planned = await planCreate(parsed, new ModelfileLines(parsed, 'Modelfile'), folder, options);
    expect(planned.pull).toEqual({ name: 'rugby', line: 1 });
    expect(planned.parts.size).toBe(0);
  });

  it('refuses what no server could make a model of, with the line', async () => {
    expect(await rejection(plan('FROM RUGBY/base\n\nFROM RUGBY/base-mlx4\n'))).toMatchObject({
      code: 'ollama/file',
      line: 3,
    });
    expect(
      await rejection(plan('FROM rugby\nADAPTER RUGBY/lora\nADAPTER RUGBY/dora\n', undefined, '0.34.0')),
    ).toMatchObject({
      code: 'ollama/adapter',
      line: 3,
    });
  });

  it('says what Ollama would ignore', async () => {
    const found = await plan('FROM rugby\nFROM ./whole.gguf\n');
    expect(found.from).toEqual({ name: 'rugby', line: 1 });
    expect(found.parts.size).toBe(0);
    expect(found.warnings).toEqual([expect.objectContaining({ code: 'modelfile/from-ignored' })]);
  });
});

describe('names', () => {
  it.each([
    ['rugby', 'rugby:latest', 'rugby:previous', 'rugby:unfinished'],
    ['rugby:latest', 'rugby:latest', 'rugby:previous', 'rugby:unfinished'],
    ['rugby:q4', 'rugby:q4', 'rugby:q4-previous', 'rugby:q4-unfinished'],
    ['me/rugby', 'me/rugby:latest', 'me/rugby:previous', 'me/rugby:unfinished'],
    [
      'host.example:5000/me/rugby:1',
      'host.example:5000/me/rugby:1',
      'host.example:5000/me/rugby:1-previous',
      'host.example:5000/me/rugby:1-unfinished',
    ],
  ])('%s', (text, name, previous, unfinished) => {
    expect(createNames(text)).toEqual({ name, previous, unfinished });
  });

  it('stay within what a server takes', () => {
    const { previous } = createNames(`rugby:${'t'.repeat(80)}`);
    expect(previous.split(':')[1]).toHaveLength(80);
  });

  it.each(['', ' ', '../up', 'a b', '-x', 'a/b/c/d', 'rugby:', 'a'.repeat(81), 'x\u001b[2J'])('%j is none', (text) => {
    expect(() => createNames(text)).toThrow(expect.objectContaining({ code: 'ollama/model-name' }));
  });
});
