import type { Note } from '../../note';
import type { StudioError } from '../../errors';
import type { JsonObject } from '../../json';
import type { ModelPurpose } from '../huggingface/modelPurpose';
import type { TensorRef } from '../tensorRef';

/**
 * How the two factors of a low-rank delta lie on disk. With L [rows, rank] and R [rank, columns],
 * the delta is scale * L @ R in the layout of the base weight [rows, columns]:
 * - `peftLinear`: A [rank, in] = R, B [out, rank] = L.
 * - `peftEmbedding`: lora_embedding_A [rank, vocab] = L transposed, lora_embedding_B [dim, rank] = R transposed.
 * - `mlxLinear`: lora_a [in, rank] = R transposed, lora_b [rank, out] = L transposed.
 * - `mlxEmbedding`: lora_a [vocab, rank] = L, lora_b [rank, dim] = R.
 * - `peftConv1d`: as peftLinear, but the base is stored [in, out]: L = A transposed, R = B transposed.
 * - `expertLinear`: one expert of fused parameters, A [rank, in] = R, B [out, rank * experts] with L = its columns
 *   expert, expert + experts, expert + 2 * experts, …
 * - `expertTransposed`: the same for parameters that PEFT took for [in, out]: A [rank, out] = L transposed,
 *   B [in, rank * experts] with R = those columns, transposed.
 * - `ggufEmbedding`: lora_a [vocab, rank] = L, lora_b [dim, rank] = R transposed. Other factors of a GGUF are `peftLinear`.
 */
export type FactorLayout =
  | 'ggufEmbedding'
  | 'peftLinear'
  | 'peftEmbedding'
  | 'mlxLinear'
  | 'mlxEmbedding'
  | 'peftConv1d'
  | 'expertLinear'
  | 'expertTransposed';

/** The fused parameters of all experts of a layer, as transformers 5 calls them. */
export const EXPERT_PARAMETERS = ['gate_up_proj', 'down_proj'] as const;
export type ExpertParameter = (typeof EXPERT_PARAMETERS)[number];

/** Which columns of an interleaved factor belong to an expert, and for `expertTransposed` which of A's columns are its rows. */
export interface ExpertColumns {
  readonly expert: number;
  readonly experts: number;
  /** First row of the weight within the fused parameter, and how many (a gate is the first half of gate_up). */
  readonly firstRow: number;
  readonly rows: number;
}

/** One contribution of an adapter to one tensor of the base. Tensor names are the base's own, normalised. */
export type AdapterPart =
  | {
      readonly kind: 'lowRank';
      /** Name of the base weight, e.g. `model.layers.0.self_attn.q_proj.weight`. */
      readonly target: string;
      readonly a: TensorRef;
      readonly b: TensorRef;
      readonly layout: FactorLayout;
      readonly rank: number;
      /** The factor on L @ R: alpha / rank, alpha / sqrt(rank), or mlx's scale as it is. */
      readonly scale: number;
      /** DoRA magnitude, one a row of the base (PEFT embeddings: one a column). */
      readonly magnitude?: TensorRef | undefined;
      readonly magnitudeAxis?: 'row' | 'column' | undefined;
      /** Set with the layouts of fused experts. */
      readonly columns?: ExpertColumns | undefined;
      /** Of a GGUF adapter: the expert whose slice of a stack this is. */
      readonly stacked?: number | undefined;
      /** Of a GGUF adapter: the rows of L stand in the rotary order of so many heads. */
      readonly permutedHeads?: number | undefined;
    }
  | {
      /**
       * Low-rank factors on the fused parameters of all experts of a layer (PEFT's `target_parameters`). Which parameter they
       * change only the shapes of a base tell: `resolveExperts` turns them into one lowRank part an expert.
       */
      readonly kind: 'experts';
      /** `model.layers.0.mlp.experts`. */
      readonly target: string;
      /** [experts * rank, columns] and [rows, rank * experts]. */
      readonly a: TensorRef;
      readonly b: TensorRef;
      /** Rank and scale by the parameter that it may be: patterns of the configuration tell them apart. */
      readonly modules: Readonly<Record<ExpertParameter, { readonly rank: number; readonly scale: number }>>;
      /** True for the wrapper next to the parameters: where both are trained, that of `gate_up_proj`. */
      readonly inner: boolean;
    }
  | {
      /** The adapter's tensor takes the place of the base's (modules_to_save, trained biases, full fine-tune). */
      readonly kind: 'replace';
      readonly target: string;
      readonly source: TensorRef;
    }
  | {
      /** The base tensor that an embedding or head LoRA was trained on (possibly resized): used as the base. */
      readonly kind: 'base';
      readonly target: string;
      readonly source: TensorRef;
    }
  | {
      /** target[rows[i]] = source[i] (trainable tokens). */
      readonly kind: 'replaceRows';
      readonly target: string;
      readonly source: TensorRef;
      readonly rows: readonly number[];
    }
  | {
      /** target += scale * source, for `lora_bias`. */
      readonly kind: 'add';
      readonly target: string;
      readonly source: TensorRef;
      readonly scale: number;
    };

