import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { classNameOf, findArchitecture } from '../../core/engine/architectures/architectures';
import type { VocabularyRules } from '../../core/formats/huggingface/tokenizer/vocabularyRules';
import type { GgufEntry } from '../../core/formats/gguf/ggufValue';
import { chatTemplateEntries } from '../../core/formats/huggingface/tokenizer/chatTemplate';
import { readSentencePieceModel } from '../../core/formats/huggingface/tokenizer/sentencePieceModel';
import { tokenizerMetadata } from '../../core/formats/huggingface/tokenizer/tokenizerMetadata';
import type { TokenizerFiles } from '../../core/formats/huggingface/huggingFaceModel';
import { isJsonObject, type JsonObject } from '../../core/json';
import { LIMITS } from '../../core/limits';
import { loadTokenizerFiles } from '../inputs/loadTokenizerFiles';
import { readModelJson } from '../inputs/readModelFile';

/** Which of a folder's files tell of its tokenizer and templates; nothing is read. */
export async function tokenizerFilesBeside(
  directory: string,
): Promise<{ readonly hasTokenizer: boolean; readonly hasTemplate: boolean }> {
  const names = new Set(await readdir(directory).catch((): string[] => []));
  return {
    hasTokenizer:
      names.has('tokenizer.json') ||
      names.has('tokenizer.model') ||
      (names.has('vocab.json') && names.has('merges.txt')),
    hasTemplate:
      names.has('chat_template.jinja') || names.has('chat_template.json') || names.has('tokenizer_config.json'),
  };
}

/** The tokenizer of a Hugging Face folder as the entries that a GGUF of it would have. Throws `tokenizer/…`. */
export async function folderTokenizer(directory: string, signal?: AbortSignal): Promise<readonly GgufEntry[]> {
  const files = await loadTokenizerFiles(directory, { signal });
  const config =
    (await readModelJson(directory, 'config.json', { signal, limit: LIMITS.json.configBytes }).catch(
      () => undefined,
    )) ?? {};
  return tokenizerMetadata(files, {
    rules: rulesOf(config),
    config,
    rows: rowsOf(files, config),
    sha256: (bytes) => createHash('sha256').update(bytes).digest('hex'),
  });
}

/** The chat templates of a folder, by their keys in a GGUF. */
export async function folderTemplates(directory: string, signal?: AbortSignal): Promise<readonly GgufEntry[]> {
  return chatTemplateEntries(await loadTokenizerFiles(directory, { signal }));
}

function rulesOf(config: JsonObject): VocabularyRules {
  try {
    return findArchitecture(classNameOf(config)).vocabulary ?? 'plain';
  } catch {
    return 'plain';
  }
}

/** Rows of the embedding: what config.json says, else as many as the tokens need. */
function rowsOf(files: TokenizerFiles, config: JsonObject): number {
  const nested = config['text_config'];
  const said = config['vocab_size'] ?? (isJsonObject(nested) ? nested['vocab_size'] : undefined);
  if (typeof said !== 'number' && files.tokenizerModel !== undefined) {
    return readSentencePieceModel(files.tokenizerModel).pieces.length;
  }
  const model = files.tokenizerJson?.['model'];
  const vocab = isJsonObject(model) ? model['vocab'] : undefined;
  const added = files.tokenizerJson?.['added_tokens'];
  let most =
    typeof said === 'number' && Number.isInteger(said) && said > 0 && said < LIMITS.gguf.arrayElements ? said : 0;
  for (const id of isJsonObject(vocab) ? Object.values(vocab) : []) {
    most = typeof id === 'number' && id < LIMITS.gguf.arrayElements ? Math.max(most, id + 1) : most;
  }
  for (const token of Array.isArray(added) ? (added as readonly unknown[]) : []) {
    const id = typeof token === 'object' && token !== null && 'id' in token ? token.id : undefined;
    most = typeof id === 'number' && id < LIMITS.gguf.arrayElements ? Math.max(most, id + 1) : most;
  }
  return most;
}
