import type { GgufValue } from '../formats/gguf/ggufTypes';
import { type GgufEntry, string, u32 } from '../formats/gguf/ggufValue';
import { generalMetadata } from '../formats/huggingface/generalMetadata';
import type { HuggingFaceModel } from '../formats/huggingface/huggingFaceModel';
import { notText } from '../formats/huggingface/modelPurpose';
import { POOLING_TYPES } from '../formats/huggingface/pooling';
import { countParameters, type NamedShape } from '../formats/huggingface/sizeLabel';
import { tokenizerMetadata } from '../formats/huggingface/tokenizer/tokenizerMetadata';
import type { Sha256 } from '../formats/huggingface/tokenizer/sha256';
import type { PlanNote } from './buildPlan';
import type { Architecture, ModelConfig } from './architectures/architecture';

export interface BuildMetadataOptions {
  /** `general.file_type`: 0 F32, 1 F16, 7 Q8_0, 32 BF16, and llama.cpp's numbers for the mixtures. */
  readonly fileType: number;
  /** Every tensor of the output with its GGUF shape, generated ones included: `general.size_label` counts them. */
  readonly tensors: readonly NamedShape[];
  /** Rows of `token_embd.weight` as it will be written; an adapter may have resized it. */
  readonly vocabRows: number;
  readonly sha256: Sha256;
  /** Told where the vocabulary is better than the converter's. */
  readonly note?: ((note: PlanNote) => void) | undefined;
  /** Takes the place of the name made from the card or the folder. */
  readonly modelName?: string | undefined;
}

const FILE_TYPE = 'general.file_type';
const QUANTIZATION_VERSION = 'general.quantization_version';

/**
 * Every metadata entry of the GGUF, in the order in which llama.cpp's converter writes them. Throws what the tokenizer throws
 * (`tokenizer/…`).
 */
export function buildMetadata(
  model: HuggingFaceModel,
  config: ModelConfig,
  architecture: Architecture,
  options: BuildMetadataOptions,
): [string, GgufValue][] {
  refuseReranker(model, architecture);
  const resized: ModelConfig = { ...config, vocabSize: options.vocabRows };
  const entries = new Map<string, GgufValue>();
  // A key that is set twice keeps its first place, as in the converter's own table.
  const add = (list: readonly GgufEntry[]): void => list.forEach(([key, value]) => entries.set(key, value));
  add([['general.architecture', string(architecture.name)]]);
  add(architecture.earlyParameters?.(resized) ?? []);
  add([['general.type', string('model')]]);
  add(
    generalMetadata({
      directoryName: model.directoryName,
      config: model.config,
      generationConfig: model.generationConfig,
      readme: model.readme,
      parameters: countParameters(options.tensors),
      modelName: options.modelName,
    }),
  );
  add(architecture.hyperparameters(resized));
  add([[FILE_TYPE, u32(options.fileType)]]);
  add(architecture.lateParameters?.(resized) ?? []);
  if (model.pooling !== undefined) {
    add([[`${architecture.name}.pooling_type`, u32(POOLING_TYPES[model.pooling])]]);
  }
  add([[QUANTIZATION_VERSION, u32(2)]]);
  add(
    tokenizerMetadata(model.tokenizer, {
      rules: architecture.vocabulary ?? 'plain',
      config: model.config,
      generationConfig: model.generationConfig,
      rows: options.vocabRows,
      sha256: options.sha256,
      note: options.note,
    }),
  );
  return [...entries];
}

/**
 * A Qwen3 reranker has the class of the chat model, but the converter cuts its head down to two answers and marks it as
 * ranking; told by the same hints as there.
 */
function refuseReranker(model: HuggingFaceModel, architecture: Architecture): void {
  const hints = [model.directoryName, model.config['_name_or_path'], model.config['model_type']].filter(
    (hint) => typeof hint === 'string',
  );
  const named =
    hints.some((hint) => /qwen3-(?:vl-)?reranker/i.test(hint)) || /# qwen3-(?:vl-)?reranker/i.test(model.readme ?? '');
  if (architecture.name === 'qwen3' && named) {
    throw notText(
      'reranker',
      model.path,
      'Qwen3 reranker by its name or card; rename the folder if it is not',
      model.path,
    );
  }
}

/** The same entries as llama-quantize leaves them: quantisation version and file type are taken out and stand last. */
export function toQuantisedLayout(
  metadata: readonly (readonly [string, GgufValue])[],
  fileType: number,
): [string, GgufValue][] {
  const kept = metadata
    .filter(([key]) => key !== FILE_TYPE && key !== QUANTIZATION_VERSION)
    .map(([key, value]): [string, GgufValue] => [key, value]);
  return [...kept, [QUANTIZATION_VERSION, u32(2)], [FILE_TYPE, u32(fileType)]];
}
