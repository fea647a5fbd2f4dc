import { EMBEDDING, HEAD } from '../../core/engine/applyAdapters';
import { readModelConfig } from '../../core/engine/architectures/readModelConfig';
import type { BuildPlan, PlannedTensor } from '../../core/engine/buildPlan';
import type { ModelFolder } from '../../core/formats/huggingface/huggingFaceModel';
import { canonicalTensorName } from '../../core/formats/huggingface/tensorNames';
import { isJsonObject, type JsonObject } from '../../core/json';
import { editJsonText, type JsonEdit } from '../../core/editJsonText';

/** transformers' names of the types. */
const TORCH_NAMES: Readonly<Record<string, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };
/** What says how weights were packed; merged weights are not. */
const PACKING = ['quantization', 'quantization_config', 'compression_config'];
const TYPE_KEYS = ['torch_dtype', 'dtype'];
/** Where the configuration of a multimodal model's text part stands. */
const TEXT = 'text_config';
const TEXT_TENSOR = /^(?:model\.(?:layers|embed_tokens|norm)|lm_head)\./;
/** Configurations within configurations: more levels than any model has. */
const MAX_DEPTH = 4;

/** A configuration in config.json: the root, or a part's (`text_config`). */
interface Section {
  readonly path: readonly string[];
  readonly config: JsonObject;
}

/**
 * The base's config.json, true of the merged weights at every level: not packed, of their types, with the rows of their
 * vocabulary, and with a head of its own where they have one. All else stays as it was written.
 */
export function fusedConfig(plan: BuildPlan, base: ModelFolder): string {
  const sections = sectionsOf({ path: [], config: base.config }, 0);
  return editJsonText(base.configText, [
    ...sections.flatMap(({ path, config }) =>
      PACKING.filter((key) => key in config).map((key): JsonEdit => ({ path: [...path, key], value: undefined })),
    ),
    ...sections.flatMap((section) => typeEdits(section, plan)),
    ...vocabularyEdits(sections, plan, base),
    ...tieEdits(sections, plan, base),
  ]);
}

function sectionsOf(section: Section, depth: number): Section[] {
  const inner = Object.entries(section.config).flatMap(([key, value]) =>
    key.endsWith('_config') && !PACKING.includes(key) && isJsonObject(value) && depth < MAX_DEPTH
      ? sectionsOf({ path: [...section.path, key], config: value }, depth + 1)
      : [],
  );
  return [section, ...inner];
}

function typeEdits({ path, config }: Section, plan: BuildPlan): JsonEdit[] {
  const isTower = path.length > 0 && path.at(-1) !== TEXT;
  const own = plan.tensors.filter(
    ({ name, shape }) => shape.length > 1 && isTower !== TEXT_TENSOR.test(canonicalTensorName(name)),
  );
  const type = TORCH_NAMES[own[0]?.type ?? plan.fileType];
  return TYPE_KEYS.flatMap((key) =>
    typeof config[key] === 'string' && type !== undefined && config[key] !== type
      ? [{ path: [...path, key], value: type }]
      : [],
  );
}

/** Every level that gives the vocabulary's size; where none does, since the class has a default, the text part's. */
function vocabularyEdits(sections: readonly Section[], plan: BuildPlan, base: ModelFolder): JsonEdit[] {
  const rows = find(plan, EMBEDDING)?.shape[0];
  if (rows === undefined || rows === readModelConfig(base.config).vocabSize) {
    return [];
  }
  const texts = textSections(sections);
  const telling = texts.filter(({ config }) => typeof config['vocab_size'] === 'number');
  return (telling.length > 0 ? telling : texts.slice(-1)).map(({ path }) => ({
    path: [...path, 'vocab_size'],
    value: rows,
  }));
}

function tieEdits(sections: readonly Section[], plan: BuildPlan, base: ModelFolder): JsonEdit[] {
  const tied = find(plan, HEAD) === undefined;
  if (tied === readModelConfig(base.config).tiedEmbeddings) {
    return [];
  }
  // transformers reads the flag of either level, and each has a default of its class.
  return textSections(sections).map(({ path }) => ({ path: [...path, 'tie_word_embeddings'], value: tied }));
}

/** The root, and the text part where there is one. */
function textSections(sections: readonly Section[]): Section[] {
  return sections.filter(({ path }) => path.length === 0 || (path.length === 1 && path[0] === TEXT));
}

function find(plan: BuildPlan, canonical: string): PlannedTensor | undefined {
  return plan.tensors.find(({ name }) => canonicalTensorName(name) === canonical);
}
