import type { ModelPurpose } from '../formats/huggingface/modelPurpose';
import type { AdapterFormat, AdapterMethod } from '../formats/adapters/adapter';

/**
 * What an artefact is. Stable: scripts rely on these names.
 * - `peft-adapter`, `mlx-adapter`: a folder with an adapter. `mlx-checkpoint`: one numbered file of an mlx folder.
 * - `checkpoint`: a folder that training saved on the way; `content` says what is in it.
 * - `trainer-output`: a folder of checkpoints without a result of its own.
 * - `model`: a Hugging Face model folder, whole or not (`complete`). `mlx-model`: one with weights packed by mlx.
 * - `gguf-model`, `gguf-split` (a part of one), `gguf-adapter`, `gguf-mmproj`, `gguf-vocab`, `gguf-imatrix`; `imatrix`: the older format.
 * - `safetensors`: weights that belong to no folder that is known.
 * - `pickle`: listed, never loaded. `lfs-pointer`: never downloaded. `truncated`: cut short; `content` says what of.
 * - `unreadable`: damaged, or withheld by the operating system.
 */
export const ARTEFACT_KINDS = [
  'peft-adapter',
  'mlx-adapter',
  'mlx-checkpoint',
  'checkpoint',
  'trainer-output',
  'model',
  'mlx-model',
  'gguf-model',
  'gguf-split',
  'gguf-adapter',
  'gguf-mmproj',
  'gguf-vocab',
  'gguf-imatrix',
  'imatrix',
  'safetensors',
  'pickle',
  'lfs-pointer',
  'truncated',
  'unreadable',
] as const;

export type ArtefactKind = (typeof ARTEFACT_KINDS)[number];

/** Tools whose traces are recognised. */
export type Producer =
  | 'transformers'
  | 'trl'
  | 'unsloth'
  | 'axolotl'
  | 'llama-factory'
  | 'ms-swift'
  | 'torchtune'
  | 'mlx-lm'
  | 'modelfile-studio';

export interface ArtefactProblem {
  readonly code: string;
  readonly message: string;
}

/** The base of an adapter, or of a model that was made from one. */
export interface ArtefactBase {
  /** As the artefact names it: often a path of the machine that trained. */
  readonly name?: string | undefined;
  /** Of the scanned models, the one it belongs to; undefined when none fits. */
  readonly path?: string | undefined;
  /** All scanned models whose shapes and names fit, best first. */
  readonly candidates: readonly string[];
}

export interface ArtefactTokenizer {
  /** `tokenizer.json`, `tokenizer.model`, `vocab.json`; for a GGUF its `tokenizer.ggml.model`. */
  readonly kind: string;
  /** Pre-tokenizer of a GGUF. */
  readonly pre?: string | undefined;
  readonly tokens?: number | undefined;
}

export interface ArtefactQuantisation {
  /** `mlx`, `gguf`, or the method of a base that cannot be read exactly. */
  readonly method: string;
  /** Of a GGUF: `Q4_K_M`. */
  readonly name?: string | undefined;
  readonly bits?: number | undefined;
  readonly groupSize?: number | undefined;
  readonly mode?: string | undefined;
  readonly bitsPerWeight?: number | undefined;
}

export interface ArtefactCheckpoint {
  readonly path: string;
  readonly step: number;
  readonly loss?: number | undefined;
  /** On the evaluation set; of mlx-lm, its validation loss. */
  readonly evalLoss?: number | undefined;
}

/** Where a GGUF came from, by the record beside it. */
export interface ArtefactOrigin {
  readonly base: string;
  readonly adapters: readonly { readonly path: string; readonly weight: number }[];
  readonly type?: string | undefined;
  /** True when an input has changed or gone since. */
  readonly stale: boolean;
  /** Inputs that have changed or gone. */
  readonly changed: readonly string[];
}

/** One thing that a scan found. Absent fields are unknown or do not apply; more may be added. */
export interface Artefact {
  /** As given: the scanned folder's path with what lies below it. */
  readonly path: string;
  readonly kind: ArtefactKind;
  /** What a checkpoint or a damaged file holds. */
  readonly content?: ArtefactKind | undefined;
  /** The artefact whose folder this file lies in. */
  readonly partOf?: string | undefined;
  readonly format?: AdapterFormat | 'huggingface' | 'gguf' | 'safetensors' | undefined;
  readonly producer?: Producer | undefined;
  /** Of the files that belong to it. */
  readonly bytes: number;
  /** Last change, ISO 8601. */
  readonly modified?: string | undefined;
  /** The weights file that would be taken. */
  readonly weightsFile?: string | undefined;

  readonly base?: ArtefactBase | undefined;
  readonly method?: AdapterMethod | undefined;
  readonly rank?: number | undefined;
  readonly alpha?: number | undefined;
  /** As it will be applied. */
  readonly scale?: number | undefined;
  readonly targets?: readonly string[] | undefined;
  /** Modules with low-rank factors. */
  readonly modules?: number | undefined;

  /** Family for people (`Qwen3`), where it is known. */
  readonly label?: string | undefined;
  /** Class name of a model folder, `general.architecture` of a GGUF. */
  readonly architecture?: string | undefined;
  readonly name?: string | undefined;
  /** What it is for, where that is not to write text. */
  readonly purpose?: ModelPurpose | undefined;
  readonly dtype?: string | undefined;
  readonly parameters?: number | undefined;
  readonly tensors?: number | undefined;
  readonly layers?: number | undefined;
  readonly hiddenSize?: number | undefined;
  readonly contextLength?: number | undefined;
  readonly tokenizer?: ArtefactTokenizer | undefined;
  /** The chat format by its markers: `ChatML`; `own` for one that is not known. */
  readonly template?: string | undefined;
  readonly quantisation?: ArtefactQuantisation | undefined;
  /** Number of tensors by type. */
  readonly types?: Readonly<Record<string, number>> | undefined;

  readonly complete?: boolean | undefined;
  readonly shards?: { readonly count: number; readonly missing: readonly string[] } | undefined;
  readonly split?: { readonly number: number; readonly count: number; readonly missing: readonly number[] } | undefined;

  readonly step?: number | undefined;
  readonly epoch?: number | undefined;
  readonly loss?: number | undefined;
  readonly evalLoss?: number | undefined;
  readonly isNewest?: boolean | undefined;
  /** Measured as the best of its run; false where nothing was measured. */
  readonly isBest?: boolean | undefined;
  readonly checkpoints?: readonly ArtefactCheckpoint[] | undefined;
  readonly newestCheckpoint?: string | undefined;
  /** The one that the run's folder stands for. */
  readonly bestCheckpoint?: string | undefined;
  /**
   * `trainer-state` where the trainer names the best by its own metric, `eval-loss` where the losses on the evaluation set tell,
   * `step` where the newest is taken for want of that.
   */
  readonly bestBy?: 'trainer-state' | 'eval-loss' | 'step' | undefined;

  readonly builtFrom?: ArtefactOrigin | undefined;
  /** Pickles that lie in its folder. */
  readonly pickles?: readonly string[] | undefined;
  readonly problems: readonly ArtefactProblem[];
}
