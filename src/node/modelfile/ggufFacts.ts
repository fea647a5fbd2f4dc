import { fileTypeName } from '../../core/engine/fileTypes';
import { StudioError } from '../../core/errors';
import type { GgufDescription, GgufMetadata } from '../../core/formats/gguf/ggufTypes';
import { describeGguf } from '../../core/formats/gguf/readGguf';
import { specialTokens } from '../../core/formats/gguf/specialTokens';
import { elementCount } from '../../core/formats/tensorRef';
import { looksLikeToken } from '../../core/chatTemplate/turnMarkers';
import type { GgufFacts, PathFacts } from '../../core/modelfile/workspaceFacts';
import { openFileSource } from '../files/fileSource';

const END_KEYS = ['eos', 'eot', 'eom'].map((name) => `tokenizer.ggml.${name}_token_id`);
/** Texts at which llama.cpp ends generation wherever they are tokens. */
export const ALWAYS_END: ReadonlySet<string> = new Set([
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<|return|>',
  '<|call|>',
  '<end_of_turn>',
  '<|endoftext|>',
  '<|eom_id|>',
  '<EOT>',
  '_<EOT>',
  '< EOT >',
  '[EOT]',
  '[EOS]',
  '<|end_of_text|>',
  '<|turn|>',
  '<turn|>',
]);

/** What a file that begins as a GGUF does is. Never throws. */
export async function ggufFileFacts(path: string): Promise<PathFacts> {
  try {
    const source = await openFileSource(path);
    try {
      const file = await describeGguf(source);
      const truncated = file.problems.find(({ code }) => code === 'gguf/truncated');
      return truncated === undefined
        ? { kind: 'gguf', gguf: ggufFacts(file) }
        : { kind: 'bad-gguf', truncated: true, reason: truncated.message };
    } finally {
      await source.close();
    }
  } catch (thrown) {
    const reason = thrown instanceof StudioError ? thrown.message : String(thrown);
    return { kind: 'bad-gguf', truncated: thrown instanceof StudioError && thrown.code === 'gguf/truncated', reason };
  }
}

/** What a Modelfile wants to know of a GGUF, from its header with all arrays. */
export function ggufFacts(file: GgufDescription): GgufFacts {
  const { metadata } = file;
  const architecture = text(metadata, 'general.architecture') ?? '';
  const fileType = number(metadata, 'general.file_type');
  const count = number(metadata, 'split.count');
  const tokens = tokensOf(metadata);
  return {
    architecture,
    role: roleOf(text(metadata, 'general.type'), architecture),
    bytes: file.fileBytes,
    quantisation: fileType === undefined ? undefined : fileTypeName(fileType),
    parameters: file.tensors.reduce((sum, tensor) => sum + elementCount(tensor.shape), 0),
    contextLength: number(metadata, `${architecture}.context_length`),
    name: text(metadata, 'general.name'),
    chatTemplate: text(metadata, 'tokenizer.chat_template') || undefined,
    endTokens: endTokens(metadata, tokens),
    specialTokens: [...new Set([...specialTokens(metadata, tokens), ...markerTokens(tokens)])],
    split: count === undefined ? undefined : { number: number(metadata, 'split.no') ?? 0, count },
    adapterAlpha: number(metadata, 'adapter.lora.alpha'),
    adapterRank: file.tensors.find((tensor) => tensor.name.endsWith('.lora_b'))?.shape[0],
    isEmbedding: metadata.has(`${architecture}.pooling_type`),
  };
}

function roleOf(type: string | undefined, architecture: string): GgufFacts['role'] {
  if (type === 'adapter') {
    return 'adapter';
  }
  if (type === 'mmproj' || architecture === 'clip') {
    return 'projector';
  }
  return type === undefined || type === 'model' ? 'model' : 'other';
}

function text(metadata: GgufMetadata, key: string): string | undefined {
  const value = metadata.get(key);
  return value?.type === 'string' ? value.value : undefined;
}

function number(metadata: GgufMetadata, key: string): number | undefined {
  const value = metadata.get(key);
  return typeof value?.value === 'number' || typeof value?.value === 'bigint' ? Number(value.value) : undefined;
}

function tokensOf(metadata: GgufMetadata): readonly string[] {
  const value = metadata.get('tokenizer.ggml.tokens');
  return value?.type === 'array' && value.elements === 'string' ? (value.value as readonly string[]) : [];
}

/** More than any vocabulary has. */
const MAX_MARKERS = 8000;

/** Tokens that look like markers of turns, whatever type the converter gave them: older ones call all of them normal. */
function markerTokens(tokens: readonly string[]): string[] {
  const found: string[] = [];
  for (const token of tokens) {
    if ((token.startsWith('<') || token.startsWith('[')) && looksLikeToken(token) && found.length < MAX_MARKERS) {
      found.push(token);
    }
  }
  return found;
}

function endTokens(metadata: GgufMetadata, tokens: readonly string[]): string[] {
  const ids = END_KEYS.flatMap((key) => number(metadata, key) ?? []);
  const byId = ids.flatMap((id) => tokens[id] ?? []);
  const byText = specialTokens(metadata, tokens).filter((token) => ALWAYS_END.has(token));
  return [...new Set([...byId, ...byText])];
}
