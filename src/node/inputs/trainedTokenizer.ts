import type { WeightedAdapter } from '../../core/engine/applyAdapters';
import { EMBEDDING } from '../../core/engine/applyAdapters';
import type { PlanNote } from '../../core/engine/buildPlan';
import type { GgufPart } from '../../core/engine/planQuantize';
import type { HuggingFaceModel, TokenizerFiles } from '../../core/formats/huggingface/huggingFaceModel';
import { chatTemplateEntries } from '../../core/formats/huggingface/tokenizer/chatTemplate';
import { loadTokenizerFiles } from './loadTokenizerFiles';

/** A base with the tokenizer and the chat template that its adapters were trained with. */
export interface TrainedBase<Base extends HuggingFaceModel> {
  readonly base: Base;
  /** What was taken from an adapter. */
  readonly checks: readonly PlanNote[];
}

/** The base as its adapters were trained: an adapter that brings a tokenizer or another chat template is right about it. */
export async function withTrainedTokenizer<Base extends HuggingFaceModel>(
  base: Base,
  adapters: readonly WeightedAdapter[],
  signal?: AbortSignal,
): Promise<TrainedBase<Base>> {
  const checks: PlanNote[] = [];
  let { tokenizer } = base;
  const rows = base.tensors.get(EMBEDDING)?.shape[0];
  for (const { adapter } of adapters) {
    const resized = adapter.parts.some(
      (part) =>
        (part.kind === 'base' || part.kind === 'replace') && part.target === EMBEDDING && part.source.shape[0] !== rows,
    );
    if (resized && adapter.hasTokenizer) {
      tokenizer = await loadTokenizerFiles(adapter.directory);
      break;
    }
  }
  const templates = await trainedTemplates(base.tokenizer, adapters, signal);
  if (templates !== undefined && !sameTemplates(templates, tokenizer)) {
    tokenizer = withTemplates(tokenizer, templates);
  }
  if (templates !== undefined) {
    checks.push(OWN_TEMPLATE);
  }
  return { base: { ...base, tokenizer }, checks };
}

/**
 * A GGUF with the chat template that its adapters were trained with, where that is another than its own; the tokenizer stays.
 */
export async function withTrainedTemplate(
  parts: readonly GgufPart[],
  adapters: readonly WeightedAdapter[],
  signal?: AbortSignal,
): Promise<{ readonly parts: readonly GgufPart[]; readonly checks: readonly PlanNote[] }> {
  const [first, ...rest] = parts;
  const own = first?.file.metadata.get('tokenizer.chat_template')?.value;
  for (const { adapter } of [...adapters].reverse()) {
    const files = adapter.format === 'gguf' ? undefined : await loadTokenizerFiles(adapter.directory, { signal });
    const entries = files === undefined ? [] : chatTemplateEntries(files);
    if (first !== undefined && entries.length > 0 && new Map(entries).get('tokenizer.chat_template')?.value !== own) {
      const kept = [...first.file.metadata].filter(([key]) => !/^tokenizer\.chat_templates?(?:\.|$)/.test(key));
      const metadata = new Map([...kept, ...entries]);
      return { parts: [{ ...first, file: { ...first.file, metadata } }, ...rest], checks: [OWN_TEMPLATE] };
    }
  }
  return { parts, checks: [] };
}

const OWN_TEMPLATE: PlanNote = { code: 'check/template', message: "chat template: the adapter's own" };

/** The files of the last adapter with another chat template than the base: the one that it was trained with. */
async function trainedTemplates(
  own: TokenizerFiles,
  adapters: readonly WeightedAdapter[],
  signal: AbortSignal | undefined,
): Promise<TokenizerFiles | undefined> {
  const folders = [...adapters].reverse().filter(({ adapter }) => adapter.format !== 'gguf');
  for (const { adapter } of folders) {
    const files = await loadTokenizerFiles(adapter.directory, { signal });
    if (chatTemplateEntries(files).length > 0 && !sameTemplates(files, own)) {
      return files;
    }
  }
  return undefined;
}

function sameTemplates(a: TokenizerFiles, b: TokenizerFiles): boolean {
  return JSON.stringify(chatTemplateEntries(a)) === JSON.stringify(chatTemplateEntries(b));
}

/** Tokenizer files with the chat templates of others. */
export function withTemplates(
  tokenizer: TokenizerFiles,
  { directory, tokenizerConfig, chatTemplate, chatTemplateJson, additionalTemplates }: TokenizerFiles,
): TokenizerFiles {
  const config = { ...tokenizer.tokenizerConfig, chat_template: tokenizerConfig?.['chat_template'] ?? null };
  return {
    ...tokenizer,
    tokenizerConfig: config,
    chatTemplate,
    chatTemplateJson,
    additionalTemplates,
    templateDirectory: directory,
  };
}
