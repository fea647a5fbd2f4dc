import { stat } from 'node:fs/promises';
import { readGguf } from '../../core/formats/gguf/readGguf';
import type { GgufMetadata } from '../../core/formats/gguf/ggufTypes';
import type { PromptTokenizer } from '../../core/modelfile/workspaceFacts';
import { readGgufVocabulary } from '../../core/viewer/tokenizer/ggufVocabulary';
import { makeTextTokenizer, tokenText } from '../../core/viewer/tokenizer/tokenizeText';
import { openFileSource } from '../files/fileSource';
import { folderTokenizer } from '../viewer/folderTokenizer';

/** The tokenizer of a GGUF or a Hugging Face folder; undefined where it has none that is reproduced. @throws StudioError of what cannot be read */
export async function readPromptTokenizer(path: string): Promise<PromptTokenizer | undefined> {
  if ((await stat(path)).isDirectory()) {
    return promptTokenizerOf(new Map(await folderTokenizer(path)));
  }
  const source = await openFileSource(path);
  try {
    return promptTokenizerOf((await readGguf(source, { path })).metadata);
  } finally {
    await source.close();
  }
}

/** The same of metadata that holds a vocabulary. */
export function promptTokenizerOf(metadata: GgufMetadata): PromptTokenizer | undefined {
  const vocabulary = readGgufVocabulary(metadata);
  const tokenizer = vocabulary === undefined ? undefined : makeTextTokenizer(vocabulary);
  if (vocabulary === undefined || tokenizer === undefined || typeof tokenizer === 'string') {
    return undefined;
  }
  return {
    addsBos: tokenizer.addsBos && vocabulary.bos !== undefined,
    encode: (text) => tokenizer.encode(text).map((id) => ({ id, text: tokenText(vocabulary, id) })),
  };
}
