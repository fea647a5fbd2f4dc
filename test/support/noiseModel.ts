import {
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  encodeSafetensorsHeader,
  type SafetensorsTensorInput,
} from '../../src/core/formats/safetensors/writeSafetensors';
import { FIXTURES } from './cli';
import { Random } from './random';

export interface NoiseModelOptions {
  readonly hidden: number;
  readonly feedForward: number;
  readonly layers: number;
  /** 640 is the rugby tokenizer's; any other number comes with a generated one of so many tokens. */
  readonly vocabulary?: number;
  readonly seed?: number;
  /** Bytes of weights a shard; one file without it. */
  readonly shardBytes?: number;
  /** Shards of holes: all weights are zero, and take no room on the disk. */
  readonly sparse?: boolean;
}

const HEAD = 128;
const KV_HEADS = 8;
const RUGBY = join(FIXTURES, 'rugby', 'base');
const PAGE_BYTES = 1 << 22;

/** Writes a Qwen3 of noise in bf16 to `folder`; the same bytes for the same options. */
export function writeNoiseModel(folder: string, options: NoiseModelOptions): void {
  mkdirSync(folder, { recursive: true });
  const vocabulary = options.vocabulary ?? 640;
  writeConfig(folder, options, vocabulary);
  const tensors = baseTensors(options, vocabulary);
  const shards = intoShards(tensors, options.shardBytes ?? Infinity);
  const map: Record<string, string> = {};
  shards.forEach((shard, index) => {
    const name =
      shards.length === 1 ? 'model.safetensors' : `model-${digits(index + 1)}-of-${digits(shards.length)}.safetensors`;
    shard.forEach((tensor) => (map[tensor.name] = name));
    writeNoise(join(folder, name), shard, { seed: (options.seed ?? 1) + index, sparse: options.sparse === true });
  });
  if (shards.length > 1) {
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }));
  }
}

/** Writes a PEFT adapter on all linear layers of such a model, f32, scale 2. */
export function writeNoiseAdapter(folder: string, options: NoiseModelOptions, rank: number, seed = 77): void {
  mkdirSync(folder, { recursive: true });
  const linear = baseTensors(options, options.vocabulary ?? 640).filter(({ name }) => name.endsWith('_proj.weight'));
  const tensors = linear.flatMap(({ name, shape }): SafetensorsTensorInput[] => {
    const module = `base_model.model.${name.replace(/\.weight$/, '')}`;
    return [
      { name: `${module}.lora_A.weight`, dtype: 'F32', shape: [rank, shape[1] ?? 0] },
      { name: `${module}.lora_B.weight`, dtype: 'F32', shape: [shape[0] ?? 0, rank] },
    ];
  });
  writeNoise(join(folder, 'adapter_model.safetensors'), tensors, { seed, sparse: false });
  const config = {
    peft_type: 'LORA',
    r: rank,
    lora_alpha: 2 * rank,
    target_modules: ['q_proj'],
    bias: 'none',
    base_model_name_or_path: 'noise',
    init_lora_weights: true,
  };
  writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify(config));
}

function baseTensors({ hidden, feedForward, layers }: NoiseModelOptions, vocabulary: number): SafetensorsTensorInput[] {
  const heads = hidden / 64;
  const tensors: [string, number[]][] = [
    ['model.embed_tokens.weight', [vocabulary, hidden]],
    ['model.norm.weight', [hidden]],
  ];
  for (let layer = 0; layer < layers; layer++) {
    const at = `model.layers.${layer}`;
    tensors.push(
      [`${at}.input_layernorm.weight`, [hidden]],
      [`${at}.post_attention_layernorm.weight`, [hidden]],
      [`${at}.self_attn.q_proj.weight`, [heads * HEAD, hidden]],
      [`${at}.self_attn.k_proj.weight`, [KV_HEADS * HEAD, hidden]],
      [`${at}.self_attn.v_proj.weight`, [KV_HEADS * HEAD, hidden]],
      [`${at}.self_attn.o_proj.weight`, [hidden, heads * HEAD]],
      [`${at}.self_attn.q_norm.weight`, [HEAD]],
      [`${at}.self_attn.k_norm.weight`, [HEAD]],
      [`${at}.mlp.gate_proj.weight`, [feedForward, hidden]],
      [`${at}.mlp.up_proj.weight`, [feedForward, hidden]],
      [`${at}.mlp.down_proj.weight`, [hidden, feedForward]],
    );
  }
  return tensors.map(([name, shape]) => ({ name, dtype: 'BF16', shape }));
}

