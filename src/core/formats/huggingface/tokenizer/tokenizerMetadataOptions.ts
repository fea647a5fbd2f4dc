import type { JsonObject } from '../../../json';
import type { Note } from '../../../note';
import type { Sha256 } from './sha256';
import type { VocabularyRules } from './vocabularyRules';

/** What the tokenizer entries of a GGUF depend on beside the tokenizer's own files. */
export interface TokenizerMetadataOptions {
  readonly rules: VocabularyRules;
  /** config.json as it stands. */
  readonly config: JsonObject;
  readonly generationConfig?: JsonObject | undefined;
  /** Rows of the embedding that will be written: the vocabulary is padded to it. */
  readonly rows: number;
  readonly sha256: Sha256;
  /** Told where the vocabulary is better than the converter's. */
  readonly note?: ((note: Note) => void) | undefined;
}
