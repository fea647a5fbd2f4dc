import { requiredTensors } from '../../src/core/engine/architectures/tensorTable';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildMetadata, toQuantisedLayout } from '../../src/core/engine/buildMetadata';
import {
  asGolden,
  fixtureDirectory,
  loadFixture,
  outputShapes,
  readGolden,
  sha256,
  type Golden,
  type Loaded,
} from './fixtureModel';

const MODELS = [
  'llama3',
  'llama2-spm',
  'llama2-json',
  'mistral',
  'qwen2',
  'qwen2-narrow',
  'qwen3',
  'rugby-base',
  'gemma2',
  'gemma3',
  'granite',
  'mixtral',
  'phi3',
  'qwen3moe',
  'smollm3',
];
const CONVERTED: Readonly<Record<string, number>> = { f32: 0, f16: 1, q8_0: 7, bf16: 32 };
/** File types of llama.cpp. */
const QUANTISED: Readonly<Record<string, number>> = { Q8_0: 7, Q4_K_M: 15, Q5_K_S: 16, IQ4_XS: 30 };

const DERIVED_SCORES = 'tokenizer.ggml.scores';

describe.each(MODELS)('%s', (name) => {
  let loaded: Loaded;
  beforeAll(async () => {
    loaded = await loadFixture(fixtureDirectory(name));
  });

  function metadata(fileType: number): ReturnType<typeof buildMetadata> {
    const shapes = outputShapes(loaded);
    const rows = shapes.find((tensor) => tensor.name === 'token_embd.weight')!.shape[1]!;
    return buildMetadata(loaded.model, loaded.config, loaded.architecture, {
      fileType,
      tensors: shapes,
      vocabRows: rows,
      sha256,
    });
  }

  function expectMetadata(ours: ReturnType<typeof buildMetadata>, golden: Golden): void {
    expect(ours.map(([key]) => key)).toEqual(golden.metadata.map((entry) => entry.key));
    for (const [index, [key, value]] of ours.entries()) {
      const like = golden.metadata[index]!;
      if (key === DERIVED_SCORES && name === 'llama2-json') {
        expect(asGolden(key, value, like).type, key).toBe(like.type);
      } else {
        expect(asGolden(key, value, like), key).toEqual(like);
      }
    }
  }

  it.each(Object.entries(CONVERTED))('has the metadata of the converter, %s', (type, fileType) => {
    expectMetadata(metadata(fileType), readGolden(`${name}.convert-${type}`));
  });

  it.each(Object.entries(QUANTISED))('has the metadata of llama-quantize, %s', (type, fileType) => {
    expectMetadata(toQuantisedLayout(metadata(0), fileType), readGolden(`${name}.${type}`));
  });

  it('has the tensors of the converter with their shapes', () => {
    const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
    const golden = readGolden(`${name}.convert-f32`)
      .tensors.map(({ name: tensor, shape }) => ({ name: tensor, shape: [...shape] }))
      .sort(byName);
    expect([...outputShapes(loaded)].sort(byName)).toEqual(golden);
    const names = golden.map((tensor) => tensor.name);
    expect(requiredTensors(loaded.architecture, loaded.config).filter((tensor) => !names.includes(tensor))).toEqual([]);
  });

  it('computes the generated tensors to the bit', () => {
    const golden = readGolden(`${name}.convert-f32`).tensors;
    for (const { name: tensor, values } of loaded.architecture.generatedTensors?.(loaded.config) ?? []) {
      expect(sha256(new Uint8Array(values.buffer)), tensor).toBe(golden.find((entry) => entry.name === tensor)?.sha256);
    }
  });
});
