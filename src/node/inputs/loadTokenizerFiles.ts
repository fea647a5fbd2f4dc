import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isPlainFileName } from '../../core/formats/safetensors/shardIndex';
import type { TokenizerFiles } from '../../core/formats/huggingface/huggingFaceModel';
import { LIMITS } from '../../core/limits';
import { readModelFile, readModelJson, readModelText } from './readModelFile';

/** More templates than any model has. */
const MAX_TEMPLATES = 100;

/** Reads the tokenizer files of a folder; those that are not there stay undefined. */
export async function loadTokenizerFiles(
  directory: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<TokenizerFiles> {
  const large = { signal: options.signal, limit: LIMITS.json.tokenizerBytes };
  const small = { signal: options.signal, limit: LIMITS.json.configBytes };
  const template = { signal: options.signal, limit: LIMITS.chatTemplateBytes };
  return {
    directory,
    tokenizerJson: await readModelJson(directory, 'tokenizer.json', large),
    tokenizerModel: await readModelFile(directory, 'tokenizer.model', large),
    tokenizerConfig: await readModelJson(directory, 'tokenizer_config.json', small),
    specialTokensMap: await readModelJson(directory, 'special_tokens_map.json', small),
    addedTokens: await readModelJson(directory, 'added_tokens.json', small),
    vocab: await readModelJson(directory, 'vocab.json', large),
    merges: await readModelText(directory, 'merges.txt', large),
    chatTemplate: await readModelText(directory, 'chat_template.jinja', template),
    chatTemplateJson: await readModelJson(directory, 'chat_template.json', small),
    additionalTemplates: await readAdditionalTemplates(join(directory, 'additional_chat_templates'), template),
  };
}

async function readAdditionalTemplates(
  directory: string,
  options: { readonly signal: AbortSignal | undefined; readonly limit: number },
): Promise<ReadonlyMap<string, string> | undefined> {
  const names = await readdir(directory).catch(() => []);
  const templates = new Map<string, string>();
  for (const name of names
    .filter((one) => one.endsWith('.jinja') && isPlainFileName(one))
    .sort()
    .slice(0, MAX_TEMPLATES)) {
    const text = await readModelText(directory, name, options);
    if (text !== undefined) {
      templates.set(name.slice(0, -'.jinja'.length), text);
    }
  }
  return templates.size === 0 ? undefined : templates;
}
