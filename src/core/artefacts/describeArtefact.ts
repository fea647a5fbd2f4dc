import { formatBytes, formatCount } from '../formatBytes';
import { purposeText } from '../formats/huggingface/modelPurpose';
import { shortLoss } from './chooseCheckpoint';
import type { Artefact, ArtefactKind, Producer } from './artefact';

const PRODUCERS: Readonly<Record<Producer, string>> = {
  transformers: 'Trainer',
  trl: 'TRL',
  unsloth: 'Unsloth',
  axolotl: 'Axolotl',
  'llama-factory': 'LLaMA-Factory',
  'ms-swift': 'ms-swift',
  torchtune: 'torchtune',
  'mlx-lm': 'mlx-lm',
  'modelfile-studio': 'built here',
};

const KINDS: Readonly<Record<ArtefactKind | 'folder', string>> = {
  'peft-adapter': 'PEFT adapter',
  'mlx-adapter': 'mlx adapter',
  'mlx-checkpoint': 'mlx checkpoint',
  checkpoint: 'checkpoint',
  'trainer-output': 'training output',
  model: 'model',
  'mlx-model': 'mlx model',
  'gguf-model': 'GGUF model',
  'gguf-split': 'part of a GGUF',
  'gguf-adapter': 'GGUF adapter',
  'gguf-mmproj': 'GGUF projector',
  'gguf-vocab': 'GGUF vocabulary',
  'gguf-imatrix': 'importance matrix (GGUF)',
  imatrix: 'importance matrix',
  safetensors: 'safetensors',
  pickle: 'Python pickle, never loaded',
  'lfs-pointer': 'Git LFS pointer',
  truncated: 'truncated',
  unreadable: 'unreadable',
  folder: 'folder',
};

const METHODS = { lora: 'LoRA', rslora: 'rsLoRA', dora: 'DoRA', full: 'full fine-tune' } as const;

/** All linear layers of the common families. */
const ALL_LINEAR = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

export function kindText(kind: ArtefactKind | 'folder'): string {
  return KINDS[kind];
}

export function producerText(producer: Producer): string {
  return PRODUCERS[producer];
}

/** What an artefact is, in one line of short facts. May hold text from files: escape it before it is shown. */
export function describeArtefact(artefact: Artefact): string {
  return factsOf(artefact)
    .filter((fact) => fact !== undefined && fact !== '')
    .join(' · ');
}

type Facts = readonly (string | undefined)[];

function factsOf(artefact: Artefact): Facts {
  switch (artefact.kind) {
    case 'peft-adapter':
    case 'mlx-adapter':
      return [...adapterFacts(artefact), checkpointCount(artefact), maker(artefact), formatBytes(artefact.bytes)];
    case 'mlx-checkpoint':
      return [`step ${artefact.step ?? '?'}`, lossText(artefact), marks(artefact)];
    case 'checkpoint':
      return [
        `step ${artefact.step ?? '?'}`,
        lossText(artefact),
        marks(artefact),
        artefact.partOf === undefined ? adapterFacts(artefact).join(' · ') : undefined,
      ];
    case 'trainer-output':
      return [
        artefact.producer === undefined ? 'training' : producerText(artefact.producer),
        checkpointCount(artefact),
        bestText(artefact),
        ...adapterFacts(artefact),
      ];
    case 'model':
    case 'mlx-model':
      return [...modelFacts(artefact), checkpointCount(artefact), maker(artefact), formatBytes(artefact.bytes)];
    case 'gguf-model':
    case 'gguf-mmproj':
    case 'gguf-vocab':
      return [...ggufFacts(artefact), formatBytes(artefact.bytes), originText(artefact)];
    case 'gguf-split':
      return [
        `part ${artefact.split?.number ?? '?'} of ${artefact.split?.count ?? '?'}`,
        ...ggufFacts(artefact),
        formatBytes(artefact.bytes),
      ];
    case 'gguf-adapter':
      return [
        'GGUF LoRA',
        artefact.rank === undefined ? undefined : `r ${artefact.rank}`,
        scaleText(artefact),
        artefact.architecture,
        formatBytes(artefact.bytes),
      ];
    case 'gguf-imatrix':
    case 'imatrix':
    case 'pickle':
    case 'lfs-pointer':
    case 'unreadable':
      return [kindText(artefact.kind), artefact.bytes === 0 ? undefined : formatBytes(artefact.bytes)];
    case 'safetensors':
    case 'truncated':
      return [
        kindText(artefact.kind),
        artefact.content === undefined ? undefined : kindText(artefact.content),
        countText(artefact.parameters),
        artefact.dtype,
        formatBytes(artefact.bytes),
      ];
  }
}

