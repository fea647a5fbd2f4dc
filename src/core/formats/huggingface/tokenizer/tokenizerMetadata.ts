import { StudioError } from '../../../errors';
import { bool, type GgufEntry, string, strings, u32 } from '../../gguf/ggufValue';
import type { TokenizerFiles } from '../huggingFaceModel';
import { bpeVocabulary, mergeStrings } from './bpeVocabulary';
import { chatTemplateEntries } from './chatTemplate';
import { gemma4Vocabulary } from './gemma4Vocabulary';
import { findPreTokenizer } from './preTokenizer';
import { derivedVocabulary, sentencePieceVocabulary } from './sentencePieceVocabulary';
import { familyPreTokenizer, familySpecials, specialsByText } from './familySpecials';
import type { TokenizerMetadataOptions } from './tokenizerMetadataOptions';
import { normalizerEntries, readSpecialVocabulary, specialEntries } from './specialVocabulary';
import {
  isByteLevel,
  readMergesText,
  readTokenizerJson,
  tokenizerJsonFromParts,
  type TokenizerJson,
} from './tokenizerJson';
import type { Vocabulary } from './vocabulary';

/**
 * Every `tokenizer.*` entry of a GGUF, in the converter's order. Throws `tokenizer/missing`, `tokenizer/invalid`,
 * `tokenizer/vocabulary` (more tokens than rows) and `tokenizer/unknown-pre`.
 */
export function tokenizerMetadata(files: TokenizerFiles, options: TokenizerMetadataOptions): GgufEntry[] {
  const { rules, rows } = options;
  const entries = new Map<string, GgufEntry[1]>();
  // A key that is written twice keeps its first place, as in the converter's own table.
  const add = (list: readonly GgufEntry[]): void => list.forEach(([key, value]) => entries.set(key, value));
  const prefixSpace = rules === 'llama' ? files.tokenizerConfig?.['add_prefix_space'] : undefined;
  if (typeof prefixSpace === 'boolean') {
    add([['tokenizer.ggml.add_space_prefix', bool(prefixSpace)]]);
  }
  const { vocabulary, merges } = readVocabulary(files, options);
  add(vocabularyEntries(vocabulary, merges));
  add(specials(files, options, vocabulary));
  add(familyEntries(files, options));
  add(familySpecials(files, options));
  if (rules === 'llama' && rows === 49_152) {
    add([['tokenizer.ggml.add_bos_token', bool(false)]]);
  }
  if (rules === 'gemma' || rules === 'gemma1' || rules === 'gemma4') {
    add([['tokenizer.ggml.add_space_prefix', bool(false)]]);
  }
  if (rules === 'gemma4') {
    add([['tokenizer.ggml.add_bos_token', bool(true)]]);
  }
  return [...entries];
}

interface VocabularyAndMerges {
  readonly vocabulary: Vocabulary;
  readonly merges: readonly (readonly [string, string])[];
}

function readVocabulary(
  files: TokenizerFiles,
  { rules, rows, sha256, note }: TokenizerMetadataOptions,
): VocabularyAndMerges {
  if (rules !== 'gemma4' && files.tokenizerModel !== undefined) {
    const vocabulary = sentencePieceVocabulary(files.tokenizerModel, files, rules, rows);
    if (vocabulary.fromJson.length > 0) {
      note?.({
        code: 'tokenizer/from-json',
        message: `${vocabulary.fromJson.length} tokens are read from tokenizer.json, where transformers 5 writes them alone (${shown(vocabulary.fromJson)}): llama.cpp's converter reads tokenizer.model only and would leave them without a name or a meaning`,
      });
    }
    return { vocabulary, merges: [] };
  }
  const json = files.tokenizerJson ?? tokenizerJsonFromParts(files);
  if (json === undefined) {
    throw new StudioError(
      'tokenizer/missing',
      `There is no tokenizer in ${files.directory}: neither tokenizer.json nor tokenizer.model. Copy the tokenizer files of the base model into that folder (tokenizer.json or tokenizer.model, and tokenizer_config.json).`,
      { path: files.directory },
    );
  }
  const tokenizer = readTokenizerJson(json, files.tokenizerConfig);
  checkModel(tokenizer);
  if (rules === 'gemma4') {
    return { vocabulary: gemma4Vocabulary(tokenizer, files.tokenizerConfig, rows), merges: tokenizer.merges };
  }
  if (tokenizer.byteFallback && !isByteLevel(tokenizer)) {
    return { vocabulary: derivedVocabulary(tokenizer, rows), merges: [] };
  }
  const merges =
    tokenizer.merges.length === 0 && files.merges !== undefined ? readMergesText(files.merges) : tokenizer.merges;
  const pre = familyPreTokenizer(rules, findPreTokenizer({ ...tokenizer, merges }, sha256));
  const vocabulary = bpeVocabulary(tokenizer, pre, rows);
  if (vocabulary.kept.length > 0) {
    note?.({
      code: 'tokenizer/latin-1',
      message: `${vocabulary.kept.length} special tokens with Latin-1 letters keep their text (${shown(vocabulary.kept)}): llama.cpp's converter would garble it`,
    });
  }
  return { vocabulary, merges };
}

