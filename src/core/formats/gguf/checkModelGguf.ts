import { StudioError } from '../../errors';
import { ggufArrayLength, type GgufFile } from './ggufTypes';

/**
 * Metadata against tensors, for files that say they are models: what a runtime would refuse or get wrong.
 * Adapters, importance matrices and projectors have other rules and pass.
 */
export function checkModelGguf(file: GgufFile): StudioError[] {
  const text = (key: string): string | undefined => {
    const value = file.metadata.get(key);
    return value?.type === 'string' ? value.value : undefined;
  };
  const architecture = text('general.architecture');
  if (architecture === undefined) {
    return [new StudioError('gguf/metadata', 'general.architecture is missing: no runtime can tell what this is.')];
  }
  const kind = text('general.type') ?? 'model';
  if (kind !== 'model' || architecture === 'clip') {
    return [];
  }
  const problems: StudioError[] = [];
  const tokens = file.metadata.get('tokenizer.ggml.tokens');
  const embedding = file.tensors.find((tensor) => tensor.name === 'token_embd.weight');
  const rows = embedding?.shape[1];
  const vocabulary = tokens?.type === 'array' ? ggufArrayLength(tokens) : undefined;
  if (vocabulary !== undefined && rows !== undefined && vocabulary !== rows) {
    problems.push(
      new StudioError(
        'tokenizer/vocabulary',
        `The vocabulary has ${vocabulary} tokens and the embedding ${rows} rows: llama.cpp refuses to load such a file. Convert the model again with its own tokenizer.`,
        { detail: { tokens: vocabulary, rows } },
      ),
    );
  }
  const blocks = file.metadata.get(`${architecture}.block_count`);
  const layers = new Set(
    file.tensors.map((tensor) => /^blk\.(\d+)\./.exec(tensor.name)?.[1]).filter((layer) => layer !== undefined),
  );
  const split = file.metadata.get('split.count');
  if (split === undefined && typeof blocks?.value === 'number' && layers.size > 0 && blocks.value !== layers.size) {
    problems.push(
      new StudioError(
        'gguf/metadata',
        `${architecture}.block_count is ${blocks.value} and the file has tensors of ${layers.size} layers. The file is incomplete or its metadata is another model's.`,
        { detail: { blockCount: blocks.value, layers: layers.size } },
      ),
    );
  }
  return problems;
}
