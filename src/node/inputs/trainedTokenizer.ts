import type { PlanNote } from '../../core/engine/buildPlan';
import type { GgufMetadata } from '../../core/formats/gguf/ggufTypes';
import type { GgufEntry } from '../../core/formats/gguf/ggufValue';
import type { GgufPart } from '../../core/engine/planQuantize';
import { throwIfAborted, toStudioError } from '../../core/errors';
import type { HuggingFaceModel, TokenizerFiles } from '../../core/formats/huggingface/huggingFaceModel';
import { chatTemplateEntries } from '../../core/formats/huggingface/tokenizer/chatTemplate';
import { nameSpareTokens } from '../../core/formats/huggingface/tokenizer/nameSpareTokens';
import { chooseTokenizer } from '../../core/formats/huggingface/tokenizer/chooseTokenizer';
import { loadTokenizerFiles } from './loadTokenizerFiles';

/** A base with the tokenizer and the chat template that its adapters were trained with. */
export interface TrainedBase<Base extends HuggingFaceModel> {
  readonly base: Base;
  /** What was taken from an adapter. */
  readonly checks: readonly PlanNote[];
  readonly warnings: readonly PlanNote[];
}

/**
 * The base as its adapters were trained: one that brings a tokenizer which knows more, or another chat template, is right
 * about it. Of several the last counts.
 * @param folders of the adapters, in their order
 */
export async function withTrainedTokenizer<Base extends HuggingFaceModel>(
  base: Base,
  folders: readonly string[],
  signal?: AbortSignal,
): Promise<TrainedBase<Base>> {
  const notes: Notes = { checks: [], warnings: [] };
  const own = base.tokenizer;
  let tokenizer = own;
  let templates: TokenizerFiles | undefined;
  for (const folder of folders) {
    const files = await readable(folder, notes, signal);
    tokenizer = files === undefined ? tokenizer : (trained(own, files, notes) ?? tokenizer);
    templates = files !== undefined && hasOtherTemplates(files, own) ? files : templates;
  }
  if (templates !== undefined) {
    tokenizer = sameTemplates(templates, tokenizer) ? tokenizer : withTemplates(tokenizer, templates);
    notes.checks.push(OWN_TEMPLATE);
  } else if (!sameTemplates(own, tokenizer)) {
    // A tokenizer without a template of its own is used with the base's.
    tokenizer = withTemplates(tokenizer, own);
  }
  return { base: { ...base, tokenizer }, ...notes };
}

/**
 * A GGUF with the chat template that its adapters were trained with, where that is another than its own, and with their added
 * tokens in rows that it has; rows are not added.
 * @param folders of the adapters, in their order: of several the last counts
 */
export async function withTrainedTokens(
  parts: readonly GgufPart[],
  folders: readonly string[],
  signal?: AbortSignal,
): Promise<{
  readonly parts: readonly GgufPart[];
  readonly checks: readonly PlanNote[];
  readonly warnings: readonly PlanNote[];
}> {
  const notes: Notes = { checks: [], warnings: [] };
  const [first, ...rest] = parts;
  if (first === undefined) {
    return { parts, ...notes };
  }
  const own = first.file.metadata.get('tokenizer.chat_template')?.value;
  let { metadata } = first.file;
  let template: readonly GgufEntry[] = [];
  for (const folder of folders) {
    const files = await readable(folder, notes, signal);
    if (files !== undefined) {
      metadata = named(metadata, files, notes);
      const entries = chatTemplateEntries(files);
      const isOther = entries.length > 0 && new Map(entries).get('tokenizer.chat_template')?.value !== own;
      template = isOther ? entries : template;
    }
  }
  if (template.length > 0) {
    const kept = [...metadata].filter(([key]) => !/^tokenizer\.chat_templates?(?:\.|$)/.test(key));
    metadata = new Map([...kept, ...template]);
    notes.checks.push(OWN_TEMPLATE);
  }
  return { parts: [{ ...first, file: { ...first.file, metadata } }, ...rest], ...notes };
}

