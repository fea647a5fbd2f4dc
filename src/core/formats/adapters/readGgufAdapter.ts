import { StudioError } from '../../errors';
import type { GgufFile, GgufTensor } from '../gguf/ggufTypes';
import { outerSlice, type TensorRef } from '../tensorRef';
import type { Adapter, AdapterPart } from './adapter';
import { mostCommon } from './adapterChecks';

/** A GGUF adapter as it was found: its header and where it lies. */
export interface GgufAdapterInput {
  /** As the user gave it. */
  readonly path: string;
  readonly directory: string;
  readonly file: GgufFile;
}

/**
 * Reads a LoRA that llama.cpp's `convert_lora_to_gguf.py` (or ours) wrote: `NAME.lora_a` [rank, in] and `NAME.lora_b` [out, rank] for the
 * GGUF tensor NAME, with one alpha for all; the runtime's scale is alpha / rank, or 1 where alpha is 0. Targets keep their GGUF
 * names until a base is known. Nothing is thrown: what cannot be merged stands in `refusals`.
 */
export function readGgufAdapter({ path, directory, file }: GgufAdapterInput): Adapter {
  const reader = new GgufAdapterReader(path, file);
  const parts = reader.parts();
  const ranks = parts.flatMap((part) => (part.kind === 'lowRank' ? [part.rank] : []));
  const rank = mostCommon(ranks);
  const name = file.metadata.get('general.base_model.0.name');
  return {
    path,
    weightsFile: path,
    directory,
    format: 'gguf',
    method: 'lora',
    config: {},
    rank,
    alpha: reader.alpha,
    scale: rank === undefined ? undefined : reader.scaleOf(rank),
    targets: [...new Set(parts.map((part) => part.target.split('.').at(-2) ?? part.target))].sort(),
    baseName: name?.type === 'string' && name.value !== '' ? name.value : undefined,
    parts,
    tensors: new Map(
      file.tensors.flatMap((tensor) => {
        const ref = reader.ref(tensor);
        return ref === undefined ? [] : [[tensor.name, ref] as const];
      }),
    ),
    hasTokenizer: false,
    refusals: reader.problems,
    warnings: [],
  };
}

class GgufAdapterReader {
  readonly problems: StudioError[] = [];
  readonly alpha: number;

  constructor(
    private readonly path: string,
    private readonly file: GgufFile,
  ) {
    const text = (key: string): string | undefined => {
      const value = file.metadata.get(key);
      return value?.type === 'string' ? value.value : undefined;
    };
    const alpha = file.metadata.get('adapter.lora.alpha');
    this.alpha = alpha?.type === 'f32' ? alpha.value : 0;
    if (text('general.type') !== 'adapter' || text('adapter.type') !== 'lora') {
      this.refuse(
        'adapter/missing',
        `${path} is no LoRA adapter but a GGUF of type ${text('adapter.type') ?? text('general.type') ?? 'model'}. Pass a model's GGUF with --base.`,
      );
    } else if (alpha === undefined) {
      this.refuse(
        'adapter/config',
        `${path} has no adapter.lora.alpha, and without it the strength of the adapter is unknown. Convert it again from the folder that training wrote.`,
      );
    }
    if (file.metadata.has('adapter.alora.invocation_tokens')) {
      this.refuse(
        'adapter/unsupported',
        `${path} is an activated LoRA, which works only after its invocation tokens and so cannot be merged.`,
      );
    }
  }

  /** What llama.cpp multiplies B A by. */
  scaleOf(rank: number): number {
    return this.alpha === 0 ? 1 : this.alpha / rank;
  }

  parts(): AdapterPart[] {
    const pairs = new Map<string, { a?: GgufTensor; b?: GgufTensor }>();
    for (const tensor of this.file.tensors) {
      const found = /^(.+)\.lora_([ab])$/.exec(tensor.name);
      if (found === null) {
        this.refuse(
          'adapter/unmatched',
          `${tensor.name} of ${this.path} is nothing that a LoRA has (llama.cpp ignores it when it runs the adapter). Merge from the folder that training wrote.`,
        );
        continue;
      }
      const pair = pairs.get(found[1]!) ?? {};
      pair[found[2] === 'a' ? 'a' : 'b'] = tensor;
      pairs.set(found[1]!, pair);
    }
    if (pairs.size === 0 && this.problems.length === 0) {
      this.refuse(
        'adapter/empty',
        `${this.path} holds no factors. Convert the adapter again from the folder that training wrote.`,
      );
    }
    return [...pairs].flatMap(([target, pair]) => this.pairParts(target, pair.a, pair.b));
  }

  private pairParts(target: string, first: GgufTensor | undefined, second: GgufTensor | undefined): AdapterPart[] {
    if (first === undefined || second === undefined) {
      this.refuse(
        'adapter/pair',
        `${target}.${first === undefined ? 'lora_b' : 'lora_a'} is there, but its partner is not. The file is incomplete: convert the adapter again.`,
      );
      return [];
    }
    const a = this.ref(first);
    const b = this.ref(second);
    if (a === undefined || b === undefined) {
      this.refuse(
        'adapter/unsupported',
        `${(a === undefined ? first : second).name} is stored as ${(a === undefined ? first : second).type}, and factors are read as F32, F16 or BF16. Convert the adapter again with --type F16.`,
      );
      return [];
    }
    const embedding = target === 'token_embd.weight';
    const rank = (embedding ? a.shape.at(-1) : a.shape.at(-2)) ?? 0;
    if (
      a.shape.length !== b.shape.length ||
      ![2, 3].includes(a.shape.length) ||
      b.shape.at(-1) !== rank ||
      rank === 0 ||
      (a.shape.length === 3 && a.shape[0] !== b.shape[0])
    ) {
      this.refuse(
        'adapter/shape',
        `${first.name} has shape [${a.shape.join(', ')}] and ${second.name} [${b.shape.join(', ')}]: their ranks differ. The file is damaged: convert the adapter again.`,
      );
      return [];
    }
    const common = { kind: 'lowRank', target, rank, scale: this.scaleOf(rank) } as const;
    if (a.shape.length === 2) {
      return [{ ...common, a, b, layout: embedding ? 'ggufEmbedding' : 'peftLinear' }];
    }
    return Array.from({ length: a.shape[0]! }, (_, expert): AdapterPart => ({
      ...common,
      a: outerSlice(a, expert),
      b: outerSlice(b, expert),
      layout: 'peftLinear',
      stacked: expert,
    }));
  }

  /** A tensor of the file with its shape slowest dimension first; undefined for types that factors do not have here. */
  ref(tensor: GgufTensor): TensorRef | undefined {
    const { type } = tensor;
    if (type !== 'F32' && type !== 'F16' && type !== 'BF16') {
      return undefined;
    }
    return {
      name: tensor.name,
      dtype: type,
      shape: [...tensor.shape].reverse(),
      file: this.path,
      offset: this.file.dataOffset + tensor.offset,
      bytes: tensor.bytes,
    };
  }

  private refuse(
    code:
      | 'adapter/missing'
      | 'adapter/config'
      | 'adapter/unsupported'
      | 'adapter/unmatched'
      | 'adapter/empty'
      | 'adapter/pair'
      | 'adapter/shape',
    message: string,
  ): void {
    this.problems.push(new StudioError(code, message, { path: this.path }));
  }
}
