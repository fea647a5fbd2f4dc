// A model that Ollama has, read from the store of its server: its files, and what it says beside them.
import { createHash } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { OllamaClient } from '../ollama/ollamaClient';
import { StudioError } from '../../core/errors';
import { parseModelfile } from '../../core/modelfile/parseModelfile';
import { isJsonObject, type Json } from '../../core/json';
import { parseBlobDigest } from '../../core/ollama/blobDigest';
import { resolveOllamaAddress } from '../../core/ollama/ollamaAddress';
import { type ModelName, parseModelName, shortModelName } from '../../core/ollama/modelName';
import {
  LAYER_LIMIT,
  LAYER_TYPES,
  MANIFEST_LIMIT,
  readLibraryModel,
  type LibraryModel,
  type RegistryLayer,
  type RegistryManifest,
} from '../../core/ollama/registryManifest';
import { parseStrictJson } from '../../core/strictJson';

/** How a base that only Ollama has is written on the command line. */
export const OLLAMA_PREFIX = 'ollama:';

const LAYER = 'application/vnd.ollama.image.';

/** The files of an installed model on this machine, and its texts as they are stored. */
export interface InstalledModel {
  /** As lists print it. */
  readonly name: string;
  /** The GGUF of its weights; several for a split model, in the order of the manifest. */
  readonly models: readonly string[];
  /** GGUF adapters that the server attaches. */
  readonly adapters: readonly string[];
  readonly projectors: readonly string[];
  readonly drafts: readonly string[];
  /** SHA-256 of its manifest in hex, as lists print it; undefined where that is out of reach. */
  readonly digest?: string | undefined;
  /** Template, parameters and the rest; undefined where only the server's own words are within reach. */
  readonly content?: LibraryModel | undefined;
}

export interface ReadInstalledOptions {
  readonly signal?: AbortSignal | undefined;
  /** The server that has it; that of OLLAMA_HOST unless given. */
  readonly client?: OllamaClient | undefined;
  /** What that server lists as the digest of its manifest: a folder here may have another model of that name. */
  readonly digest?: string | undefined;
}

/**
 * Reads an installed model: from the models folder (`OLLAMA_MODELS`, the user's, the service's), else from where the server's `show` says that
 * its file lies.
 * @param text `ollama:NAME`
 * @throws StudioError ollama/model-name, ollama/model-missing, ollama/file where its files are out of reach, ollama/mlx where they are no GGUF
 */
export async function readInstalledModel(text: string, options: ReadInstalledOptions = {}): Promise<InstalledModel> {
  const given = text.slice(OLLAMA_PREFIX.length);
  const name = parseModelName(given);
  if (name === undefined) {
    throw new StudioError(
      'ollama/model-name',
      `${given} is no name of a model. Write the base as ollama:NAME or ollama:NAME:TAG, as \`ollama list\` shows it.`,
      { path: text },
    );
  }
  for (const folder of modelFolders()) {
    const found = await fromFolder(folder, name, text);
    if (found !== undefined && (options.digest === undefined || found.digest === plainDigest(options.digest))) {
      return found;
    }
  }
  return await fromServer(name, text, options);
}

/**
 * The GGUF files of an installed model without an adapter.
 * @throws StudioError ollama/… as `readInstalledModel`; ollama/file for a model with an adapter on top
 */
export async function installedModelFiles(text: string, signal?: AbortSignal): Promise<readonly string[]> {
  const { models, adapters, name } = await readInstalledModel(text, { signal });
  if (adapters.length > 0) {
    throw new StudioError(
      'ollama/file',
      `${name} is a base with an adapter on top, and its file is the base alone. create NEW --base ${name} makes one fused model of it; or give that base, and its adapter with --adapter.`,
      { path: text },
    );
  }
  return models;
}

/** What is stored as safetensors layers came in through MLX, and has no GGUF. */
export function mlxImportError(name: string, path: string): StudioError {
  return new StudioError(
    'ollama/mlx',
    `${name} was imported by MLX: Ollama keeps its weights as safetensors layers, and runs them on a Mac or where its MLX runtime is. There is no GGUF to fuse into or to quantise. Give the Hugging Face folder that it was made from with --base DIR.`,
    { path },
  );
}

function modelFolders(): string[] {
  const { OLLAMA_MODELS } = process.env;
  const usual = [join(homedir(), '.ollama', 'models'), '/usr/share/ollama/.ollama/models'];
  return OLLAMA_MODELS === undefined || OLLAMA_MODELS === '' ? usual : [OLLAMA_MODELS, ...usual];
}

/** Undefined where the folder has no such model, or cannot be read. */
async function fromFolder(folder: string, name: ModelName, text: string): Promise<InstalledModel | undefined> {
  const bytes = await manifestIn(folder, name);
  if (bytes === undefined) {
    return undefined;
  }
  const manifest = manifestOf(bytes, text);
  const shown = shortModelName(name);
  const files = (kind: string): string[] =>
    manifest.layers.filter(({ mediaType }) => mediaType === `${LAYER}${kind}`).map((layer) => blobPath(folder, layer));
  if (manifest.layers.some(({ mediaType }) => mediaType === `${LAYER}tensor`)) {
    throw mlxImportError(shown, text);
  }
  const models = files('model');
  if (models.length === 0) {
    throw new StudioError(
      'ollama/file',
      `${shown} has no model file of its own (a cloud model, or one of another form). Pull a model whose weights are here, or give a GGUF or a Hugging Face folder.`,
      { path: text },
    );
  }
  const [adapters, projectors, drafts] = [files('adapter'), files('projector'), files('draft')];
  for (const file of [...models, ...adapters, ...projectors, ...drafts]) {
    if (!(await isReadable(file))) {
      return undefined;
    }
  }
  const digest = createHash('sha256').update(bytes).digest('hex');
  const content = await contentOf(folder, shown, manifest);
  return { name: shown, models, adapters, projectors, drafts, digest, content };
}