function writeConfig(folder: string, { hidden, feedForward, layers }: NoiseModelOptions, vocabulary: number): void {
  const rugby = JSON.parse(readFileSync(join(RUGBY, 'config.json'), 'utf8')) as Record<string, unknown>;
  delete rugby['layer_types'];
  const config = {
    ...rugby,
    hidden_size: hidden,
    intermediate_size: feedForward,
    num_hidden_layers: layers,
    head_dim: HEAD,
    num_attention_heads: hidden / 64,
    num_key_value_heads: KV_HEADS,
    vocab_size: vocabulary,
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  copyFileSync(join(RUGBY, 'tokenizer_config.json'), join(folder, 'tokenizer_config.json'));
  const tokenizer = readFileSync(join(RUGBY, 'tokenizer.json'), 'utf8');
  writeFileSync(join(folder, 'tokenizer.json'), vocabulary === 640 ? tokenizer : grownTokenizer(tokenizer, vocabulary));
}

/** A BPE tokenizer of `tokens` tokens of real lengths: merges chained at random from the bytes up. */
function grownTokenizer(original: string, tokens: number): string {
  const json = JSON.parse(original) as {
    model: { vocab: Record<string, number>; merges: [string, string][] };
    added_tokens: { id: number }[];
  };
  const bytes = Object.keys(json.model.vocab).filter((token) => token.length === 1);
  const ordinary = tokens - json.added_tokens.length;
  const list = [...bytes];
  const seen = new Set(list);
  const merges: [string, string][] = [];
  const random = new Random(4);
  while (list.length < ordinary) {
    const pair: [string, string] = [random.pick(list), random.pick(random.chance(0.5) ? bytes : list)];
    const token = pair.join('');
    if (!seen.has(token) && token.length < 16) {
      seen.add(token);
      list.push(token);
      merges.push(pair);
    }
  }
  json.model.vocab = Object.fromEntries(list.map((token, id) => [token, id]));
  json.model.merges = merges;
  json.added_tokens.forEach((token, index) => (token.id = ordinary + index));
  // As the library writes it, which makes the text twice as long.
  return JSON.stringify(json, null, 2);
}

function intoShards(tensors: readonly SafetensorsTensorInput[], limit: number): SafetensorsTensorInput[][] {
  const shards: SafetensorsTensorInput[][] = [[]];
  let bytes = 0;
  for (const tensor of tensors) {
    const size = 2 * tensor.shape.reduce((product, dimension) => product * dimension, 1);
    if (bytes > 0 && bytes + size > limit) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1)!.push(tensor);
    bytes += size;
  }
  return shards;
}

/** A safetensors file whose values repeat a page of noise, shifted from tensor to tensor. */
function writeNoise(
  path: string,
  tensors: readonly SafetensorsTensorInput[],
  { seed, sparse }: { readonly seed: number; readonly sparse: boolean },
): void {
  const { header, tensors: placed, fileBytes } = encodeSafetensorsHeader(tensors, new Map([['format', 'pt']]));
  const file = openSync(path, 'w');
  writeSync(file, header, 0, header.length, 0);
  if (sparse) {
    ftruncateSync(file, fileBytes);
  } else {
    const pages = { BF16: noisePage('BF16', seed), F32: noisePage('F32', seed) };
    const random = new Random(seed);
    for (const { dtype, offset, bytes } of placed) {
      const page = pages[dtype as 'BF16' | 'F32'];
      let from = random.below(PAGE_BYTES / 8) * 4;
      for (let done = 0; done < bytes; from = 0) {
        const count = Math.min(bytes - done, page.length - from);
        writeSync(file, page, from, count, offset + done);
        done += count;
      }
    }
  }
  closeSync(file);
}

/** Values of about the size that weights have, both signs. */
function noisePage(dtype: 'BF16' | 'F32', seed: number): Uint8Array {
  const random = new Random(seed);
  const values = new Float32Array(PAGE_BYTES / (dtype === 'F32' ? 4 : 2));
  for (let i = 0; i < values.length; i++) {
    values[i] = (random.next() + random.next() + random.next() - 1.5) * 0.05;
  }
  return dtype === 'F32'
    ? new Uint8Array(values.buffer)
    : new Uint8Array(Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16).buffer);
}

function digits(number: number): string {
  return String(number).padStart(5, '0');
}
