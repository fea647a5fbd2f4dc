// What the Modelfile of a new model takes over from its base beside the weights.
import type { BaseLibraryModel, TemplateChoice } from '../../core/chatTemplate/chooseTemplate';
import { droppedParameters, keptParameters } from '../../core/modelfile/inheritedCommands';
import type { OllamaProfile } from '../../core/ollama/ollamaProfile';
import type { LibraryModel } from '../../core/ollama/registryManifest';
import type { RouteFacts } from '../../core/routes/routeFacts';
import { StudioError, throwIfAborted } from '../../core/errors';
import type { BuildInputs } from '../inputs/loadBuildInputs';
import { ggufLicences, readLicences } from '../inputs/readLicences';
import {
  chatSourceOfFolder,
  chatSourceOfGguf,
  chooseTemplateFor,
  readChatFormat,
  type ChatSource,
} from '../jinja/chooseTemplate';
import type { OllamaClient } from '../ollama/ollamaClient';
import { lookUpModel } from '../registry/libraryLookup';
import type { GatheredFacts } from './routeFacts';

/** What a Modelfile takes over beside the weights. */
export interface Inherited {
  /** Template and stops; undefined where a server hands on those of the installed base. */
  readonly choice: TemplateChoice | undefined;
  /** Of an installed base whose file alone is used: what else it says. */
  readonly content?:
    | {
        readonly system: string | undefined;
        readonly requires: string | undefined;
        readonly messages: LibraryModel['messages'];
        readonly parameters: Readonly<Record<string, number | boolean | string>>;
      }
    | undefined;
  readonly licences: readonly string[];
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

interface InheritOptions {
  readonly gathered: GatheredFacts;
  readonly base: string;
  readonly library: string | undefined;
  /** A file is made of the base; else a Modelfile names it, and a server hands on what an installed one has. */
  readonly isBuilt: boolean;
  /** The Ollama that takes the model. */
  readonly profile: OllamaProfile;
  readonly client: OllamaClient;
  readonly bundleFolder: string;
  readonly signal: AbortSignal;
}

/**
 * Template and stops chosen from a folder or a GGUF; what is fused into an installed model keeps that one's own, word for word.
 * @throws StudioError what reading the inputs and looking models up throws
 */
export async function inherit(options: InheritOptions): Promise<Inherited> {
  const { gathered, library, isBuilt, profile, client, bundleFolder, signal } = options;
  const { facts, inputs, installedModel } = gathered;
  if ((facts.base.kind === 'installed' && !isBuilt) || inputs === undefined) {
    return { choice: undefined, licences: [], warnings: [] };
  }
  const source = chatSourceOf(inputs);
  const templateFrom = await ownTemplate(source, facts, signal);
  if (facts.base.kind === 'installed') {
    const model =
      installedModel?.content ?? (await lookUp(options.base, { client, offline: true, bundleFolder, signal }));
    const choice = await chooseTemplateFor(source, {
      bundleFolder,
      base: libraryBase(model, profile),
      signal,
      adapter: templateFrom,
    });
    return keepOwn(model, templateFrom === undefined ? keptChoice(choice, model) : choice, {
      isSplit: (installedModel?.models.length ?? 1) > 1,
      hasDraft: (installedModel?.drafts.length ?? 0) > 0,
      profile,
    });
  }
  const model =
    library === undefined ? undefined : await lookUp(library, { client, offline: false, bundleFolder, signal });
  const base = model === undefined ? undefined : libraryBase(model, profile);
  const choice = await chooseTemplateFor(source, { bundleFolder, base, signal, adapter: templateFrom });
  return {
    choice,
    licences: await licencesOf(inputs, signal),
    warnings: model === undefined ? [] : droppedParameters(model, profile),
  };
}

async function lookUp(
  name: string,
  {
    client,
    ...options
  }: {
    readonly client: OllamaClient;
    readonly offline: boolean;
    readonly bundleFolder: string;
    readonly signal: AbortSignal;
  },
): Promise<LibraryModel> {
  return (await lookUpModel(name, { ollama: client, ...options })).model;
}

function chatSourceOf({ base }: BuildInputs): ChatSource {
  return base.kind === 'folder' ? chatSourceOfFolder(base.model) : chatSourceOfGguf(base.parts[0]!.file.metadata);
}

async function licencesOf({ base }: BuildInputs, signal: AbortSignal): Promise<readonly string[]> {
  if (base.kind === 'folder') {
    return await readLicences(base.directory, { card: base.model.readme, signal });
  }
  return base.parts[0] === undefined ? [] : ggufLicences(base.parts[0].file);
}

/** The folder of the last adapter that has another chat template than the base: the one that it was trained with, and so the right one. */
async function ownTemplate(
  { format }: ChatSource,
  facts: RouteFacts,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const { directory, format: kind } of [...facts.adapters].reverse()) {
    const trained = kind === 'gguf' ? undefined : await trainedTemplate(directory, signal);
    if (trained !== undefined && trained !== format.jinja) {
      return directory;
    }
  }
  return undefined;
}

