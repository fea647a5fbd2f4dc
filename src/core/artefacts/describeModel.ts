import { append } from '../append';
import { classNameOf, findArchitecture } from '../engine/architectures/architectures';
import { logicalTensors } from '../engine/logicalTensors';
import { StudioError, toStudioError } from '../errors';
import { canonicalTensorName } from '../formats/huggingface/tensorNames';
import type { HuggingFaceModel } from '../formats/huggingface/huggingFaceModel';
import { notText, purposeOfModel } from '../formats/huggingface/modelPurpose';
import { refuseQuantisedBase } from '../formats/huggingface/quantisedBase';
import type { SafetensorsHeader } from '../formats/safetensors/safetensorsTypes';
import { unwrapTensors } from '../formats/huggingface/unwrapTensors';
import { checkShards, type ShardIndex } from '../formats/safetensors/shardIndex';
import { INDEX_FILE as INDEX, staleNote, weightFiles, type WeightFiles } from '../formats/safetensors/weightFiles';
import { elementCount, type TensorRef } from '../formats/tensorRef';
import { isJsonObject, type Json, type JsonObject } from '../json';
import { LIMITS } from '../limits';
import type { Artefact, ArtefactProblem } from './artefact';
import { describeTokenizer } from './describeTokenizer';
import { asProblem, errorOf, jsonOf, numberOf, sizeOf, stringOf, type FolderFacts } from './folderFacts';
import type { Finding, ModelShapes } from './finding';
import { readModelCardBase } from './modelCardBase';
import { producerOf } from './producer';
import { isModelWeights } from './trainingFolders';

/** True when the folder is, or was to be, a model of its own: full weights, or what names them. */
export function isModelFolder(folder: FolderFacts): boolean {
  if ([...folder.files.keys()].some(isModelWeights) || folder.files.has(INDEX)) {
    return true;
  }
  const config = jsonOf(folder, 'config.json');
  const namesModel = config?.['architectures'] !== undefined || config?.['model_type'] !== undefined;
  // With an adapter beside it, config.json is a copy of its base's.
  return namesModel && !folder.files.has('adapter_config.json');
}

/** Describes a Hugging Face model folder, whole or not. */
export function describeModel(folder: FolderFacts): Finding {
  const config = jsonOf(folder, 'config.json');
  const weights = new ModelWeights(folder);
  const text = textConfig(config);
  const tokenizer = describeTokenizer(folder, numberOf(text, 'vocab_size'));
  const view = config === undefined ? undefined : modelView(folder, config, weights.tensors);
  const family = familyOf(config);
  const purpose = purposeOfModel(
    family.architecture,
    config,
    isPooled(folder),
    [...weights.tensors.keys()].map(canonicalTensorName),
  );
  const packing = view === undefined ? undefined : packingOf(view, weights.tensors);
  const problems = [
    ...weights.problems,
    ...configProblems(folder, config),
    ...(purpose === undefined || purpose.purpose === 'embedding'
      ? []
      : [asProblem(notText(purpose.purpose, 'The model', purpose.seenBy))]),
    ...(packing?.problems ?? []),
    ...tokenizer.problems,
  ];
  if (weights.isComplete && config !== undefined && tokenizer.tokenizer === undefined) {
    problems.push({
      code: 'tokenizer/missing',
      message:
        'The folder has no tokenizer (tokenizer.json or tokenizer.model). Copy it from the model that this one was made from.',
    });
  }
  const artefact: Artefact = {
    path: folder.path,
    kind: packing?.isMlx === true ? 'mlx-model' : 'model',
    format: 'huggingface',
    producer: producerOf(folder),
    ...sizeOf(folder),
    weightsFile: weights.shards.length === 1 ? weights.shards[0] : undefined,
    base: baseOf(folder, config),
    ...family,
    purpose: purpose?.purpose,
    dtype: packing?.dtype,
    parameters: packing?.parameters,
    tensors: weights.tensors.size === 0 ? undefined : weights.tensors.size,
    layers: numberOf(text, 'num_hidden_layers'),
    hiddenSize: numberOf(text, 'hidden_size'),
    contextLength: numberOf(text, 'max_position_embeddings'),
    tokenizer: tokenizer.tokenizer,
    template: tokenizer.template,
    quantisation: packing?.quantisation,
    complete: weights.isComplete && config !== undefined,
    shards:
      weights.shards.length > 1 || weights.missing.length > 0
        ? { count: weights.shards.length, missing: weights.missing }
        : undefined,
    problems,
  };
  return {
    artefact,
    model: {
      tensors: packing?.shapes ?? plainShapes(weights.tensors),
      absent: weights.absent,
      isPacked: packing?.isMlx === true,
    },
    identity: folder.identity,
  };
}

