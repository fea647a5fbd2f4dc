import { largest, smallest } from '../extremes';
import { isAdapterWeights } from '../artefacts/adapterFolder';
import { chatTemplateName } from '../formats/huggingface/chatTemplateName';
import { ARCHITECTURES } from '../engine/architectures/architectures';
import { formatBytes, formatCount } from '../formatBytes';
import { GGUF_FILE_TYPES } from '../formats/gguf/ggufFileTypes';
import { ggufArrayLength } from '../formats/gguf/ggufTypes';
import { displayLine } from './displayText';
import { numberOf, textOf, valueOf, type ViewedFile } from './viewedFile';
import type { SummaryAnswer } from './viewerProtocol';

/** Below so many parameters, and so few bits, a model loses more than it gains. */
const SMALL_MODEL = 1e9;
const FEW_BITS = 5.5;
const MIX_PARTS = 40;

type Fact = SummaryAnswer['facts'][number];

/** What the first sight of a file shows; all from its header. */
export function summarise(file: ViewedFile, name: string): SummaryAnswer {
  const mix = file.tensors.mix();
  const elements = mix.reduce((sum, part) => sum + part.elements, 0);
  const bytes = mix.reduce((sum, part) => sum + part.bytes, 0);
  const bits = elements > 0 && Number.isFinite(elements) ? (bytes * 8) / elements : undefined;
  const isAdapter = isAdapterFile(file, name);
  const model = modelFacts(file, elements, bits);
  const tokens = valueOf(file, 'tokenizer.ggml.tokens');
  return {
    name: displayLine(name),
    format: file.format,
    headline: [
      model.architecture,
      elements > 0 ? `${formatCount(elements)} parameters` : undefined,
      quantisationText(file, model.quantisation, bits),
      formatBytes(file.fileBytes),
      model.context === undefined ? undefined : `context ${model.context.toLocaleString('en-US')}`,
    ].filter((fact) => fact !== undefined),
    facts: [...model.facts, ...layoutFacts(file, bytes)],
    mix: mix.slice(0, MIX_PARTS).map((part) => ({
      ...part,
      elements: finite(part.elements),
      share: bytes === 0 ? 0 : part.bytes / bytes,
      size: formatBytes(part.bytes),
    })),
    notes: notesOf(file, elements, bits, isAdapter),
    complete: file.complete,
    counts: {
      metadata: file.metadata.length,
      tensors: file.tensors.length,
      tokens: tokens?.type === 'array' ? ggufArrayLength(tokens) : undefined,
      problems: file.problems.length + file.moreProblems,
    },
    hasTemplate: file.metadata.some(
      ([key]) => key === 'tokenizer.chat_template' || key.startsWith('tokenizer.chat_template.'),
    ),
    hasScores: file.format === 'safetensors' || valueOf(file, 'tokenizer.ggml.scores') !== undefined,
    isAdapter,
    canQuantise:
      file.format === 'gguf' && file.complete && file.problems.length === 0 && !isAdapter && file.tensors.length > 0,
  };
}

function isAdapterFile(file: ViewedFile, name: string): boolean {
  if (file.format === 'gguf') {
    return textOf(file, 'general.type') === 'adapter' || hasTensor(file, (tensor) => tensor.endsWith('.lora_a'));
  }
  return (
    isAdapterWeights(name) || hasTensor(file, (tensor) => /\.lora_(?:a|A)(?:\.|$)|\.lora_embedding_A/.test(tensor))
  );
}

/** Adapters have their factors in their first tensors: there is no need to look at a million. */
function hasTensor(file: ViewedFile, test: (name: string) => boolean): boolean {
  for (let index = 0; index < Math.min(file.tensors.length, 1000); index++) {
    if (test(file.tensors.name(index))) {
      return true;
    }
  }
  return false;
}

interface ModelFacts {
  readonly architecture: string | undefined;
  readonly quantisation: string | undefined;
  readonly context: number | undefined;
  readonly facts: readonly Fact[];
}

function modelFacts(file: ViewedFile, elements: number, bits: number | undefined): ModelFacts {
  const facts: Fact[] = [];
  const add = (label: string, value: string | number | undefined): void => {
    if (value !== undefined && value !== '') {
      facts.push({ label, value: displayLine(typeof value === 'number' ? plainNumber(value) : value) });
    }
  };
  const family = textOf(file, 'general.architecture');
  const number = (key: string): number | undefined => numberOf(file, `${family ?? ''}.${key}`);
  const fileType = numberOf(file, 'general.file_type');
  const quantisation =
    file.format === 'gguf'
      ? ((fileType === undefined ? undefined : GGUF_FILE_TYPES[fileType]) ?? file.tensors.mix()[0]?.type)
      : file.tensors.mix()[0]?.type;
  const type = textOf(file, 'general.type');
  add('Name', textOf(file, 'general.name'));
  add('Architecture', family);
  add('Kind', type === 'model' ? undefined : type);
  add('Parameters', elements > 0 ? `${formatCount(elements)} (${elements.toLocaleString('en-US')})` : undefined);
  add(file.format === 'gguf' ? 'Quantisation' : 'Type', quantisation);
  add('Bits per weight', bits === undefined ? undefined : bits.toFixed(2));
  add('Context length', number('context_length')?.toLocaleString('en-US'));
  add('Layers', number('block_count'));
  add('Hidden size', number('embedding_length'));
  add('Feed-forward size', arrayOrNumber(file, `${family ?? ''}.feed_forward_length`));
  add('Attention heads', headsText(file, family));
  add('Experts', expertsText(number('expert_count'), number('expert_used_count')));
  add('RoPE base', number('rope.freq_base')?.toLocaleString('en-US'));
  add('Adapter alpha', numberOf(file, 'adapter.lora.alpha'));
  add('Tokenizer', tokenizerText(file));
  const template = textOf(file, 'tokenizer.chat_template');
  add('Chat template', template === undefined ? undefined : templateName(template));
  add('Licence', textOf(file, 'general.license'));
  const split = numberOf(file, 'split.count');
  add('Part', split !== undefined && split > 1 ? `${(numberOf(file, 'split.no') ?? 0) + 1} of ${split}` : undefined);
  add('Saved by', file.format === 'safetensors' ? textOf(file, 'format') : undefined);
  return { architecture: architectureLabel(family), quantisation, context: number('context_length'), facts };
}

