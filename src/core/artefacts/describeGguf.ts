import { GGML_TYPES } from '../formats/gguf/ggmlTypes';
import { GGUF_FILE_TYPES } from '../formats/gguf/ggufFileTypes';
import { ggufArrayLength, type GgufDescription, type GgufMetadata } from '../formats/gguf/ggufTypes';
import { elementCount } from '../formats/tensorRef';
import type { Artefact, ArtefactKind, ArtefactQuantisation, ArtefactTokenizer } from './artefact';
import { chatTemplateName } from '../formats/huggingface/chatTemplateName';
import { purposeOfGguf } from '../formats/huggingface/modelPurpose';
import { asProblem } from './folderFacts';

/** Everything about a GGUF file that its header tells; `path`, size and time are the caller's. */
export type GgufFacts = Omit<Artefact, 'path' | 'bytes' | 'modified' | 'partOf'>;

/** What a GGUF is and holds (gguf specification of ggml, keys of llama.cpp v0.5.0). */
export function describeGgufFile(file: GgufDescription): GgufFacts {
  const text = (key: string): string | undefined => stringValue(file.metadata, key);
  const architecture = text('general.architecture');
  const number = (key: string): number | undefined => numberValue(file.metadata, `${architecture ?? ''}.${key}`);
  const kind = kindOf(file);
  const cut = file.problems.some((problem) => problem.code === 'gguf/truncated');
  const common: GgufFacts = {
    kind: cut ? 'truncated' : kind,
    ...(cut ? { content: kind } : {}),
    format: 'gguf',
    name: text('general.name'),
    architecture,
    tensors: file.tensors.length,
    parameters: file.tensors.reduce((sum, tensor) => sum + elementCount(tensor.shape), 0),
    types: typeCounts(file),
    problems: file.problems.map(asProblem),
  };
  if (kind === 'gguf-adapter') {
    return { ...common, ...adapterFacts(file) };
  }
  if (kind === 'gguf-imatrix') {
    return {
      ...common,
      parameters: undefined,
      tensors: file.tensors.filter((tensor) => tensor.name.endsWith('.in_sum2')).length,
    };
  }
  return {
    ...common,
    ...(kind === 'gguf-split' ? { split: splitOf(file.metadata) } : {}),
    purpose: purposeOfGguf(file.metadata),
    layers: number('block_count'),
    hiddenSize: number('embedding_length'),
    contextLength: number('context_length'),
    quantisation: quantisationOf(file),
    tokenizer: tokenizerOf(file.metadata),
    template: templateOf(file.metadata),
  };
}

function kindOf(file: GgufDescription): ArtefactKind {
  const type = stringValue(file.metadata, 'general.type');
  const architecture = stringValue(file.metadata, 'general.architecture');
  if (type === 'adapter' || file.tensors.some((tensor) => tensor.name.endsWith('.lora_a'))) {
    return 'gguf-adapter';
  }
  if (type === 'imatrix' || file.metadata.has('imatrix.chunk_count')) {
    return 'gguf-imatrix';
  }
  if (type === 'mmproj' || architecture === 'clip') {
    return 'gguf-mmproj';
  }
  if ((numberValue(file.metadata, 'split.count') ?? 1) > 1) {
    return 'gguf-split';
  }
  return file.tensors.length === 0 && file.metadata.has('tokenizer.ggml.model') ? 'gguf-vocab' : 'gguf-model';
}

/** The runtime's scale is alpha over the rank of each tensor, and 1 where alpha is 0. */
function adapterFacts(file: GgufDescription): Partial<GgufFacts> {
  const alpha = numberValue(file.metadata, 'adapter.lora.alpha');
  const downs = file.tensors.filter((tensor) => tensor.name.endsWith('.lora_a'));
  const rank = downs[0]?.shape[1];
  const modules = downs.map((tensor) => tensor.name.replace(/\.weight\.lora_a$/, ''));
  const tokens = file.metadata.get('adapter.alora.invocation_tokens');
  return {
    method: 'lora',
    rank,
    alpha,
    scale: alpha === undefined || rank === undefined || rank === 0 ? undefined : alpha === 0 ? 1 : alpha / rank,
    targets: [...new Set(modules.map((name) => name.replace(/^blk\.\d+\./, '')))].sort(),
    modules: modules.length,
    dtype: mainType(file),
    ...(tokens === undefined
      ? {}
      : {
          problems: [
            ...file.problems.map(asProblem),
            {
              code: 'adapter/unsupported',
              message:
                'This is an activated LoRA: it works only after its invocation tokens, in a runtime that knows of them.',
            },
          ],
        }),
  };
}

function typeCounts(file: GgufDescription): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const tensor of file.tensors) {
    counts[tensor.type] = (counts[tensor.type] ?? 0) + 1;
  }
  return counts;
}

/** The type that holds the most values. */
function mainType(file: GgufDescription): string | undefined {
  const values = new Map<string, number>();
  for (const tensor of file.tensors) {
    values.set(tensor.type, (values.get(tensor.type) ?? 0) + elementCount(tensor.shape));
  }
  return [...values].sort((a, b) => b[1] - a[1])[0]?.[0];
}

function quantisationOf(file: GgufDescription): ArtefactQuantisation | undefined {
  if (file.tensors.length === 0) {
    return undefined;
  }
  const id = numberValue(file.metadata, 'general.file_type');
  const values = file.tensors.reduce((sum, tensor) => sum + elementCount(tensor.shape), 0);
  const bits = file.tensors.reduce(
    (sum, tensor) =>
      sum + (elementCount(tensor.shape) / GGML_TYPES[tensor.type].block) * GGML_TYPES[tensor.type].bytes * 8,
    0,
  );
  return {
    method: 'gguf',
    name: (id === undefined ? undefined : GGUF_FILE_TYPES[id]) ?? mainType(file),
    bitsPerWeight: values === 0 ? undefined : Math.round((bits / values) * 100) / 100,
  };
}

function tokenizerOf(metadata: GgufMetadata): ArtefactTokenizer | undefined {
  const kind = stringValue(metadata, 'tokenizer.ggml.model');
  const tokens = metadata.get('tokenizer.ggml.tokens');
  return kind === undefined
    ? undefined
    : {
        kind,
        pre: stringValue(metadata, 'tokenizer.ggml.pre'),
        tokens: tokens?.type === 'array' ? ggufArrayLength(tokens) : undefined,
      };
}

function templateOf(metadata: GgufMetadata): string | undefined {
  const template = stringValue(metadata, 'tokenizer.chat_template');
  return template === undefined ? undefined : chatTemplateName(template);
}

/** `split.no` counts from 0, people and file names from 1. */
function splitOf(metadata: GgufMetadata): NonNullable<Artefact['split']> {
  return {
    number: (numberValue(metadata, 'split.no') ?? 0) + 1,
    count: numberValue(metadata, 'split.count') ?? 1,
    missing: [],
  };
}

export function stringValue(metadata: GgufMetadata, key: string): string | undefined {
  const entry = metadata.get(key);
  return entry?.type === 'string' && entry.value !== '' ? entry.value : undefined;
}

function numberValue(metadata: GgufMetadata, key: string): number | undefined {
  const entry = metadata.get(key);
  if (entry === undefined || entry.type === 'string' || entry.type === 'array' || entry.type === 'bool') {
    return undefined;
  }
  return Number(entry.value);
}
