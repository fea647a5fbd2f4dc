import { isJsonObject, type Json, type JsonObject } from '../json';
import type { Artefact } from './artefact';
import { chatTemplateName } from '../formats/huggingface/chatTemplateName';
import { asProblem, errorOf, jsonOf, textOf, type FolderFacts } from './folderFacts';

const FILES = ['tokenizer.json', 'tokenizer.model', 'vocab.json'] as const;

/** Tokenizer and chat template of a Hugging Face folder, and what is wrong with their files. */
export function describeTokenizer(
  folder: FolderFacts,
  vocabulary: number | undefined,
): Pick<Artefact, 'tokenizer' | 'template' | 'problems'> {
  const kind = FILES.find((name) => folder.files.has(name));
  const template = templateText(folder);
  const problems = [...FILES, 'tokenizer_config.json', 'chat_template.jinja'].flatMap((name) => {
    const error = errorOf(folder.facts.get(name));
    return error === undefined ? [] : [asProblem(error)];
  });
  return {
    tokenizer: kind === undefined ? undefined : { kind, tokens: vocabulary },
    template: template === undefined ? undefined : chatTemplateName(template),
    problems,
  };
}

/** In the order in which transformers looks: its own file first, then the configuration's text or first named template. */
function templateText(folder: FolderFacts): string | undefined {
  const own = textOf(folder, 'chat_template.jinja');
  return own ?? textIn(jsonOf(folder, 'chat_template.json')) ?? textIn(jsonOf(folder, 'tokenizer_config.json'));
}

function textIn(json: JsonObject | undefined): string | undefined {
  const value: Json | undefined = json?.['chat_template'];
  if (typeof value === 'string') {
    return value;
  }
  if (!Array.isArray(value)) {
    return undefined;
  }
  const named = (value as readonly Json[]).filter(isJsonObject);
  const chosen = named.find((entry) => entry['name'] === 'default') ?? named[0];
  return typeof chosen?.['template'] === 'string' ? chosen['template'] : undefined;
}