async function manifestIn(folder: string, { host, namespace, model, tag }: ModelName): Promise<Uint8Array | undefined> {
  const path = join(folder, 'manifests', host, namespace, model, tag);
  const size = await stat(path).then(
    (stats) => (stats.isFile() ? stats.size : undefined),
    () => undefined,
  );
  return size === undefined || size > MANIFEST_LIMIT ? undefined : await readFile(path);
}

function manifestOf(bytes: Uint8Array, path: string): RegistryManifest {
  const manifest = parseStrictJson(bytes, { path });
  const field = (name: string): Json | undefined => (isJsonObject(manifest) ? manifest[name] : undefined);
  const listed = field('layers');
  return {
    config: layerOf(field('config')) ?? { mediaType: '', digest: '', bytes: 0 },
    layers: (Array.isArray(listed) ? (listed as readonly Json[]) : []).flatMap((layer) => layerOf(layer) ?? []),
  };
}

function plainDigest(digest: string): string {
  return digest.replace(/^sha256:/, '');
}

function layerOf(layer: Json | undefined): RegistryLayer | undefined {
  const [mediaType, digest] = isJsonObject(layer) ? [layer['mediaType'], layer['digest']] : [];
  const own = typeof digest === 'string' ? parseBlobDigest(digest) : undefined;
  return typeof mediaType === 'string' && own !== undefined ? { mediaType, digest: own, bytes: 0 } : undefined;
}

/** The small layers as texts. */
async function contentOf(folder: string, name: string, manifest: RegistryManifest): Promise<LibraryModel | undefined> {
  const blobs = new Map<string, string>();
  for (const layer of [manifest.config, ...manifest.layers]) {
    if (layer.digest === '') {
      continue;
    }
    if (layer === manifest.config || Object.hasOwn(LAYER_TYPES, layer.mediaType)) {
      const text = await smallBlob(blobPath(folder, layer));
      if (text === undefined) {
        return undefined;
      }
      blobs.set(layer.digest, text);
    }
  }
  return readLibraryModel(name, manifest, blobs);
}

async function smallBlob(path: string): Promise<string | undefined> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) {
    return undefined;
  }
  try {
    const { size } = await file.stat();
    return size > LAYER_LIMIT ? undefined : await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function blobPath(folder: string, { digest }: RegistryLayer): string {
  return join(folder, 'blobs', digest.replace(':', '-'));
}

async function isReadable(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
}

/** The Modelfile that a server shows names its blobs by their paths on the server's machine. */
async function fromServer(
  name: ModelName,
  text: string,
  { client: given, digest, signal }: ReadInstalledOptions,
): Promise<InstalledModel> {
  const shown = shortModelName(name);
  const { OllamaClient } = await import('../ollama/ollamaClient');
  const client = given ?? new OllamaClient(resolveOllamaAddress({ environment: process.env['OLLAMA_HOST'] }));
  const { address } = client;
  const { modelfile, format } = await client
    .show(shown, { ...(signal === undefined ? {} : { signal }) })
    .catch((thrown: unknown) => {
      if (
        thrown instanceof StudioError &&
        (thrown.code === 'ollama/not-running' || thrown.code === 'ollama/not-installed')
      ) {
        throw new StudioError(
          'ollama/model-missing',
          `${shown} is in none of the folders in which Ollama keeps models, and no server answers that could say where it is. Start Ollama, set OLLAMA_MODELS to its models folder, or pull the model.`,
          { path: text, cause: thrown },
        );
      }
      throw thrown;
    });
  if (format === 'safetensors') {
    throw mlxImportError(shown, text);
  }
  const named = (command: string): string[] =>
    parseModelfile(modelfile).instructions.flatMap((instruction) =>
      instruction.command?.name === command ? [instruction.command.args] : [],
    );
  const [models, adapters, drafts] = [named('model'), named('adapter'), named('draft')];
  const [first] = models;
  if (first !== undefined && address.isLoopback && (await isReadable(first))) {
    // Its store is around the file, and has the rest as it was given.
    const stored =
      basename(dirname(first)) === 'blobs' ? await fromFolder(dirname(dirname(first)), name, text) : undefined;
    if (stored !== undefined && (digest === undefined || stored.digest === plainDigest(digest))) {
      return stored;
    }
    if (digest === undefined) {
      return { name: shown, models, adapters, projectors: [], drafts };
    }
  }
  throw new StudioError(
    'ollama/file',
    `${shown} is on the Ollama server (${address.host}), but its file is out of reach from here${first === undefined ? '' : ` (${first})`}. Run this where the server runs, or give its models folder in OLLAMA_MODELS.`,
    { path: text },
  );
}
