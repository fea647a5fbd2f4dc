import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findArchitecture } from '../../src/core/engine/architectures/architectures';
import { readModelConfig } from '../../src/core/engine/architectures/readModelConfig';
import { buildMetadata } from '../../src/core/engine/buildMetadata';
import type { GgufValue } from '../../src/core/formats/gguf/ggufTypes';
import type { JsonObject } from '../../src/core/json';
import { parseStrictJson } from '../../src/core/strictJson';
import { loadTokenizerFiles } from '../../src/node/inputs/loadTokenizerFiles';
import { asGolden, FIXTURES, sha256 } from './fixtureModel';

/**
 * `converterCases.json` holds what llama.cpp's converter (`--vocab-only`, the parameter count and the pre-tokenizer given) wrote
 * for changed configurations, tokenizer files and model cards: the changes, and the keys that they can touch.
 */
interface ConverterCase {
  readonly name: string;
  readonly directory: string;
  readonly parameters: number;
  /** Folder under `fixtures/tokenizers`, or a path in `fixtures`. */
  readonly tokenizer: string;
  /** Whose config is changed, what is set in it, and what is taken out. */
  readonly spec: string;
  readonly config?: Record<string, unknown>;
  readonly without?: readonly string[];
  /** `__del__` takes a key out. */
  readonly tokenizerConfig?: Record<string, unknown>;
  readonly tokenizerJson?: Record<string, unknown>;
  /** Written beside, or removed where null. */
  readonly files?: Record<string, unknown>;
  readonly metadata: readonly (readonly [key: string, type: string, value: unknown])[];
}

const CASES = JSON.parse(
  readFileSync(join(import.meta.dirname, 'converterCases.json'), 'utf8'),
) as readonly ConverterCase[];
const root = mkdtempSync(join(tmpdir(), 'studio-cases-'));
afterAll(() => rmSync(root, { recursive: true }));

function readJson(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, JSON.stringify(value));
}

function makeDirectory(index: number, one: ConverterCase): string {
  const directory = join(root, String(index), one.directory);
  mkdirSync(directory, { recursive: true });
  const source = join(FIXTURES, one.tokenizer.includes('/') ? one.tokenizer : `tokenizers/${one.tokenizer}`);
  for (const file of readdirSync(source).filter(
    (name) => !['config.json', 'generation_config.json', 'model.safetensors'].includes(name),
  )) {
    cpSync(join(source, file), join(directory, file));
  }
  const config: Record<string, unknown> = {
    ...(readJson(join(FIXTURES, `specs/${one.spec}.json`))['config'] as Record<string, unknown>),
    ...one.config,
  };
  (one.without ?? []).forEach((key) => Reflect.deleteProperty(config, key));
  writeJson(join(directory, 'config.json'), config);
  if (one.tokenizerConfig !== undefined) {
    const file = join(directory, 'tokenizer_config.json');
    writeJson(
      file,
      Object.fromEntries(
        Object.entries({ ...readJson(file), ...one.tokenizerConfig }).filter(([, value]) => value !== '__del__'),
      ),
    );
  }
  editTokenizer(join(directory, 'tokenizer.json'), one.tokenizerJson);
  for (const [file, content] of Object.entries(one.files ?? {})) {
    writeOrRemove(join(directory, file), content);
  }
  return directory;
}

function editTokenizer(file: string, edit: Record<string, unknown> | undefined): void {
  if (edit === undefined) {
    return;
  }
  const { mergesAsText, ...rest } = edit;
  const json = { ...readJson(file), ...rest } as { model: { merges: string[][] } };
  writeJson(
    file,
    mergesAsText === true
      ? { ...json, model: { ...json.model, merges: json.model.merges.map((pair) => pair.join(' ')) } }
      : json,
  );
}

function writeOrRemove(file: string, content: unknown): void {
  if (content === null) {
    rmSync(file);
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
}

async function metadataOf(directory: string, one: ConverterCase): Promise<[string, GgufValue][]> {
  const read = (name: string): JsonObject | undefined =>
    readdirSync(directory).includes(name)
      ? (parseStrictJson(readFileSync(join(directory, name))) as JsonObject)
      : undefined;
  const json = read('config.json')!;
  const config = readModelConfig(json);
  const readme = readdirSync(directory).includes('README.md')
    ? readFileSync(join(directory, 'README.md'), 'utf8')
    : undefined;
  const model = {
    path: directory,
    directoryName: one.directory,
    config: json,
    generationConfig: read('generation_config.json'),
    tokenizer: await loadTokenizerFiles(directory),
    tensors: new Map(),
    readme,
  };
  return buildMetadata(model, config, findArchitecture(config.className), {
    fileType: 0,
    tensors: [{ name: 'all', shape: [one.parameters] }],
    vocabRows: config.vocabSize,
    sha256,
  });
}

describe('as the converter', () => {
  it.each(CASES.map((one, index) => [`${index} ${one.name}: ${one.directory}`, index, one] as const))(
    '%s',
    async (_, index, one) => {
      const ours = new Map(await metadataOf(makeDirectory(index, one), one));
      const keys = new Set(one.metadata.map(([key]) => key));
      for (const [key, type, value] of one.metadata) {
        const entry = ours.get(key);
        expect(entry, key).toBeDefined();
        const golden = asGolden(key, entry!, undefined);
        expect({ type: golden.type, value: golden.sha256 ?? golden.value }, key).toEqual({ type, value });
      }
      const prefix = one.metadata[0]![0].split('.')[0]!;
      const excepted = [
        'general.architecture',
        'general.file_type',
        'general.quantization_version',
        'tokenizer.ggml.pre',
        'tokenizer.ggml.scores',
        // A template without tokenizer_config.json is a template: the converter drops it.
        ...(one.files?.['tokenizer_config.json'] === null ? ['tokenizer.chat_template'] : []),
      ];
      const surplus = [...ours.keys()].filter(
        (key) =>
          key.startsWith(`${prefix}.`) && !keys.has(key) && !excepted.includes(key) && !key.endsWith('attn_factor'),
      );
      expect(surplus).toEqual([]);
      const order = [...ours.keys()].filter((key) => keys.has(key));
      expect(order).toEqual(one.metadata.map(([key]) => key));
    },
  );
});