function named(metadata: GgufMetadata, files: TokenizerFiles, notes: Notes): GgufMetadata {
  try {
    const found = nameSpareTokens(metadata, files);
    if (found.kind === 'foreign') {
      notes.warnings.push(foreign(files.directory, found));
    }
    if (found.kind !== 'named') {
      return metadata;
    }
    if (found.more + found.renamed > 0) {
      notes.checks.push(ownTokens(found));
    }
    if (found.beyond > 0) {
      notes.warnings.push({
        code: 'adapter/tokenizer',
        message: `${found.beyond} tokens of the tokenizer in ${files.directory} have no row in this GGUF and are left out. Pass the Hugging Face folder of the base if the adapter was trained with them.`,
      });
    }
    return found.metadata;
  } catch (thrown) {
    notes.warnings.push(unreadable(files.directory, thrown));
    return metadata;
  }
}

const OWN_TEMPLATE: PlanNote = { code: 'check/template', message: "chat template: the adapter's own" };

interface Notes {
  readonly checks: PlanNote[];
  readonly warnings: PlanNote[];
}

/** Files that cannot be read are no reason to refuse the adapter, whose weights they are not. */
async function readable(
  folder: string,
  notes: Notes,
  signal: AbortSignal | undefined,
): Promise<TokenizerFiles | undefined> {
  try {
    return await loadTokenizerFiles(folder, { signal });
  } catch (thrown) {
    throwIfAborted(signal);
    notes.warnings.push(unreadable(folder, thrown));
    return undefined;
  }
}

function unreadable(folder: string, thrown: unknown): PlanNote {
  return {
    code: 'adapter/tokenizer',
    message: `the tokenizer in ${folder} cannot be read and is left out: ${toStudioError(thrown).message}`,
  };
}

function foreign(
  directory: string,
  { agreeing, tokens }: { readonly agreeing: number; readonly tokens: number },
): PlanNote {
  return {
    code: 'adapter/tokenizer',
    message: `the tokenizer in ${directory} is of another model (${agreeing} of ${tokens} tokens agree with the base's) and is left out`,
  };
}

function ownTokens({ more, renamed }: { readonly more: number; readonly renamed: number }): PlanNote {
  const what = [...(more > 0 ? [`${more} more`] : []), ...(renamed > 0 ? [`${renamed} other`] : [])].join(', ');
  return { code: 'check/tokenizer', message: `tokenizer: the adapter's own (${what})` };
}

function trained(own: TokenizerFiles, files: TokenizerFiles, notes: Notes): TokenizerFiles | undefined {
  try {
    const choice = chooseTokenizer(own, files);
    if (choice.kind === 'foreign') {
      notes.warnings.push(foreign(files.directory, choice));
    }
    if (choice.kind === 'trained') {
      notes.checks.push(ownTokens(choice));
      return choice.files;
    }
    return undefined;
  } catch (thrown) {
    notes.warnings.push(unreadable(files.directory, thrown));
    return undefined;
  }
}

function hasOtherTemplates(files: TokenizerFiles, own: TokenizerFiles): boolean {
  return chatTemplateEntries(files).length > 0 && !sameTemplates(files, own);
}

function sameTemplates(a: TokenizerFiles, b: TokenizerFiles): boolean {
  return JSON.stringify(chatTemplateEntries(a)) === JSON.stringify(chatTemplateEntries(b));
}

/** Tokenizer files with the chat templates of others. */
function withTemplates(
  tokenizer: TokenizerFiles,
  {
    directory,
    templateDirectory,
    tokenizerConfig,
    chatTemplate,
    chatTemplateJson,
    additionalTemplates,
  }: TokenizerFiles,
): TokenizerFiles {
  const config = { ...tokenizer.tokenizerConfig, chat_template: tokenizerConfig?.['chat_template'] ?? null };
  return {
    ...tokenizer,
    tokenizerConfig: config,
    chatTemplate,
    chatTemplateJson,
    additionalTemplates,
    templateDirectory: templateDirectory ?? directory,
  };
}
