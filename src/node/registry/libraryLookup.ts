import { StudioError, toStudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { findBundled } from '../../core/ollama/bundledLibrary';
import { didYouMean } from '../../core/modelfile/didYouMean';
import { parseModelfile } from '../../core/modelfile/parseModelfile';
import { parseModelName, shortModelName, type ModelName } from '../../core/ollama/modelName';
import type { ModelDescription } from '../../core/ollama/ollamaModels';
import { registryFor } from '../../core/ollama/registryAddress';
import type { LibraryModel, LibraryParameters } from '../../core/ollama/registryManifest';
import { bundledLibrary } from './bundledLibrary';
import type { OllamaClient } from '../ollama/ollamaClient';
import { userCacheFolder } from '../files/userCacheFolder';
import { RegistryCache } from './registryCache';
import { RegistryClient } from './registryClient';
import type { RegistryTimeouts } from './registryTransport';

export interface LookupOptions {
  /** Asked first, for a model that is installed; undefined: not asked. */
  readonly ollama?: OllamaClient | undefined;
  /** No registry is asked. */
  readonly offline?: boolean | undefined;
  /** A registry other than Ollama's that the user named. */
  readonly registry?: string | undefined;
  /** Folder of the running bundle, where `library.json` lies. */
  readonly bundleFolder: string;
  /** Where answers are kept; the user's cache folder unless given. */
  readonly cacheFolder?: string | undefined;
  readonly timeouts?: RegistryTimeouts | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Where an answer came from. */
export type LookupSource = 'installed' | 'registry' | 'remembered' | 'bundled';

export interface LookedUpModel {
  readonly model: LibraryModel;
  readonly source: LookupSource;
  /** The same for people, with what was tried in vain. */
  readonly sourceNote: string;
}

/**
 * Template, parameters and the rest of a model by its name: from the running Ollama if it has the model, else from the registry, else
 * from the registry's last answer, else from the table that comes with this product. The note says which, and from when.
 * @throws StudioError ollama/model-name, registry/…, run/cancelled
 */
export async function lookUpModel(text: string, options: LookupOptions): Promise<LookedUpModel> {
  const name = parseModelName(text);
  if (name === undefined) {
    throw new StudioError(
      'ollama/model-name',
      `${escapeControls(text)} is no name for a model. A name is [host/][namespace/]model[:tag], for example qwen3:0.6b.`,
    );
  }
  const installed = options.registry === undefined ? await fromOllama(name, options) : undefined;
  if (installed !== undefined) {
    return installed;
  }
  const client = new RegistryClient({
    allowed: options.registry,
    cache: new RegistryCache(options.cacheFolder ?? userCacheFolder()),
    timeouts: options.timeouts,
  });
  const failure = options.offline === true ? undefined : await fromRegistry(client, name, options);
  if (failure !== undefined && 'model' in failure) {
    return failure;
  }
  const why = failure === undefined ? 'Offline, as asked' : `The registry could not be asked (${failure.reason.code})`;
  const remembered = await client.remembered(name);
  if (remembered?.cachedAt !== undefined) {
    const note = `${why}: the last answer of ${remembered.registry}, from ${day(remembered.cachedAt)}.`;
    return { model: remembered.model, source: 'remembered', sourceNote: note };
  }
  const bundled = options.registry === undefined ? await fromTable(name, options.bundleFolder, why) : undefined;
  if (bundled !== undefined) {
    return bundled;
  }
  throw (
    failure?.reason ??
    new StudioError(
      'registry/missing',
      `${escapeControls(shortModelName(name))} is not known offline: it is neither installed nor in the table of this product, and its registry was never asked. Leave --offline out.`,
    )
  );
}

async function fromOllama(name: ModelName, { ollama, signal }: LookupOptions): Promise<LookedUpModel | undefined> {
  if (ollama === undefined) {
    return undefined;
  }
  try {
    const description = await ollama.show(shortModelName(name), { signal });
    return {
      model: ofDescription(shortModelName(name), description),
      source: 'installed',
      sourceNote: 'As Ollama has it on this server.',
    };
  } catch (thrown) {
    const error = toStudioError(thrown);
    if (error.code === 'run/cancelled' || error.code === 'internal/unexpected') {
      throw error;
    }
    // Not running, not there, or no Ollama: the registry knows as well.
    return undefined;
  }
}

async function fromRegistry(
  client: RegistryClient,
  name: ModelName,
  { registry, bundleFolder, signal }: LookupOptions,
): Promise<LookedUpModel | { readonly reason: StudioError }> {
  try {
    const answer = await client.model(name, signal);
    return { model: answer.model, source: 'registry', sourceNote: `From ${answer.registry}, now.` };
  } catch (thrown) {
    const error = toStudioError(thrown);
    if (error.code === 'registry/missing') {
      throw registry === undefined ? await withSuggestion(error, name, bundleFolder) : error;
    }
    // Only a registry that cannot be asked is worked around: a wrong answer, a refusal or a forbidden host is told.
    if (error.code !== 'registry/unreachable') {
      throw error;
    }
    return { reason: error };
  }
}

async function withSuggestion(error: StudioError, name: ModelName, bundleFolder: string): Promise<StudioError> {
  const names = [
    ...new Set((await bundledLibrary(bundleFolder))?.models.map((model) => model.name.split(':')[0] ?? '') ?? []),
  ];
  const near = didYouMean(name.model, names);
  return near === undefined || near === name.model
    ? error
    : new StudioError(error.code, `${error.message} Did you mean ${near}?`, { detail: error.detail, cause: error });
}

async function fromTable(name: ModelName, bundleFolder: string, why: string): Promise<LookedUpModel | undefined> {
  registryFor(name);
  const library = await bundledLibrary(bundleFolder);
  const found = library === undefined ? undefined : findBundled(library, name);
  if (library === undefined || found === undefined) {
    return undefined;
  }
  const other = found.isSameTag
    ? ''
    : ` It has ${found.model.name} only; tags of one model share their template more often than not.`;
  return {
    model: found.model,
    source: 'bundled',
    sourceNote: `${why}: from the table that comes with this product (${library.source}), which may be out of date.${other}`,
  };
}

function day(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

/** What a server says of an installed model, in the registry's form. */
function ofDescription(name: string, description: ModelDescription): LibraryModel {
  const { template, system, licence, renderer, parser, requires, family, messages } = description;
  return {
    name,
    template,
    system,
    renderer,
    parser,
    requires,
    family,
    parameters: parametersOf(description.modelfile),
    license: licence === undefined ? [] : [licence],
    messages,
    size: description.parameterSize,
    quantisation: description.quantisation,
  };
}

/** The PARAMETER lines of the Modelfile that a server gives: the one form that is the same in all versions. */
function parametersOf(modelfile: string): LibraryParameters {
  const found: Record<string, number | string | boolean | string[]> = {};
  for (const { keyword, command } of parseModelfile(modelfile).instructions) {
    if (keyword !== 'PARAMETER' || command === undefined) {
      continue;
    }
    if (command.name === 'stop') {
      found['stop'] = [...((found['stop'] as string[] | undefined) ?? []), command.args];
    } else {
      found[command.name] = scalar(command.args);
    }
  }
  return found;
}

function scalar(text: string): number | boolean | string {
  return /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text)
    ? Number(text)
    : text === 'true'
      ? true
      : text === 'false'
        ? false
        : text;
}
