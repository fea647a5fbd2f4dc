import type { GgufValue } from '../../formats/gguf/ggufTypes';
import type { VocabularyRules } from '../../formats/huggingface/tokenizer/vocabularyRules';
import type { JsonObject } from '../../json';

/** The configuration of a text model after class defaults filled what config.json leaves out. */
export interface ModelConfig {
  /** `architectures[0]`, or the text model's in a multimodal checkpoint. */
  readonly className: string;
  /** The merged JSON: class defaults, then config.json, then its text_config. */
  readonly raw: JsonObject;
  /** num_hidden_layers, without those for multi-token prediction. */
  readonly layers: number;
  /** Layers for multi-token prediction that the checkpoint holds and the GGUF will. */
  readonly mtpLayers: number;
  readonly hiddenSize: number;
  /** Of the first layer, where they differ; 0 where config.json has none. */
  readonly feedForward: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** By layer, where a family has layers without attention or with other heads; `kvHeads` is then that of most. */
  readonly kvHeadsByLayer?: readonly number[] | undefined;
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
  | { readonly kind: 'add'; readonly value: number }
  /** Multiplies every element by one factor after the other, rounded to f32 each time; a factor may hold for some rows only. */
  | { readonly kind: 'multiply'; readonly steps: readonly (readonly RowFactor[])[] }
  /** -exp(x): the decay of a state space, from its logarithm. */
  | { readonly kind: 'negativeExp' }
  /** Rows become columns and columns rows. */
  | { readonly kind: 'transpose' }
  /** Columns in groups of `group`: group i of the result is group order[i] of the checkpoint. */
  | { readonly kind: 'columns'; readonly group: number; readonly order: readonly number[] };

/** A factor of so many rows from the last one's end on; of all that are left without a count. */
export interface RowFactor {
  readonly rows?: number | undefined;
  readonly value: number;
}

/** Rows [first, first + count) of a tensor. */
export interface RowRun {
  readonly first: number;
  readonly count: number;
}

/** Slowest dimension first; undefined where config.json does not say. */
export type ExpectedShape = readonly (number | undefined)[];

/**
 * What becomes of one module of a family, as data that is read both ways: from the name in a checkpoint to the place in the
 * GGUF, and back.
 */
export interface TensorRule {
  /**
   * Name in the GGUF without the layer: `attn_q`, to which `.weight` or `.bias` is added; where the path is a `parameter`, the
   * whole of it (`ssm_dt.bias`).
   */
  readonly to: string;
  /** The path is that of a bare parameter, without `.weight` at its end (`linear_attn.A_log`). */
  readonly parameter?: boolean;
  /** Shape of the weight as the checkpoint has it, one of a stack's; a bias has its first dimension. */
  readonly shape?: (config: ModelConfig) => ExpectedShape;
  readonly transform?: (config: ModelConfig, suffix: string | undefined) => TensorTransform;
  /** Rows of the checkpoint's tensor that make up this one, in its order; all of them as they stand unless given. */
  readonly rows?: (config: ModelConfig) => readonly RowRun[];
  /** Shape in the GGUF, in its order, where the same values stand under another. */
  readonly reshape?: (config: ModelConfig) => readonly number[];
  /** Rows up to the vocabulary's size that a checkpoint lacks are zeros. */
  readonly padded?: boolean;
  /** Each run of `rows` is a matrix of its own, one behind the other in a third dimension. */
  readonly matrices?: boolean;
  /** How many of them become one tensor (`mlp.experts.*.gate_proj`): the `*` of the path counts them. */
  readonly stack?: (config: ModelConfig) => number;
  /** Where several of the checkpoint's are the rows of one matrix of the stack, one below the other: which, of how many. */
  readonly within?: readonly [part: number, parts: number];
  /** A checkpoint may lack the weight. */
  readonly optional?: boolean | ((config: ModelConfig) => boolean);
  /** A checkpoint must have the bias as well; `none`: it may have none. */
  readonly bias?: 'required' | 'none';
}

/** Module path within a layer (`self_attn.q_proj`), or in the checkpoint (`lm_head`), to its rule; several where it is split. */
export type TensorRules = Readonly<Record<string, string | TensorRule | readonly TensorRule[]>>;

/** All tensors of a model of one configuration. */
export interface TensorTable {
  /** By full path; `to` is the full name in the GGUF. */
  readonly globals: TensorRules;
  /** How many layers `model.layers.N.` counts. */
  readonly layers: number;
  readonly layer: (index: number) => TensorRules;
}

/** Where one Hugging Face tensor goes. */
export interface TensorMapping {
  /** GGUF tensor name. */
  readonly name: string;
  readonly transform: TensorTransform;
  /** Set for tensors of stacked experts: this tensor is slice `expert` of `experts` in the slowest dimension. */
  readonly stack?: { readonly expert: number; readonly experts: number } | undefined;
  /** As in {@link TensorRule}. */
  readonly within?: readonly [part: number, parts: number] | undefined;
  /** In GGUF order, where it is not the Hugging Face tensor's. */
  readonly reshape?: readonly number[] | undefined;
  /** Rows of zeros behind those that are there make so many. */
  readonly paddedTo?: number | undefined;
  /** As in {@link TensorRule}. */
  readonly matrices?: boolean | undefined;
  /** Rows of the Hugging Face tensor in the order of the GGUF's; all of them as they stand where undefined. */
  readonly rows?: readonly RowRun[] | undefined;
  /** What config.json demands of the Hugging Face tensor. */
  readonly expected?: ExpectedShape | undefined;
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
  /** Of a class that stands for several architectures: the class under which the one of this configuration is found. */
  classOf?(raw: JsonObject): string;
  /** For people: `Qwen3`, `Llama`. */
  readonly label: string;
  /** How many layers for multi-token prediction there are, from config.json and the names of the weights; 0 unless given. */
  mtpLayers?(raw: JsonObject, names: ReadonlySet<string>): number;
  /** Key/value heads by layer, where they differ. */
  kvHeadsByLayer?(config: ModelConfig): readonly number[] | undefined;
  /** Experts that stand as one tensor: their rows of gate and up alternate (gpt-oss). */
  readonly interleavedExperts?: boolean;
  /** mlx stores its norms and convolutions otherwise, under the same names. */
  readonly mlxDiffers?: boolean;
  /** `refused`: checkpoints have them either way round, so that square ones cannot be told apart; `transposed`: [expert, in, out] always. */
  readonly squareExperts?: 'refused' | 'transposed';
  /** Keys of config.json that a GGUF has under another name (after the architecture's), as far as the table asks for them. */
  readonly ggufKeys?: Readonly<Record<string, string>>;
  /** Class defaults of transformers for keys that config.json may leave out, by class name. */
  readonly defaults: Readonly<Record<string, JsonObject>>;
  /** Classes whose `head_dim`, when absent or null, transformers sets to hidden_size / num_attention_heads. */
  readonly derivesHeadDim?: readonly string[];
  /** The converter writes `pooling_type` of embedding models, and llama.cpp reads it. */
  readonly pools?: boolean;
  /** What the family's vocabulary needs beyond the common rules; `plain` unless given. */
  readonly vocabulary?: VocabularyRules;
  /** Keys that the converter writes before `general.type`, while it still makes tensors (Phi-3's attention factor). */
  earlyParameters?(config: ModelConfig): readonly (readonly [string, GgufValue])[];
  /** Hyperparameter keys before `general.file_type`, in the converter's order. */
  hyperparameters(config: ModelConfig): readonly (readonly [string, GgufValue])[];
  /** Keys after `general.file_type` (vocab_size, rope.dimension_count of the llama class). */
  lateParameters?(config: ModelConfig): readonly (readonly [string, GgufValue])[];
  /** What its tensors are called and what becomes of each: `tensorTable.ts` reads it in every direction. */
  tensors(config: ModelConfig): TensorTable;
  /** Layers beyond those that config.json counts are left out: their prediction of further tokens is not run. */
  readonly dropsFurtherLayers?: boolean;
  /** Tensors that are left out on purpose, by their names in a text-only checkpoint (the tied head of Gemma 1). */
  readonly dropped?: RegExp;
  generatedTensors?(config: ModelConfig): readonly GeneratedTensor[];
  /** True where an `output.weight` cannot be stored (Gemma 1 and 2): a changed head is refused. */
  readonly noOutputTensor?: boolean;
  /** Refuses configurations that would convert wrongly (thrown as `model/architecture` or `model/config`). */
  check?(config: ModelConfig): void;
}