/** The weights of a folder: which files there must be, which there are, and what they hold. */
class ModelWeights {
  readonly shards: readonly string[];
  readonly missing: readonly string[];
  tensors: ReadonlyMap<string, TensorRef> = new Map();
  readonly absent = new Set<string>();
  readonly problems: ArtefactProblem[] = [];
  readonly isComplete: boolean;

  constructor(private readonly folder: FolderFacts) {
    const index = this.readIndex();
    const present = [...folder.files.keys()].filter(isModelWeights);
    const chosen = weightFiles(present, index);
    this.shards = chosen.index === undefined ? numbered(chosen.files) : chosen.files;
    this.missing = this.shards.filter((name) => !folder.files.has(name));
    const missing = new Set(this.missing);
    for (const [tensor, shard] of chosen.index ?? []) {
      if (missing.has(shard)) {
        this.absent.add(canonicalTensorName(tensor));
      }
    }
    this.readShards();
    this.report();
    this.checkIndex(chosen.index);
    this.unwrap(chosen);
    this.isComplete = this.shards.length > 0 && this.missing.length === 0 && this.problems.length === 0;
  }

  private readIndex(): ShardIndex | undefined {
    const facts = this.folder.facts.get(INDEX);
    const error = errorOf(facts);
    if (error !== undefined) {
      this.problems.push(asProblem(error));
    }
    return facts?.format === 'shard-index' ? facts.index : undefined;
  }

  private readShards(): void {
    const tensors = new Map<string, TensorRef>();
    for (const shard of this.shards) {
      const facts = this.folder.facts.get(shard);
      const error = errorOf(facts);
      if (error !== undefined) {
        this.problems.push(asProblem(error));
      }
      if (facts?.format === 'safetensors') {
        append(this.problems, facts.description.problems.map(asProblem));
        for (const tensor of facts.description.tensors.values()) {
          tensors.set(tensor.name, { ...tensor, file: this.folder.pathOf(shard) });
        }
      }
    }
    this.tensors = tensors;
  }

  /** Shards and index of one model; only asked when all of them could be read. */
  private checkIndex(index: ReadonlyMap<string, string> | undefined): void {
    const headers = new Map<string, SafetensorsHeader>();
    for (const shard of this.shards) {
      const facts = this.folder.facts.get(shard);
      if (facts?.format === 'safetensors') {
        headers.set(shard, facts.description);
      }
    }
    if (index === undefined || headers.size !== this.shards.length || this.problems.length > 0) {
      return;
    }
    try {
      checkShards(index, headers, this.folder.pathOf(INDEX));
    } catch (error) {
      this.problems.push(asProblem(toStudioError(error)));
    }
  }

  /** The names that the model itself gives to its weights, and what another save left beside them. */
  private unwrap(chosen: WeightFiles): void {
    try {
      staleNote(chosen, new Set(this.tensors.keys()), this.otherNames(chosen), this.folder.path);
      this.tensors = unwrapTensors(this.tensors, this.folder.path).tensors;
    } catch (error) {
      this.problems.push(asProblem(toStudioError(error)));
    }
  }

  private otherNames({ staleFiles }: WeightFiles): readonly string[] | undefined {
    const there = numbered(staleFiles).every((name) => this.folder.files.has(name));
    return there
      ? staleFiles.flatMap((name) => {
          const facts = this.folder.facts.get(name);
          return facts?.format === 'safetensors' ? [...facts.description.tensors.keys()] : [];
        })
      : undefined;
  }

  private report(): void {
    if (this.missing.length > 0) {
      const shown = this.missing.slice(0, 5).join(', ');
      this.problems.push({
        code: 'index/missing',
        message: `${this.missing.length} of ${this.shards.length} shards ${this.missing.length === 1 ? 'is' : 'are'} missing: ${shown}${this.missing.length > 5 ? ', …' : ''}. Fetch the rest of the model.`,
      });
    } else if (this.shards.length === 0) {
      const pickles = [...this.folder.files.keys()].filter((name) =>
        /^(?:pytorch_model|model|consolidated)[^/]*\.(?:bin|pt|pth)$/.test(name),
      );
      this.problems.push(
        pickles.length > 0
          ? {
              code: 'input/pickle',
              message: `The weights are Python pickles (${pickles.slice(0, 3).join(', ')}), which are never loaded. Get the same model as safetensors.`,
            }
          : {
              code: 'model/incomplete',
              message: 'The folder has no weights (model.safetensors or its shards). Fetch the weights of the model.',
            },
      );
    }
  }
}

/** `model-00002-of-00003.safetensors` tells how many there must be. */
function numbered(present: readonly string[]): string[] {
  const match = present
    .map((name) => /^(.*-)(\d{5})-of-(\d{5})\.safetensors$/.exec(name))
    .find((found) => found !== null);
  const total = Number(match?.[3] ?? 0);
  if (match === undefined || total < 1 || total > LIMITS.safetensors.shards) {
    return [...present].sort();
  }
  return Array.from(
    { length: total },
    (_, index) => `${match[1]!}${String(index + 1).padStart(5, '0')}-of-${match[3]!}.safetensors`,
  );
}

