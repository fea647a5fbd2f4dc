import { isJsonObject, type Json } from '../../../json';
import { type GgufEntry, string, strings } from '../../gguf/ggufValue';
import type { TokenizerFiles } from '../huggingFaceModel';

interface NamedTemplate {
  readonly name: string;
  readonly template: string;
}

type ChatTemplates = string | readonly NamedTemplate[];

/**
 * The chat templates of a folder: tokenizer_config's `chat_template`, else `chat_template.jinja` with its additional templates,
 * else `chat_template.json`. Unlike the converter, neither a null there nor a folder without tokenizer_config.json hides the files.
 */
function findTemplates(files: TokenizerFiles): ChatTemplates | undefined {
  const own = files.tokenizerConfig?.['chat_template'] ?? undefined;
  return own === undefined ? fileTemplates(files) : readTemplates(own);
}

function readTemplates(value: Json | undefined): ChatTemplates | undefined {
  if (typeof value === 'string') {
    return value;
  }
  return Array.isArray(value) ? value.flatMap((entry: Json) => namedTemplate(entry)) : undefined;
}

function namedTemplate(entry: Json): NamedTemplate[] {
  const name = isJsonObject(entry) ? entry['name'] : undefined;
  const template = isJsonObject(entry) ? entry['template'] : undefined;
  return typeof name === 'string' && typeof template === 'string' ? [{ name, template }] : [];
}

function fileTemplates(files: TokenizerFiles): ChatTemplates | undefined {
  if (files.chatTemplate === undefined) {
    return readTemplates(files.chatTemplateJson?.['chat_template'] ?? undefined);
  }
  const own = plainNewlines(files.chatTemplate);
  const additional = [...(files.additionalTemplates ?? [])].map(([name, template]) => ({
    name,
    template: plainNewlines(template),
  }));
  return additional.length === 0 ? own : [{ name: 'default', template: own }, ...additional];
}

/** As Python reads text files. */
function plainNewlines(text: string): string {
  return text.replace(/\r\n?/g, '\n');
}

/**
 * `tokenizer.chat_template`, and for named templates `tokenizer.chat_template.NAME` with the list `tokenizer.chat_templates`. The
 * converter lists the names in no fixed order; ours are as found.
 */
export function chatTemplateEntries(files: TokenizerFiles): GgufEntry[] {
  const templates = findTemplates(files);
  if (templates === undefined) {
    return [];
  }
  if (typeof templates === 'string') {
    return text('tokenizer.chat_template', templates);
  }
  const named = new Map<string, string>();
  let main: string | undefined;
  for (const { name, template } of templates) {
    const safe = name.replace(/[^A-Za-z0-9]/g, '_');
    if (safe === 'default') {
      main = template;
    } else if (safe !== '') {
      named.set(safe, template);
    }
  }
  return [
    ...[...named].flatMap(([name, template]) => text(`tokenizer.chat_template.${name}`, template)),
    ...(named.size === 0 ? [] : [['tokenizer.chat_templates', strings([...named.keys()])] as const]),
    ...text('tokenizer.chat_template', main ?? ''),
  ];
}

/** The writer leaves empty texts out. */
function text(key: string, value: string): GgufEntry[] {
  return value === '' ? [] : [[key, string(value)]];
}
