import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { FIXTURES } from './cli';

interface Config extends Record<string, unknown> {
  readonly vocab_size: number;
  readonly head_dim: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
}

/** Rows of the repeated block of weights; any size will do that is no power of two, so that rows differ. */
const BLOCK = 1_000_003 * 2;

/** Finite bf16 values around zero that look like weights, the same every time. */
function noise(): Buffer {
  const block = Buffer.alloc(BLOCK);
  let state = 12_345;
  for (let at = 0; at < BLOCK; at += 2) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    // Sign, and an exponent from 2^-12 to 2^-5.
    block.writeUInt16LE(
      (((state >>> 31) << 15) | ((115 + ((state >>> 20) & 7)) << 7) | ((state >>> 8) & 127)) & 0xffff,
      at,
    );
  }
  return block;
}

/**
 * A model folder of the rugby base's kind that is large enough for a job on it to be met in the middle: `layers` layers of
 * hidden size 2048, about 100 MB each in bf16.
 */
export function writeLargeModel(folder: string, layers: number): void {
  const base = join(FIXTURES, 'rugby/base');
  mkdirSync(folder, { recursive: true });
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json', 'chat_template.jinja']) {
    copyFileSync(join(base, name), join(folder, name));
  }
  const config = JSON.parse(readFileSync(join(base, 'config.json'), 'utf8')) as Config;
  const hidden = 2048;
  const inner = 6144;
  const { head_dim: head } = config;
  const heads = hidden / head;
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify(
      {
        ...config,
        hidden_size: hidden,
        intermediate_size: inner,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: heads,
        layer_types: undefined,
        max_window_layers: layers,
      },
      null,
      2,
    ),
  );
  const shapes: Record<string, readonly number[]> = {
    'model.embed_tokens.weight': [config.vocab_size, hidden],
    'model.norm.weight': [hidden],
  };
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string): string => `model.layers.${layer}.${part}.weight`;
    ['q', 'k', 'v', 'o'].forEach((part) => (shapes[name(`self_attn.${part}_proj`)] = [hidden, hidden]));
    ['q', 'k'].forEach((part) => (shapes[name(`self_attn.${part}_norm`)] = [head]));
    ['gate', 'up'].forEach((part) => (shapes[name(`mlp.${part}_proj`)] = [inner, hidden]));
    shapes[name('mlp.down_proj')] = [hidden, inner];
    ['input_layernorm', 'post_attention_layernorm'].forEach((part) => (shapes[name(part)] = [hidden]));
  }
  writeSafetensors(join(folder, 'model.safetensors'), shapes);
}

function writeSafetensors(path: string, shapes: Readonly<Record<string, readonly number[]>>): void {
  let end = 0;
  const header: Record<string, unknown> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const bytes = 2 * shape.reduce((a, b) => a * b, 1);
    header[name] = { dtype: 'BF16', shape, data_offsets: [end, end + bytes] };
    end += bytes;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, 'w');
  try {
    writeSync(file, length);
    writeSync(file, text);
    const block = noise();
    for (let left = end; left > 0; left -= block.length) {
      writeSync(file, block, 0, Math.min(left, block.length));
    }
  } finally {
    closeSync(file);
  }
}