export type AdapterFormat = 'peft' | 'mlx' | 'gguf';
export type AdapterMethod = 'lora' | 'rslora' | 'dora' | 'full';

/** An adapter as read from its folder: what it says of itself, and what it does to which tensor. */
export interface Adapter {
  /** As the user gave it. */
  readonly path: string;
  /** The weights file that was taken, as it can be opened. */
  readonly weightsFile: string;
  /** Why this file stands for the path that was given (`the best of 3 checkpoints, …`); undefined when it was named itself. */
  readonly takenBecause?: string | undefined;
  readonly directory: string;
  readonly format: AdapterFormat;
  readonly method: AdapterMethod;
  readonly config: JsonObject;
  /** The most common rank, alpha and scale of its modules; undefined for a full fine-tune. */
  readonly rank?: number | undefined;
  readonly alpha?: number | undefined;
  readonly scale?: number | undefined;
  /** Distinct last names of the modules it changes, sorted (`q_proj`). */
  readonly targets: readonly string[];
  /** `base_model_name_or_path` or mlx's `model`, whatever it is worth. */
  readonly baseName?: string | undefined;
  readonly parts: readonly AdapterPart[];
  /** All tensors of the file, by the name in the file. */
  readonly tensors: ReadonlyMap<string, TensorRef>;
  /** True when the folder holds a tokenizer of its own. */
  readonly hasTokenizer: boolean;
  /** Why it cannot be merged; the plan throws the first one. */
  readonly refusals: readonly StudioError[];
  readonly warnings: readonly Note[];
  /** What it was trained for, where that is no text; it cannot become a GGUF then. */
  readonly purpose?: { readonly purpose: ModelPurpose; readonly seenBy: string } | undefined;
  /** Tensors of the file that the result has no place for. */
  readonly leftOut?: readonly LeftOut[] | undefined;
  /** Tensors of the file that change nothing, as they are named there: factors whose product is zero, copies of what the base has. */
  readonly withoutEffect?: readonly string[] | undefined;
}

/** What of an adapter is not in the result. */
export interface LeftOut {
  /** Where it belongs, for people: `value head`, `vision part`. */
  readonly what: string;
  /** As they are named in the file. */
  readonly tensors: readonly string[];
  /** How many modules of the model they change. */
  readonly modules: number;
}

/** The tensors of the file that a part is made of. */
export function tensorsOf(part: AdapterPart): string[] {
  switch (part.kind) {
    case 'lowRank':
      return [part.a.name, part.b.name, ...(part.magnitude === undefined ? [] : [part.magnitude.name])];
    case 'experts':
      return [part.a.name, part.b.name];
    case 'replace':
    case 'base':
    case 'replaceRows':
    case 'add':
      return [part.source.name];
  }
}
