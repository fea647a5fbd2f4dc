import type { GgufValue } from '../../formats/gguf/ggufTypes';
import type { JsonObject } from '../../json';

/** The configuration of a text model after class defaults filled what config.json leaves out. */
export interface ModelConfig {
  /** `architectures[0]`, or the text model's in a multimodal checkpoint. */
  readonly className: string;
  /** The merged JSON: class defaults, then config.json, then its text_config. */
  readonly raw: JsonObject;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** Explicit head_dim where the class or config has one, else hidden_size / heads. */
  readonly headDim: number;
  readonly hasHeadDim: boolean;
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  /** rope_scaling / rope_parameters, normalised to the v5 names; undefined when there is none or it is `default`. */
  readonly ropeScaling?: JsonObject | undefined;
  readonly tiedEmbeddings: boolean;
  /** 0 for dense models. */
  readonly experts: number;
  readonly expertsUsed: number;
}

/** What happens to a tensor between the merge and the target type. Rows are those of the merged HF tensor. */
export type TensorTransform =
  | { readonly kind: 'none' }
  /** Rotary pairs of `heads` heads from halves to neighbours: [heads, 2, rows/heads/2] to [heads, rows/heads/2, 2]. */
  | { readonly kind: 'permute'; readonly heads: number }
  /** Adds `value` to every element (Gemma's norms). */
  | { readonly kind: 'add'; readonly value: number };

/**
 * How a family's converter departs from the common vocabulary rules:
 * - `plain`: none.
 * - `llama`: `add_space_prefix` from tokenizer_config, CodeLlama's end-of-turn token, no BOS for 49152 tokens.
 * - `gemma`: `add_space_prefix` = false; `gemma1` also has end-of-turn 107.
 * - `phi3`: the added tokens of tokenizer.json count for SentencePiece as well.
 */
export type VocabularyRules = 'plain' | 'llama' | 'gemma' | 'gemma1' | 'phi3';

/** Where one Hugging Face tensor goes. */
export interface TensorMapping {
  /** GGUF tensor name. */
  readonly name: string;
  readonly transform: TensorTransform;
  /** Set for tensors of stacked experts: this tensor is slice `expert` of `experts` in the slowest dimension. */
  readonly stack?: { readonly expert: number; readonly experts: number } | undefined;
}

/** A tensor that the converter computes from the configuration alone, always f32 (`rope_freqs.weight`). */
export interface GeneratedTensor {
  readonly name: string;
  /** GGUF order. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/**
 * One architecture, declaratively. Adding one is one file in this folder and one line in the table of
 * `architectures.ts`.
 */
export interface Architecture {
  /** `general.architecture` of the GGUF. */
  readonly name: string;
  /** Hugging Face class names that convert to it. */
  readonly classes: readonly string[];
  /** For people: `Qwen3`, `Llama`. */
  readonly label: string;
  /** Class defaults of transformers for keys that config.json may leave out, by class name. */
  readonly defaults: Readonly<Record<string, JsonObject>>;
  /** Classes whose `head_dim`, when absent or null, transformers sets to hidden_size / num_attention_heads. */
  readonly derivesHeadDim?: readonly string[];
  /** What the family's vocabulary needs beyond the common rules; `plain` unless given. */
  readonly vocabulary?: VocabularyRules;
  /** Keys that the converter writes before `general.type`, while it still makes tensors (Phi-3's attention factor). */
  earlyParameters?(config: ModelConfig): readonly (readonly [string, GgufValue])[];
  /** Hyperparameter keys before `general.file_type`, in the converter's order. */
  hyperparameters(config: ModelConfig): readonly (readonly [string, GgufValue])[];
  /** Keys after `general.file_type` (vocab_size, rope.dimension_count of the llama class). */
  lateParameters?(config: ModelConfig): readonly (readonly [string, GgufValue])[];
  /** Undefined: unknown to this architecture (refused). `'drop'`: left out on purpose (rotary buffers). */
  mapTensor(name: string, config: ModelConfig): TensorMapping | 'drop' | undefined;
  /** GGUF names that must be there for the model to load. */
  requiredTensors(config: ModelConfig): readonly string[];
  generatedTensors?(config: ModelConfig): readonly GeneratedTensor[];
  /** True where an `output.weight` cannot be stored (Gemma 1 and 2): a changed head is refused. */
  readonly noOutputTensor?: boolean;
  /** Refuses configurations that would convert wrongly (thrown as `model/architecture` or `model/config`). */
  check?(config: ModelConfig): void;
}