function adapterFacts(artefact: Artefact): string[] {
  const isMlx = artefact.format === 'mlx' ? 'mlx ' : '';
  if (artefact.method === undefined) {
    return artefact.rank === undefined ? [] : [`${isMlx}LoRA r ${artefact.rank}`];
  }
  const rank = artefact.rank === undefined ? '' : ` r ${artefact.rank}`;
  return [
    `${isMlx}${METHODS[artefact.method]}${rank}`,
    scaleText(artefact),
    targetsText(artefact.targets ?? []),
    purposeOf(artefact),
  ].filter((fact) => fact !== undefined && fact !== '') as string[];
}

/** Up to five targets by their short names. */
export function targetsText(targets: readonly string[]): string {
  const others = targets.filter((target) => !ALL_LINEAR.includes(target));
  if (ALL_LINEAR.every((target) => targets.includes(target))) {
    return ['all linear', ...others.slice(0, 3), ...(others.length > 3 ? ['…'] : [])].join(' + ');
  }
  const short = targets.map((target) => target.replace(/_proj$/, ''));
  return short.length > 5 ? `${short.slice(0, 5).join(' ')} … (${short.length})` : short.join(' ');
}

function purposeOf({ purpose }: Artefact): string | undefined {
  return purpose === undefined ? undefined : purposeText(purpose);
}

function scaleText(artefact: Artefact): string | undefined {
  return artefact.scale === undefined ? undefined : `scale ${Number(artefact.scale.toPrecision(4))}`;
}

function modelFacts(artefact: Artefact): Facts {
  const missing = artefact.shards?.missing.length ?? 0;
  return [
    artefact.label ?? artefact.architecture,
    countText(artefact.parameters),
    artefact.dtype,
    purposeOf(artefact),
    artefact.template,
    missing > 0 ? `${missing} of ${artefact.shards!.count} shards missing` : undefined,
  ];
}

function ggufFacts(artefact: Artefact): Facts {
  const bits = artefact.quantisation?.bitsPerWeight;
  return [
    artefact.architecture,
    purposeOf(artefact),
    countText(artefact.parameters),
    artefact.quantisation?.name,
    bits === undefined ? undefined : `${bits.toFixed(1)} bits a weight`,
  ];
}

function originText(artefact: Artefact): string | undefined {
  const origin = artefact.builtFrom;
  if (origin === undefined) {
    return undefined;
  }
  const names = (origin.adapters.length === 0 ? [origin.base] : origin.adapters.map((adapter) => adapter.path)).map(
    (path) =>
      path
        .split(/[/\\]/)
        .filter((part) => part !== '')
        .at(-1) ?? path,
  );
  return `from ${names.join(' and ')}${origin.stale ? ' (inputs have changed)' : ''}`;
}

function checkpointCount({ checkpoints }: Artefact): string | undefined {
  return checkpoints === undefined
    ? undefined
    : `${checkpoints.length} ${checkpoints.length === 1 ? 'checkpoint' : 'checkpoints'}`;
}

function bestText(artefact: Artefact): string | undefined {
  const best = artefact.checkpoints?.find(({ path }) => path === artefact.bestCheckpoint);
  return best === undefined
    ? undefined
    : [
        `${artefact.bestBy === 'step' ? 'newest' : 'best'} ${best.step}`,
        best.evalLoss === undefined ? undefined : `eval loss ${shortLoss(best.evalLoss)}`,
      ]
        .filter((fact) => fact !== undefined)
        .join(', ');
}

function lossText({ loss, evalLoss }: Artefact): string | undefined {
  const facts = [
    loss === undefined ? '' : `loss ${shortLoss(loss)}`,
    evalLoss === undefined ? '' : `eval loss ${shortLoss(evalLoss)}`,
  ];
  return facts.filter((fact) => fact !== '').join(', ') || undefined;
}

function marks(artefact: Artefact): string | undefined {
  return (
    [artefact.isNewest === true ? 'newest' : '', artefact.isBest === true ? 'best' : '']
      .filter((mark) => mark !== '')
      .join(', ') || undefined
  );
}

function maker({ producer }: Artefact): string | undefined {
  return producer === undefined || producer === 'mlx-lm' || producer === 'modelfile-studio'
    ? undefined
    : producerText(producer);
}

function countText(count: number | undefined): string | undefined {
  return count === undefined ? undefined : formatCount(count);
}
