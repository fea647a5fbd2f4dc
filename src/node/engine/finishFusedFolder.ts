import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EMBEDDING } from '../../core/engine/applyAdapters';
import type { BuildPlan } from '../../core/engine/buildPlan';
import { shardIndexJson } from '../../core/engine/planFuse';
import type { HuggingFaceModel } from '../../core/formats/huggingface/huggingFaceModel';
import { LIMITS } from '../../core/limits';
import { readModelFile } from '../inputs/readModelFile';

/** What a model folder has beside weights and config.json, as far as the merged model needs it. */
const SIDE_FILES = [
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
  'chat_template.json',
];

/** transformers' names of the types. */
const TORCH_NAMES: Readonly<Record<string, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** Adds config, tokenizer, templates and the index to a folder of merged weights. */
export async function finishFusedFolder(folder: string, plan: BuildPlan, base: HuggingFaceModel): Promise<void> {
  await write(folder, 'config.json', `${JSON.stringify(fusedConfig(plan, base), null, 2)}\n`);
  if (base.generationConfig !== undefined) {
    await write(folder, 'generation_config.json', `${JSON.stringify(base.generationConfig, null, 2)}\n`);
  }
  const index = shardIndexJson(plan);
  if (index !== undefined) {
    await write(folder, 'model.safetensors.index.json', index);
  }
  const { directory } = base.tokenizer;
  const there = new Set(await readdir(directory));
  for (const name of SIDE_FILES.filter((file) => there.has(file))) {
    const bytes = await readModelFile(directory, name, { limit: LIMITS.json.tokenizerBytes });
    await (bytes === undefined ? undefined : write(folder, name, bytes));
  }
}

/** Forced to the disk, so that a power cut after the rename leaves a whole folder. */
async function write(folder: string, name: string, content: string | Uint8Array): Promise<void> {
  await writeFile(join(folder, name), content, { flush: true });
}

/** The base's configuration, true of the merged weights: not packed, its own vocabulary and its own head. */
function fusedConfig(plan: BuildPlan, base: HuggingFaceModel): Record<string, unknown> {
  const config: Record<string, unknown> = { ...base.config };
  delete config['quantization'];
  delete config['quantization_config'];
  const dtype = TORCH_NAMES[plan.fileType];
  for (const key of ['torch_dtype', 'dtype']) {
    if (key in config && dtype !== undefined) {
      config[key] = dtype;
    }
  }
  const rows = plan.tensors.find((tensor) => tensor.name === EMBEDDING)?.shape[0];
  if (rows !== undefined && 'vocab_size' in config) {
    config['vocab_size'] = rows;
  }
  const hadHead = [...base.tensors.keys()].some((name) => name.endsWith('lm_head.weight'));
  if (!hadHead && plan.tensors.some((tensor) => tensor.name === 'lm_head.weight')) {
    config['tie_word_embeddings'] = false;
  }
  return config;
}
