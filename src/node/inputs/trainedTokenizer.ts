import type { WeightedAdapter } from '../../core/engine/applyAdapters';
import { EMBEDDING } from '../../core/engine/applyAdapters';
import type { PlanNote } from '../../core/engine/buildPlan';
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
    checks.push({ code: 'check/template', message: "chat template: the adapter's own" });
  }
  return { base: { ...base, tokenizer }, checks };
}

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