function modelView(folder: FolderFacts, config: JsonObject, tensors: ReadonlyMap<string, TensorRef>): HuggingFaceModel {
  return { path: folder.path, directoryName: folder.name, config, tokenizer: { directory: folder.path }, tensors };
}

interface Packing {
  readonly isMlx: boolean;
  readonly dtype?: string | undefined;
  readonly parameters?: number | undefined;
  readonly quantisation?: Artefact['quantisation'];
  readonly shapes: ModelShapes['tensors'];
  readonly problems: readonly ArtefactProblem[];
}

/** Weights as the model sees them; where they are packed in a way that is not read, as they lie there, with the reason. */
function packingOf(model: HuggingFaceModel, tensors: ReadonlyMap<string, TensorRef>): Packing {
  try {
    refuseQuantisedBase(model);
    const logical = [...logicalTensors(model).values()];
    const isMlx = [...tensors.values()].some(({ dtype }) => dtype === 'U32');
    const shapes = new Map(logical.map((tensor) => [canonicalTensorName(tensor.name), { shape: tensor.shape }]));
    return {
      isMlx,
      dtype: mostValues(logical.map(({ encoding, shape }) => [encoding, elementCount(shape)])),
      parameters: logical.length === 0 ? undefined : logical.reduce((sum, { shape }) => sum + elementCount(shape), 0),
      quantisation: isMlx ? mlxQuantisation(model.config) : undefined,
      shapes,
      problems: [],
    };
  } catch (error) {
    if (!(error instanceof StudioError)) {
      throw error;
    }
    const method = typeof error.detail?.['method'] === 'string' ? error.detail['method'] : 'unknown';
    const dtype = mostValues([...tensors.values()].map((tensor) => [tensor.dtype, elementCount(tensor.shape)]));
    return {
      isMlx: false,
      dtype,
      quantisation: { method },
      shapes: plainShapes(tensors),
      problems: [asProblem(error)],
    };
  }
}

function mlxQuantisation(config: JsonObject): NonNullable<Artefact['quantisation']> {
  const found = config['quantization'] ?? config['quantization_config'];
  const settings = isJsonObject(found) ? found : undefined;
  return {
    method: 'mlx',
    bits: numberOf(settings, 'bits'),
    groupSize: numberOf(settings, 'group_size'),
    mode: stringOf(settings, 'mode') ?? 'affine',
  };
}

function plainShapes(tensors: ReadonlyMap<string, TensorRef>): Map<string, { readonly shape: readonly number[] }> {
  return new Map([...tensors.values()].map((tensor) => [canonicalTensorName(tensor.name), { shape: tensor.shape }]));
}

/** The key with the largest sum. */
export function mostValues(values: readonly (readonly [string, number])[]): string | undefined {
  const sums = new Map<string, number>();
  for (const [key, value] of values) {
    sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return [...sums].sort((a, b) => b[1] - a[1])[0]?.[0];
}

/** The text model's settings, over those of a multimodal one. */
export function textConfig(config: JsonObject | undefined): JsonObject | undefined {
  const nested = config?.['text_config'];
  return config !== undefined && isJsonObject(nested) ? { ...config, ...nested } : config;
}

/** Class name, and the family for people. */
function familyOf(config: JsonObject | undefined): Pick<Artefact, 'architecture' | 'label'> {
  if (config === undefined) {
    return {};
  }
  try {
    const architecture = classNameOf(config);
    return { architecture, label: labelOf(architecture) };
  } catch {
    return { label: stringOf(config, 'model_type') };
  }
}

/** sentence-transformers lists the parts of its models, a pooling among them. */
function isPooled(folder: FolderFacts): boolean {
  const facts = folder.facts.get('modules.json');
  return (
    facts?.format === 'json' &&
    Array.isArray(facts.value) &&
    (facts.value as readonly Json[]).some(
      (module) => isJsonObject(module) && stringOf(module, 'type')?.endsWith('Pooling') === true,
    )
  );
}

function labelOf(className: string): string {
  try {
    return findArchitecture(className).label;
  } catch {
    return className.replace(/For(?:CausalLM|ConditionalGeneration)$|Model$/, '');
  }
}

function configProblems(folder: FolderFacts, config: JsonObject | undefined): ArtefactProblem[] {
  const error = errorOf(folder.facts.get('config.json'));
  if (error !== undefined) {
    return [asProblem(error)];
  }
  return config === undefined
    ? [
        {
          code: 'model/incomplete',
          message: 'The folder has weights but no config.json. Copy it from the model that this one was made from.',
        },
      ]
    : [];
}

function baseOf(folder: FolderFacts, config: JsonObject | undefined): Artefact['base'] {
  const name = readModelCardBase(folder) ?? stringOf(config, '_name_or_path');
  return name === undefined || name === folder.path ? undefined : { name, candidates: [] };
}
