import type { Note } from '../../note';
import type { JsonObject } from '../../json';
import type { TensorRef } from '../tensorRef';
import type { Pooling } from './pooling';

/** The tokenizer files of a folder, read and parsed; absent ones are undefined. */
export interface TokenizerFiles {
  /** The folder they came from: an adapter's own where that knows more tokens, else the base's. */
  readonly directory: string;
  readonly tokenizerJson?: JsonObject | undefined;
  /** SentencePiece protobuf (`tokenizer.model`). */
  readonly tokenizerModel?: Uint8Array | undefined;
  readonly tokenizerConfig?: JsonObject | undefined;
  readonly specialTokensMap?: JsonObject | undefined;
  /** `added_tokens.json`: text to id. */
  readonly addedTokens?: JsonObject | undefined;
  /** `vocab.json` and `merges.txt` of older BPE folders. */
  readonly vocab?: JsonObject | undefined;
  readonly merges?: string | undefined;
  /** `chat_template.jinja`. */
  readonly chatTemplate?: string | undefined;
  /** `chat_template.json`. */
  readonly chatTemplateJson?: JsonObject | undefined;
  /** `additional_chat_templates/NAME.jinja` by NAME. */
  readonly additionalTemplates?: ReadonlyMap<string, string> | undefined;
  /** The folder that tokenizer.model came from, where it is another than `directory`. */
  readonly modelDirectory?: string | undefined;
  /** The folder that the chat templates came from, where it is another than `directory`. */
  readonly templateDirectory?: string | undefined;
}

/** Everything of a Hugging Face model folder but the weights themselves. */
export interface HuggingFaceModel {
  /** As the user gave it. */
  readonly path: string;
  /** Base name of the folder's real path: general.name is made from it. */
  readonly directoryName: string;
  readonly config: JsonObject;
  readonly generationConfig?: JsonObject | undefined;
  readonly tokenizer: TokenizerFiles;
  /** By name, over all shards. */
  readonly tensors: ReadonlyMap<string, TensorRef>;
  /** `format` of the safetensors metadata (`pt`, `mlx`). */
  readonly weightsFormat?: string | undefined;
  /** README.md, for the card's licence, base model and tags. */
  readonly readme?: string | undefined;
  /** Of an embedding model of sentence-transformers. */
  readonly pooling?: Pooling | undefined;
  /** Why this folder stands for the path that was given (`the best of 3 checkpoints, …`); undefined when it is that path. */
  readonly takenBecause?: string | undefined;
  /** What was left aside or read otherwise than it stands there. */
  readonly notes?: readonly Note[] | undefined;
}

/** A model whose folder is there to be read again. */
export interface ModelFolder extends HuggingFaceModel {
  /** The folder that was read, as it can be opened. */
  readonly directory: string;
  /** config.json as it is written. */
  readonly configText: string;
}