/** Undefined for a folder without a readable tokenizer of its own: most adapters have none. */
async function trainedTemplate(directory: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    return (await readChatFormat(directory, signal)).jinja;
  } catch (thrown) {
    throwIfAborted(signal);
    if (thrown instanceof StudioError && thrown.code !== 'internal/unexpected') {
      return undefined;
    }
    throw thrown;
  }
}

/** A library model as what the Modelfile of a model made from it takes over. */
function libraryBase(model: LibraryModel, profile: OllamaProfile): BaseLibraryModel {
  const { name, template, renderer, parser, license } = model;
  return {
    model: name,
    renderer,
    parser,
    license,
    ...(template === undefined ? {} : { template }),
    stops: stopsOf(model),
    parameters: scalarsOf(model, profile),
  };
}

function stopsOf({ parameters: { stop } }: LibraryModel): string[] {
  return stop === undefined ? [] : [stop].flat().map(String);
}

function scalarsOf({ parameters }: LibraryModel, profile: OllamaProfile): Record<string, number | boolean | string> {
  return Object.fromEntries(
    keptParameters(parameters, profile).flatMap(([key, value]) =>
      key === 'stop' || typeof value === 'object' ? [] : [[key, value] as const],
    ),
  );
}

/** The installed model's own template and stops, whatever another choice would have been. */
function keptChoice(choice: TemplateChoice, model: LibraryModel): TemplateChoice {
  const isOwn = choice.origin === 'base' && choice.template === model.template;
  return {
    ...choice,
    template: model.template,
    origin: model.template === undefined ? 'none' : 'base',
    model: model.name,
    exact: model.template === undefined || (isOwn && choice.exact),
    exactButTrim: model.template === undefined || (isOwn && choice.exactButTrim),
    comparison: isOwn ? choice.comparison : undefined,
    notes:
      isOwn || model.template === undefined ? choice.notes.filter((note) => isOwn || !/no TEMPLATE/.test(note)) : [],
    stops: stopsOf(model).map((text) => ({ text, reason: `as ${model.name} has it` })),
    parameters: [],
    renderer: model.renderer,
    parser: model.parser,
    license: model.license,
  };
}

function keepOwn(
  model: LibraryModel,
  choice: TemplateChoice,
  {
    isSplit,
    hasDraft,
    profile,
  }: { readonly isSplit: boolean; readonly hasDraft: boolean; readonly profile: OllamaProfile },
): Inherited {
  return {
    choice,
    content: {
      system: model.system,
      // What a server asks for split weights does not hold for the one file that they become.
      requires: isSplit ? undefined : model.requires,
      messages: model.messages,
      parameters: scalarsOf(model, profile),
    },
    licences: [],
    warnings: [
      ...droppedParameters(model, profile),
      ...(hasDraft
        ? [
            {
              code: 'ollama/draft',
              message: `the DRAFT of ${model.name} belongs to its weights as they were, and is left out`,
            },
          ]
        : []),
    ],
  };
}
