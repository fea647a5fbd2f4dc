// Writes a Qwen3-shaped model of Gaussian noise in bf16, and a rank-16 adapter on all its linear layers.
import { copyFileSync, closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Shapes by name: parameters grow, kind and rank stay. */
export const SHAPES = {
  '0.15B': { hidden: 512, feedForward: 1536, layers: 20, heads: 8, kvHeads: 4, vocabulary: 151936 },
  '0.6B': { hidden: 1024, feedForward: 3072, layers: 28, heads: 16, kvHeads: 8, vocabulary: 151936 },
  '1.2B': { hidden: 1536, feedForward: 4608, layers: 31, heads: 16, kvHeads: 8, vocabulary: 151936 },
};
const HEAD = 128;
const RANK = 16;

/** Values of a pool that every tensor is cut from, each from another place: writing noise must not take longer than using it. */
const POOL = 1 << 24;

function gaussianPool(scale) {
  const f32 = new Float32Array(POOL);
  let state = 0x2545f491;
  const unit = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) + 0.5) / 4294967296;
  };
  for (let i = 0; i < POOL; i += 2) {
    const radius = scale * Math.sqrt(-2 * Math.log(unit()));
    const angle = 2 * Math.PI * unit();
    f32[i] = radius * Math.cos(angle);
    f32[i + 1] = radius * Math.sin(angle);
  }
  return f32;
}

function toBf16(values) {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (b) => (b + 0x7fff + ((b >>> 16) & 1)) >>> 16);
}

/** Linear modules of a layer as [name, rows, columns]. */
function linears(shape) {
  const q = shape.heads * HEAD;
  const kv = shape.kvHeads * HEAD;
  return [
    ['self_attn.q_proj', q, shape.hidden],
    ['self_attn.k_proj', kv, shape.hidden],
    ['self_attn.v_proj', kv, shape.hidden],
    ['self_attn.o_proj', shape.hidden, q],
    ['mlp.gate_proj', shape.feedForward, shape.hidden],
    ['mlp.up_proj', shape.feedForward, shape.hidden],
    ['mlp.down_proj', shape.hidden, shape.feedForward],
  ];
}

function writeSafetensors(path, dtype, tensors, pool) {
  const size = pool.BYTES_PER_ELEMENT;
  const header = { __metadata__: { format: 'pt' } };
  let at = 0;
  for (const { name, shape } of tensors) {
    const bytes = shape.reduce((a, b) => a * b, 1) * size;
    header[name] = { dtype, shape, data_offsets: [at, at + bytes] };
    at += bytes;
  }
  let json = Buffer.from(JSON.stringify(header));
  json = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, 0x20)]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path, 'w');
  writeSync(file, length);
  writeSync(file, json);
  let from = 0;
  for (const { shape } of tensors) {
    let left = shape.reduce((a, b) => a * b, 1);
    from = (from + 1009) % (POOL / 2);
    while (left > 0) {
      const count = Math.min(left, POOL - from);
      writeSync(file, new Uint8Array(pool.buffer, from * size, count * size));
      left -= count;
      from = (from + 4099) % (POOL / 2);
    }
  }
  closeSync(file);
  return at;
}

/** Writes `base` and `adapter` into a folder; returns the number of parameters. */
export function writeBenchModel(name, folder) {
  const shape = SHAPES[name];
  const base = join(folder, 'base');
  mkdirSync(base, { recursive: true });
  const tensors = [
    { name: 'model.embed_tokens.weight', shape: [shape.vocabulary, shape.hidden] },
    { name: 'model.norm.weight', shape: [shape.hidden] },
  ];
  for (let layer = 0; layer < shape.layers; layer++) {
    const prefix = `model.layers.${layer}.`;
    for (const [module, rows, columns] of linears(shape)) {
      tensors.push({ name: `${prefix}${module}.weight`, shape: [rows, columns] });
    }
    for (const [norm, length] of [
      ['input_layernorm', shape.hidden],
      ['post_attention_layernorm', shape.hidden],
      ['self_attn.q_norm', HEAD],
      ['self_attn.k_norm', HEAD],
    ]) {
      tensors.push({ name: `${prefix}${norm}.weight`, shape: [length] });
    }
  }
  tensors.sort((a, b) => (a.name < b.name ? -1 : 1));
  const bytes = writeSafetensors(join(base, 'model.safetensors'), 'BF16', tensors, toBf16(gaussianPool(0.02)));
  const tokenizer = join(root, 'test/fixtures/rugby/base');
  for (const file of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja']) {
    copyFileSync(join(tokenizer, file), join(base, file));
  }
  writeFileSync(
    join(base, 'config.json'),
    JSON.stringify({
      architectures: ['Qwen3ForCausalLM'],
      model_type: 'qwen3',
      hidden_size: shape.hidden,
      intermediate_size: shape.feedForward,
      num_hidden_layers: shape.layers,
      num_attention_heads: shape.heads,
      num_key_value_heads: shape.kvHeads,
      head_dim: HEAD,
      vocab_size: shape.vocabulary,
      max_position_embeddings: 40960,
      rms_norm_eps: 1e-6,
      rope_theta: 1000000,
      tie_word_embeddings: true,
      torch_dtype: 'bfloat16',
    }),
  );
  writeBenchAdapter(name, join(folder, 'adapter'));
  return bytes / 2;
}

/** Writes an adapter of a rank on all linear layers of a shape. */
export function writeBenchAdapter(name, adapter, rank = RANK) {
  const shape = SHAPES[name];
  mkdirSync(adapter, { recursive: true });
  const factors = [];
  for (let layer = 0; layer < shape.layers; layer++) {
    for (const [module, rows, columns] of linears(shape)) {
      const prefix = `base_model.model.model.layers.${layer}.${module}`;
      factors.push(
        { name: `${prefix}.lora_A.weight`, shape: [rank, columns] },
        { name: `${prefix}.lora_B.weight`, shape: [rows, rank] },
      );
    }
  }
  writeSafetensors(join(adapter, 'adapter_model.safetensors'), 'F32', factors, gaussianPool(0.01));
  writeFileSync(
    join(adapter, 'adapter_config.json'),
    JSON.stringify({
      peft_type: 'LORA',
      r: rank,
      lora_alpha: 32,
      target_modules: linears(shape).map(([module]) => module.split('.')[1]),
      bias: 'none',
      fan_in_fan_out: false,
      task_type: 'CAUSAL_LM',
      base_model_name_or_path: name,
      init_lora_weights: true,
    }),
  );
}