function shown(tokens: readonly string[]): string {
  return `${tokens.slice(0, 3).join(', ')}${tokens.length > 3 ? ', …' : ''}`;
}

function checkModel(tokenizer: TokenizerJson): void {
  if (tokenizer.modelType !== 'BPE') {
    throw new StudioError(
      'tokenizer/unknown-pre',
      `tokenizer.json holds a ${tokenizer.modelType.slice(0, 40)} model, not BPE; llama.cpp has no tokenizer for it with this architecture. If the model's repository has a \`tokenizer.model\`, put it beside tokenizer.json.`,
      { detail: { modelType: tokenizer.modelType } },
    );
  }
}

function vocabularyEntries(vocabulary: Vocabulary, merges: VocabularyAndMerges['merges']): GgufEntry[] {
  return [
    ['tokenizer.ggml.model', string(vocabulary.model)],
    ...(vocabulary.pre === undefined ? [] : [['tokenizer.ggml.pre', string(vocabulary.pre)] as const]),
    ['tokenizer.ggml.tokens', strings(vocabulary.tokens)],
    ...(vocabulary.scores === undefined
      ? []
      : [['tokenizer.ggml.scores', { type: 'array', elements: 'f32', value: vocabulary.scores }] as const]),
    ['tokenizer.ggml.token_type', { type: 'array', elements: 'i32', value: vocabulary.types }],
    ...(merges.length === 0 ? [] : [['tokenizer.ggml.merges', strings(mergeStrings(merges))] as const]),
  ];
}

function specials(files: TokenizerFiles, options: TokenizerMetadataOptions, vocabulary: Vocabulary): GgufEntry[] {
  const special = readSpecialVocabulary({
    tokenizerJson: files.tokenizerJson,
    tokenizerConfig: files.tokenizerConfig,
    config: options.config,
    rows: vocabulary.model === 'llama' ? options.rows : undefined,
  });
  const unnamed = specialsByText(options.rules, vocabulary, special.ids);
  return [
    ...specialEntries({ ...special, ids: new Map([...special.ids, ...unnamed]) }),
    ...chatTemplateEntries(files),
    ...normalizerEntries(special),
  ];
}

/** End-of-turn tokens that two families have by number alone: CodeLlama (32016 tokens) and Gemma 1. */
function familyEntries(files: TokenizerFiles, options: TokenizerMetadataOptions): GgufEntry[] {
  const eot =
    options.rules === 'gemma1' ? 107 : options.rules === 'llama' && options.rows === 32_016 ? 32_010 : undefined;
  if (eot === undefined) {
    return [];
  }
  const special = readSpecialVocabulary({
    tokenizerJson: files.tokenizerJson,
    tokenizerConfig: files.tokenizerConfig,
    config: options.config,
    kinds: ['prefix', 'suffix', 'middle', 'fsep', 'eot'],
  });
  return [
    ['tokenizer.ggml.eot_token_id', u32(special.ids.get('eot') ?? eot)],
    ...specialEntries({ ...special, ids: new Map() }),
  ];
}
