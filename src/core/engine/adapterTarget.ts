import { StudioError } from '../errors';
import type { BaseTensorShape } from '../formats/adapters/baseTensorShape';
import type { HuggingFaceModel } from '../formats/huggingface/huggingFaceModel';
import type { TensorRef } from '../formats/tensorRef';
import type { JsonObject } from '../json';
import { EMBEDDING, HEAD } from './applyAdapters';
import type { Architecture, ModelConfig, TensorMapping } from './architectures/architecture';
import { ARCHITECTURES, findArchitecture } from './architectures/architectures';
import { readModelConfig } from './architectures/readModelConfig';
import { mapTensor } from './architectures/tensorTable';
import { normaliseTensorName } from '../formats/huggingface/tensorNames';
import { logicalTensors } from './logicalTensors';
import { storedType } from './storedMatrix';

/** What has to be known of a base to write an adapter for it: its architecture and the shapes of its weights. */
export interface AdapterTarget {
  /** As the user gave it: a folder, a GGUF, or the name of an installed model. */
  readonly path: string;
  readonly architecture: Architecture;
  readonly config: ModelConfig;
  /** Weights by their canonical Hugging Face names, [rows, columns]; of a GGUF only those that were asked for. */
  readonly shapes: (names: Iterable<string>) => ReadonlyMap<string, BaseTensorShape>;
  /** Where a weight is stored as plain numbers, for a look at its values; undefined where it is packed or nobody can tell. */
  readonly stored: (name: string) => TensorRef | undefined;
  /** True where the model has no head of its own (`output.weight`): the embedding is the head. */
  readonly tied: boolean;
}

/**
 * The target that a Hugging Face folder is.
 * @throws StudioError model/…
 */
export function targetOfModel(base: HuggingFaceModel): AdapterTarget {
  const config = readModelConfig(base.config, base.tensors.keys());
  const architecture = findArchitecture(config.className);
  const tensors = logicalTensors(base, { architecture, config });
  return {
    path: base.path,
    architecture,
    config,
    shapes: () => tensors,
    stored: (name) => storedWeight(base, name),
    // The converter writes a head wherever the files have one, whatever the configuration says.
    tied: architecture.noOutputTensor === true || !tensors.has(HEAD),
  };
}

function storedWeight(base: HuggingFaceModel, name: string): TensorRef | undefined {
  for (const tensor of base.tensors.values()) {
    if (normaliseTensorName(tensor.name) === name) {
      return storedType(tensor.dtype) === undefined ? undefined : tensor;
    }
  }
  return undefined;
}

/** What a GGUF, or Ollama's `show` of an installed model, tells of it. */
export interface GgufFacts {
  /** As the user names it. */
  readonly path: string;
  /** A metadata value by its key, where it is a text or a number. */
  readonly value: (key: string) => string | number | undefined;
  /** Tensors by name with their shape, fastest dimension first. */
  readonly tensors: ReadonlyMap<string, readonly number[]>;
}

/**
 * The target that a GGUF is, without the folder that it was made from: the permutation and the names follow from its
 * architecture, the shapes from its tensors.
 * @throws StudioError model/architecture, model/config
 */
export function targetOfGguf(facts: GgufFacts): AdapterTarget {
  const name = facts.value('general.architecture');
  const count = (key: string): number | undefined => {
    const value = facts.value(`${String(name)}.${key}`);
    return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined;
  };
  const experts = count('expert_count') ?? 0;
  const architecture = ARCHITECTURES.filter((candidate) => candidate.name === name).find(
    (candidate, _index, all) => all.length === 1 || candidate.classes.includes('MixtralForCausalLM') === experts > 0,
  );
  if (architecture === undefined) {
    throw new StudioError(
      'model/architecture',
      `${facts.path} is of the architecture ${String(name ?? '(none named)')}, for which no adapter can be written here. Give the Hugging Face folder of the base (--base DIR) to see what can be done, or fuse the adapter where it was trained.`,
      { path: facts.path, detail: { architecture: name } },
    );
  }
  const layers = count('block_count');
  const heads = count('attention.head_count');
  if (layers === undefined || heads === undefined || facts.tensors.size === 0) {
    throw new StudioError(
      'model/config',
      `${facts.path} does not say ${facts.tensors.size === 0 ? 'which tensors it has' : 'how many layers and heads it has'}, which an adapter for it needs. Give the Hugging Face folder of the base instead (--base DIR).`,
      { path: facts.path },
    );
  }
  const config = configOf(facts, architecture, {
    layers,
    heads,
    kvHeads: count('attention.head_count_kv') ?? heads,
    experts,
  });
  return {
    path: facts.path,
    architecture,
    config,
    shapes: (names) => shapesOf(names, facts, architecture, config),
    stored: () => undefined,
    tied: !facts.tensors.has('output.weight'),
  };
}

function configOf(
  facts: GgufFacts,
  architecture: Architecture,
  counts: Pick<ModelConfig, 'layers' | 'heads' | 'kvHeads' | 'experts'>,
): ModelConfig {
  const embedding = facts.tensors.get('token_embd.weight') ?? [0, 0];
  return {
    className: architecture.classes[0]!,
    raw: rawOf(facts, architecture),
    mtpLayers: 0,
    ...counts,
    hiddenSize: embedding[0] ?? 0,
    vocabSize: embedding[1] ?? 0,
    feedForward: 0,
    headDim: 0,
    hasHeadDim: false,
    contextLength: 0,
    rmsNormEps: 0,
    ropeTheta: 0,
    tiedEmbeddings: !facts.tensors.has('output.weight'),
    expertsUsed: 0,
  };
}

/** What the family's table asks of config.json, from the GGUF's keys. */
function rawOf(facts: GgufFacts, architecture: Architecture): JsonObject {
  return Object.fromEntries(
    Object.entries(architecture.ggufKeys ?? {}).flatMap(([key, suffix]) => {
      const value = facts.value(`${architecture.name}.${suffix}`);
      return value === undefined ? [] : [[key, value]];
    }),
  );
}

/** The shape in a checkpoint of what stands in a GGUF as these tensors; undefined where one is not there. */
function shapeInCheckpoint(
  mappings: readonly TensorMapping[],
  tensors: ReadonlyMap<string, readonly number[]>,
): readonly number[] | undefined {
  const shapes = mappings.map(({ name, stack }) => {
    const ne = tensors.get(name);
    return ne === undefined ? undefined : [...(stack === undefined ? ne : ne.slice(0, -1))].reverse();
  });
  const [first] = shapes;
  if (first === undefined || shapes.some((shape) => shape === undefined)) {
    return undefined;
  }
  return mappings.length === 1 ? first : [shapes.reduce((sum, shape) => sum + shape![0]!, 0), ...first.slice(1)];
}

/** Shapes under Hugging Face names, for the names that lead to a tensor of the GGUF; the embedding and all layers' ends too, for messages. */
function shapesOf(
  names: Iterable<string>,
  facts: GgufFacts,
  architecture: Architecture,
  config: ModelConfig,
): Map<string, BaseTensorShape> {
  const shapes = new Map<string, BaseTensorShape>();
  const lastLayer = `model.layers.${config.layers - 1}.mlp.down_proj.weight`;
  for (const name of [...names, EMBEDDING, lastLayer]) {
    const mapping = mapTensor(architecture, name, config);
    const shape = mapping === undefined || mapping === 'drop' ? undefined : shapeInCheckpoint(mapping, facts.tensors);
    if (shape !== undefined) {
      shapes.set(name, { shape });
    }
  }
  return shapes;
}
