// The sample workspace that tests, pictures and `npm start` open: what a training run leaves, copied from the fixtures.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const rugby = join(import.meta.dirname, '../../test/fixtures/rugby');

const MODELFILE = `FROM ./base
ADAPTER ./lora

TEMPLATE """{{- range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
"""

SYSTEM You answer questions about rugby league.
PARAMETER temperature 0.7
PARAMETER num_ctx 512
PARAMETER stop <|im_end|>
`;

const BROKEN = `FROM ./base
PARAMETER temprature 0.7
PARAMETER num_ctx 512
TEMPLATE """{{ if .System }}{{ .System }}
{{ .Prompt }}"""
`;

const SVELTE_CONFIG = {
  peft_type: 'LORA',
  base_model_name_or_path: 'Qwen/Qwen3-1.7B',
  r: 16,
  lora_alpha: 32,
  target_modules: ['q_proj', 'v_proj'],
  task_type: 'CAUSAL_LM',
  bias: 'none',
};

/** A safetensors file of zeros with the tensors that are named. */
function zeroSafetensors(shapes) {
  let end = 0;
  const header = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const bytes = 4 * shape.reduce((a, b) => a * b, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + bytes] };
    end += bytes;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(end)]);
}

function copy(folder, ...names) {
  for (const name of names) {
    cpSync(join(rugby, name), join(folder, name), { recursive: true });
  }
}

/** Fills a folder: bases, adapters of every kind, a truncated one, one without its base, and two Modelfiles. */
export function makeSampleWorkspace(folder) {
  mkdirSync(folder, { recursive: true });
  copy(folder, 'base', 'base-mlx4', 'lora', 'dora', 'rslora', 'outputs', 'mlx-lora');
  const old = join(folder, 'outputs-old');
  mkdirSync(old);
  writeFileSync(join(old, 'adapter_config.json'), readFileSync(join(rugby, 'lora/adapter_config.json')));
  writeFileSync(
    join(old, 'adapter_model.safetensors'),
    readFileSync(join(rugby, 'lora/adapter_model.safetensors')).subarray(0, 3000),
  );
  const svelte = join(folder, 'svelte-lora');
  mkdirSync(svelte);
  writeFileSync(join(svelte, 'adapter_config.json'), JSON.stringify(SVELTE_CONFIG, null, 2));
  const shapes = {};
  for (let layer = 0; layer < 2; layer++) {
    for (const [name, output] of [
      ['q_proj', 2048],
      ['v_proj', 1024],
    ]) {
      shapes[`base_model.model.model.layers.${layer}.self_attn.${name}.lora_A.weight`] = [16, 2048];
      shapes[`base_model.model.model.layers.${layer}.self_attn.${name}.lora_B.weight`] = [output, 16];
    }
  }
  writeFileSync(join(svelte, 'adapter_model.safetensors'), zeroSafetensors(shapes));
  writeFileSync(join(folder, 'Modelfile'), MODELFILE);
  writeFileSync(join(folder, 'broken.modelfile'), BROKEN);
  return folder;
}