/** The family as people write it, where it is known. */
function architectureLabel(family: string | undefined): string | undefined {
  const known = family === undefined ? undefined : ARCHITECTURES.filter(({ name }) => name === family);
  return known?.length === 1 ? known[0]!.label : family === undefined ? undefined : displayLine(family, 60);
}

function templateName(template: string): string {
  const name = chatTemplateName(template);
  return name === 'own' ? 'of its own' : name;
}

function quantisationText(file: ViewedFile, name: string | undefined, bits: number | undefined): string | undefined {
  if (name === undefined || file.tensors.length === 0) {
    return undefined;
  }
  return bits === undefined || !Number.isFinite(bits) ? name : `${name} (${bits.toFixed(1)} bits a weight)`;
}

function headsText(file: ViewedFile, family: string | undefined): string | undefined {
  const heads = arrayOrNumber(file, `${family ?? ''}.attention.head_count`);
  const shared = arrayOrNumber(file, `${family ?? ''}.attention.head_count_kv`);
  return heads === undefined
    ? undefined
    : shared === undefined || shared === heads
      ? heads
      : `${heads}, ${shared} for keys and values`;
}

function arrayOrNumber(file: ViewedFile, key: string): string | undefined {
  const value = valueOf(file, key);
  if (value?.type === 'array') {
    const numbers = Array.from(value.value as ArrayLike<unknown>, Number).filter(Number.isFinite);
    return numbers.length === 0 ? undefined : `${smallest(numbers)} to ${largest(numbers)} by layer`;
  }
  const number = numberOf(file, key);
  return number === undefined ? undefined : plainNumber(number);
}

function expertsText(experts: number | undefined, used: number | undefined): string | undefined {
  return experts === undefined || experts === 0
    ? undefined
    : used === undefined
      ? String(experts)
      : `${experts}, ${used} at a time`;
}

function tokenizerText(file: ViewedFile): string | undefined {
  const model = textOf(file, 'tokenizer.ggml.model');
  const tokens = valueOf(file, 'tokenizer.ggml.tokens');
  if (model === undefined) {
    return undefined;
  }
  const kind = { gpt2: 'BPE', llama: 'SentencePiece', bert: 'WordPiece', t5: 'Unigram', rwkv: 'RWKV' }[model] ?? model;
  const pre = textOf(file, 'tokenizer.ggml.pre');
  return [
    kind,
    pre === undefined || pre === 'default' ? undefined : pre,
    tokens?.type === 'array' ? `${ggufArrayLength(tokens).toLocaleString('en-US')} tokens` : undefined,
  ]
    .filter((part) => part !== undefined)
    .join(' · ');
}

function layoutFacts(file: ViewedFile, bytes: number): Fact[] {
  const facts: Fact[] = [
    {
      label: 'Format',
      value:
        file.format === 'gguf' ? `GGUF${file.version === undefined ? '' : ` version ${file.version}`}` : 'safetensors',
    },
    { label: 'File size', value: `${formatBytes(file.fileBytes)} (${file.fileBytes.toLocaleString('en-US')} bytes)` },
  ];
  if (file.dataOffset !== undefined) {
    facts.push(
      { label: 'Header', value: formatBytes(file.dataOffset) },
      { label: 'Tensor data', value: formatBytes(bytes) },
    );
  }
  if (file.format === 'gguf') {
    facts.push({ label: 'Alignment', value: `${file.alignment ?? 32} bytes` });
  }
  return facts;
}

function notesOf(file: ViewedFile, elements: number, bits: number | undefined, isAdapter: boolean): string[] {
  const notes: string[] = [];
  if (!file.complete) {
    notes.push('The header could not be read to its end. What stands before the damage is shown.');
  }
  if (
    file.format === 'gguf' &&
    !isAdapter &&
    bits !== undefined &&
    bits < FEW_BITS &&
    elements < SMALL_MODEL &&
    file.tensors.length > 1
  ) {
    notes.push('Models under about 1 B parameters lose much at so few bits. Q8_0 or BF16 is the usual choice.');
  }
  return notes;
}

function plainNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : Number.MAX_VALUE;
}
