import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildPlan } from '../../core/engine/buildPlan';
import { shardIndexJson } from '../../core/engine/planFuse';
import type { ModelFolder } from '../../core/formats/huggingface/huggingFaceModel';
import type { Json } from '../../core/json';
import { LIMITS } from '../../core/limits';
import { readModelFile } from '../inputs/readModelFile';
import { editJsonText } from '../../core/editJsonText';
import { fusedConfig } from './fusedConfig';

/** What makes a tokenizer. */
const TOKENIZER_FILES =
  /^(?:tokenizer\.json|tokenizer\.model(?:\.v\d+)?|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|vocab\.(?:json|txt)|merges\.txt|spiece\.model|tekken\.json|[\w.-]+\.tiktoken)$/;
const TEMPLATE_FILES = /^chat_template\.(?:jinja|json)$/;
const TEMPLATE_FOLDER = 'additional_chat_templates';
const TEMPLATE_FILE = /^[^/\\]+\.jinja$/;
/** What else a model is loaded with, and the terms that it comes under. */
const MODEL_FILES =
  /^(?:(?:\w+_)?(?:pre)?processor_config\.json|(?:LICEN[SC]E|NOTICE|COPYING|USE_POLICY)(?:[._-][\w.-]+)?)$/i;
const GENERATION_CONFIG = 'generation_config.json';
const TOKENIZER_CONFIG = 'tokenizer_config.json';
/** Code of models that transformers does not have built in; config.json names it in `auto_map`. */
const CODE_FILES = /^\w+\.py$/;

/**
 * Makes a folder of merged weights a model that loads: its configuration, the index of its shards, and beside them the
 * tokenizer and chat templates that count, generation, processor and licence files, and code that config.json names. What
 * is copied stays byte for byte as it was.
 */
export async function finishFusedFolder(folder: string, plan: BuildPlan, base: ModelFolder): Promise<void> {
  await write(folder, 'config.json', fusedConfig(plan, base));
  const index = shardIndexJson(plan);
  if (index !== undefined) {
    await write(folder, 'model.safetensors.index.json', index);
  }
  await copyMatching(base.directory, folder, MODEL_FILES);
  if ('auto_map' in base.config) {
    await copyMatching(base.directory, folder, CODE_FILES);
  }
  if (base.generationConfig !== undefined) {
    await copy(base.directory, folder, GENERATION_CONFIG);
  }
  await copyMatching(base.tokenizer.directory, folder, TOKENIZER_FILES);
  if (base.tokenizer.modelDirectory !== undefined) {
    await copy(base.tokenizer.modelDirectory, folder, 'tokenizer.model');
  }
  await copyTemplates(folder, base);
}

async function copyTemplates(folder: string, { tokenizer }: ModelFolder): Promise<void> {
  const directory = tokenizer.templateDirectory ?? tokenizer.directory;
  await copyMatching(directory, folder, TEMPLATE_FILES);
  const additional = await readdir(join(directory, TEMPLATE_FOLDER)).catch(() => []);
  const names = additional.filter((name) => TEMPLATE_FILE.test(name));
  if (names.length > 0) {
    await mkdir(join(folder, TEMPLATE_FOLDER), { recursive: true });
  }
  for (const name of names) {
    await copy(join(directory, TEMPLATE_FOLDER), join(folder, TEMPLATE_FOLDER), name);
  }
  if (tokenizer.templateDirectory !== undefined) {
    await replaceTemplate(folder, tokenizer.directory, tokenizer.tokenizerConfig?.['chat_template']);
  }
}

/** The template that stands in tokenizer_config.json is that of another folder, or gives way to a file of one. */
async function replaceTemplate(folder: string, from: string, template: Json | undefined): Promise<void> {
  const bytes = await readModelFile(from, TOKENIZER_CONFIG, { limit: LIMITS.json.configBytes });
  const text = bytes === undefined ? '{}\n' : new TextDecoder().decode(bytes);
  const value = template ?? undefined;
  if (bytes !== undefined || value !== undefined) {
    await write(folder, TOKENIZER_CONFIG, editJsonText(text, [{ path: ['chat_template'], value }]));
  }
}

async function copyMatching(from: string, to: string, pattern: RegExp): Promise<void> {
  for (const name of (await readdir(from)).filter((one) => pattern.test(one)).sort()) {
    await copy(from, to, name);
  }
}

async function copy(from: string, to: string, name: string): Promise<void> {
  const bytes = await readModelFile(from, name, { limit: LIMITS.json.tokenizerBytes });
  await (bytes === undefined ? undefined : write(to, name, bytes));
}

/** Forced to the disk, so that a power cut after the rename leaves a whole folder. */
async function write(folder: string, name: string, content: string | Uint8Array): Promise<void> {
  await writeFile(join(folder, name), content, { flush: true });
}
