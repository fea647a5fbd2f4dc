import { stat } from 'node:fs/promises';
import { StudioError } from '../../core/errors';
import { readGguf } from '../../core/formats/gguf/readGguf';
import type { GgufMetadata } from '../../core/formats/gguf/ggufTypes';
import type { HuggingFaceModel } from '../../core/formats/huggingface/huggingFaceModel';
import { LIMITS } from '../../core/limits';
import type { ChatFormat } from '../../core/chatTemplate/chatFormat';
import {
  chooseTemplate,
  type BaseLibraryModel,
  type TemplateCandidate,
  type TemplateChoice,
} from '../../core/chatTemplate/chooseTemplate';
import { chatFormatOfFolder, chatFormatOfGguf } from '../../core/chatTemplate/readChatFormat';
import { libraryNameOf } from '../../core/ollama/libraryNames';
import { adapterBaseNames, baseNames, folderBaseNames, ggufBaseNames } from '../inputs/baseNames';
import { bundledLibrary, libraryTemplate } from '../registry/bundledLibrary';
import { openFileSource, readError } from '../files/fileSource';
import { createJinjaRenderer } from './jinjaRenderer';
import { loadTokenizerFiles } from '../inputs/loadTokenizerFiles';
import { readModelJson } from '../inputs/readModelFile';

export interface ChooseTemplateForOptions {
  /** Folder of the running bundle, where `jinja.js` lies. */
  readonly bundleFolder: string;
  /** The adapter that is to be applied: a chat template in its folder wins, for that is the one it was trained with. */
  readonly adapter?: string | undefined;
  /** Templates of the library, asked for where the generated one is not the model's own; those that come with this product unless given. */
  readonly candidates?: (() => Promise<readonly TemplateCandidate[]>) | undefined;
  /** The library model that the base is; else parameters and stops of the one that its files name are taken from the table of this product. */
  readonly base?: BaseLibraryModel | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was read of a model already: its chat format, and the names that its files give for what it began from. */
export interface ChatSource {
  readonly format: ChatFormat;
  readonly baseNames: readonly string[];
}

/** The same of a folder whose files were read. */
export function chatSourceOfFolder({ tokenizer, config, generationConfig, readme }: HuggingFaceModel): ChatSource {
  return {
    format: chatFormatOfFolder({ tokenizer, config, generationConfig }),
    baseNames: folderBaseNames(config, readme),
  };
}

/** The same of a GGUF whose header was read. */
export function chatSourceOfGguf(metadata: GgufMetadata): ChatSource {
  return { format: chatFormatOfGguf(metadata), baseNames: ggufBaseNames(metadata) };
}

/**
 * Template, stops and parameters for a model: a Hugging Face folder or a GGUF, by its path or as it was read.
 * @throws StudioError input/missing, gguf/…, json/…, run/cancelled
 */
export async function chooseTemplateFor(
  model: string | ChatSource,
  options: ChooseTemplateForOptions,
): Promise<TemplateChoice> {
  const { signal } = options;
  const base = options.base ?? (await namedBase(model, options));
  const candidates = options.candidates ?? (() => bundledCandidates(options.bundleFolder));
  const own = typeof model === 'string' ? await readChatFormat(model, signal) : model.format;
  const trained = options.adapter === undefined ? undefined : await readAdapterFormat(options.adapter, own, signal);
  const choice = await chooseTemplate(trained ?? own, createJinjaRenderer(options.bundleFolder), {
    candidates,
    base,
    now: Date.now(),
    signal,
  });
  const differs = trained?.jinja !== undefined && trained.jinja !== own.jinja;
  return differs
    ? {
        ...choice,
        notes: [
          ...choice.notes,
          "The adapter's folder has a chat template of its own, which it was trained with; that one was taken, not the base's.",
        ],
      }
    : choice;
}

/** Parameters and stops of the library model whose weights the files say they began from; its template is not taken unseen. */
async function namedBase(
  source: string | ChatSource,
  { adapter, bundleFolder, signal }: ChooseTemplateForOptions,
): Promise<BaseLibraryModel | undefined> {
  const names =
    typeof source === 'string'
      ? await baseNames(source, adapter, signal)
      : [...(adapter === undefined ? [] : await adapterBaseNames(adapter, signal)), ...source.baseNames];
  for (const name of names) {
    const known = libraryNameOf(name);
    const model = known === undefined ? undefined : await libraryTemplate(bundleFolder, known);
    if (model !== undefined) {
      const { stop, ...rest } = model.parameters;
      return {
        model: model.name,
        stops: stop === undefined ? [] : [stop].flat().map(String),
        parameters: Object.fromEntries(
          Object.entries(rest).flatMap(([key, value]) => (typeof value === 'object' ? [] : [[key, value] as const])),
        ),
      };
    }
  }
  return undefined;
}

async function bundledCandidates(bundleFolder: string): Promise<readonly TemplateCandidate[]> {
  const models = (await bundledLibrary(bundleFolder))?.models ?? [];
  return models.flatMap(({ name, template }) => (template === undefined ? [] : [{ model: name, template }]));
}

/** What a Hugging Face folder or a GGUF says of its chat format. */
export async function readChatFormat(path: string, signal?: AbortSignal): Promise<ChatFormat> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw readError(path, cause);
  });
  return stats.isDirectory() ? await folderFormat(path, signal) : await ggufFormat(path, signal);
}

async function folderFormat(path: string, signal: AbortSignal | undefined): Promise<ChatFormat> {
  const small = { signal, limit: LIMITS.json.configBytes };
  return chatFormatOfFolder({
    tokenizer: await loadTokenizerFiles(path, { signal }),
    config: (await readModelJson(path, 'config.json', small)) ?? {},
    generationConfig: await readModelJson(path, 'generation_config.json', small).catch(() => undefined),
  });
}

async function ggufFormat(path: string, signal: AbortSignal | undefined): Promise<ChatFormat> {
  const source = await openFileSource(path, { signal });
  try {
    return chatFormatOfGguf((await readGguf(source, { signal, path })).metadata);
  } finally {
    await source.close();
  }
}

/** The base's format with the adapter's template; undefined where the adapter brings none. */
async function readAdapterFormat(
  adapter: string,
  own: ChatFormat,
  signal: AbortSignal | undefined,
): Promise<ChatFormat | undefined> {
  const stats = await stat(adapter).catch(() => undefined);
  if (stats?.isDirectory() !== true) {
    return undefined;
  }
  const theirs = await folderFormat(adapter, signal).catch((thrown: unknown) => {
    if (thrown instanceof StudioError && thrown.code === 'run/cancelled') {
      throw thrown;
    }
    return undefined;
  });
  if (theirs?.jinja === undefined) {
    return undefined;
  }
  const { jinja, toolJinja, specials } = theirs;
  const known = new Set(own.endTokens.map(({ text }) => text));
  return {
    ...own,
    jinja,
    toolJinja,
    specials: { ...own.specials, ...specials },
    endTokens: [...own.endTokens, ...theirs.endTokens.filter(({ text }) => !known.has(text))],
  };
}
