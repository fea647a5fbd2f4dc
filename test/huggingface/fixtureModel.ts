import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Architecture, ModelConfig } from '../../src/core/engine/architectures/architecture';
import { findArchitecture } from '../../src/core/engine/architectures/architectures';
import { readModelConfig } from '../../src/core/engine/architectures/readModelConfig';
import { mapTensor } from '../../src/core/engine/architectures/tensorTable';
import { ggufShape } from '../../src/core/engine/mergedSlice';
import type { GgufValue } from '../../src/core/formats/gguf/ggufTypes';
import type { HuggingFaceModel } from '../../src/core/formats/huggingface/huggingFaceModel';
import type { NamedShape } from '../../src/core/formats/huggingface/sizeLabel';
import { loadHuggingFaceModel } from '../../src/node/inputs/loadHuggingFaceModel';

export const FIXTURES = join(import.meta.dirname, '../fixtures');
const GOLDEN = join(import.meta.dirname, '../golden');

/** Writes the noise model of a spec and returns its base folder; `rugby-base` is the trained fixture under the golden's name. */
export function fixtureDirectory(name: string): string {
  const out = mkdtempSync(join(tmpdir(), `studio-${name}-`));
  if (name === 'rugby-base') {
    cpSync(join(FIXTURES, 'rugby/base'), join(out, name), { recursive: true });
    return join(out, name);
  }
  execFileSync(process.execPath, [join(FIXTURES, 'make-model.mjs'), join(FIXTURES, `specs/${name}.json`), out]);
  return join(out, 'base');
}

export interface Loaded {
  readonly model: HuggingFaceModel;
  readonly config: ModelConfig;
  readonly architecture: Architecture;
}

export async function loadFixture(directory: string): Promise<Loaded> {
  const model = await loadHuggingFaceModel(directory);
  const config = readModelConfig(model.config);
  return { model, config, architecture: findArchitecture(config.className) };
}

/** What the architecture makes of the tensor names, shapes in GGUF order, stacks joined. */
export function outputShapes({ model, config, architecture }: Loaded): NamedShape[] {
  const shapes = new Map<string, number[]>();
  for (const { name, shape } of architecture.generatedTensors?.(config) ?? []) {
    shapes.set(name, [...shape]);
  }
  for (const tensor of model.tensors.values()) {
    const places = mapTensor(architecture, tensor.name, config);
    if (places === undefined) {
      throw new Error(`unknown tensor ${tensor.name}`);
    }
    for (const mapping of places === 'drop' ? [] : places) {
      shapes.set(mapping.name, [...ggufShape(tensor.shape, mapping)]);
    }
  }
  return [...shapes].map(([name, shape]) => ({ name, shape }));
}

export interface GoldenEntry {
  readonly key: string;
  readonly type: string;
  readonly value?: unknown;
  readonly count?: number;
  readonly sha256?: string;
}

export interface Golden {
  readonly metadata: readonly GoldenEntry[];
  readonly tensors: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly type: string;
    readonly sha256: string;
  }[];
}

export function readGolden(name: string): Golden {
  return JSON.parse(readFileSync(join(GOLDEN, `${name}.json`), 'utf8')) as Golden;
}

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

/** Our entry in the form of the goldens: long texts and arrays as hashes. */
export function asGolden(key: string, value: GgufValue, like: GoldenEntry | undefined): GoldenEntry {
  if (value.type !== 'array') {
    const plain = typeof value.value === 'bigint' ? Number(value.value) : value.value;
    return like?.sha256 !== undefined && typeof plain === 'string'
      ? { ...like, key, type: value.type, sha256: sha256(plain) }
      : { key, type: value.type, value: plain };
  }
  const type = `array<${value.elements}>`;
  if (value.value.length <= 16) {
    return { key, type, value: Array.from(value.value as Iterable<unknown>) };
  }
  return { key, type, count: value.value.length, sha256: sha256(arrayBytes(value.elements, value.value)) };
}

const ELEMENT_IDS: Readonly<Record<string, number>> = { i32: 5, f32: 6, string: 8 };

/** Element type, count and elements, as they stand in the file. */
function arrayBytes(elements: string, values: ArrayLike<unknown>): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(ELEMENT_IDS[elements]!, 0);
  head.writeBigUInt64LE(BigInt(values.length), 4);
  const parts = [head];
  for (const value of Array.from(values)) {
    if (typeof value === 'string') {
      const text = Buffer.from(value);
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(text.length));
      parts.push(length, text);
    } else {
      const number = Buffer.alloc(4);
      if (elements === 'f32') {
        number.writeFloatLE(value as number);
      } else {
        number.writeInt32LE(value as number);
      }
      parts.push(number);
    }
  }
  return Buffer.concat(parts);
}
