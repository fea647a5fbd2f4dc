import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { StudioError } from '../../core/errors';
import { isJsonObject, type Json } from '../../core/json';
import { parseModelfile } from '../../core/modelfile/parseModelfile';
import { parseBlobDigest } from '../../core/ollama/blobDigest';
import { resolveOllamaAddress } from '../../core/ollama/ollamaAddress';
import { type ModelName, parseModelName, shortModelName } from '../../core/ollama/modelName';
import { parseStrictJson } from '../../core/strictJson';

/** How a base that only Ollama has is written on the command line. */
export const OLLAMA_PREFIX = 'ollama:';

const MODEL_LAYER = 'application/vnd.ollama.image.model';
const ADAPTER_LAYER = 'application/vnd.ollama.image.adapter';
/** A manifest lists some layers; nothing real comes near this. */
const MANIFEST_BYTES = 1024 * 1024;

/**
 * The GGUF of a model that Ollama has, as a file of this machine: from the models folder (`OLLAMA_MODELS`, the user's,
 * the service's), else from where the server's `show` says that it lies.
 * @param text `ollama:NAME`
 * @throws StudioError ollama/model-name, ollama/model-missing, ollama/file where the file is out of reach
 */
export async function installedModelFile(text: string, signal?: AbortSignal): Promise<string> {
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
    if (found !== undefined) {
      return found;
    }
  }
  return await fromServer(name, text, signal);
}

function modelFolders(): string[] {
  const { OLLAMA_MODELS } = process.env;
  const usual = [join(homedir(), '.ollama', 'models'), '/usr/share/ollama/.ollama/models'];
  return OLLAMA_MODELS === undefined || OLLAMA_MODELS === '' ? usual : [OLLAMA_MODELS, ...usual];
}

/** Undefined where the folder has no such model, or cannot be read. */
async function fromFolder(folder: string, name: ModelName, text: string): Promise<string | undefined> {
  const path = join(folder, 'manifests', name.host, name.namespace, name.model, name.tag);
  const size = await stat(path).then(
    (stats) => (stats.isFile() ? stats.size : undefined),
    () => undefined,
  );
  if (size === undefined || size > MANIFEST_BYTES) {
    return undefined;
  }
  const layers = layersOf(parseStrictJson(await readFile(path), { path }));
  if (layers.some(({ mediaType }) => mediaType === ADAPTER_LAYER)) {
    throw new StudioError(
      'ollama/file',
      `${shortModelName(name)} is a base with an adapter on top, and its file is the base alone. Give that base, and its adapter with --adapter.`,
      { path: text },
    );
  }
  const models = layers.filter(({ mediaType }) => mediaType === MODEL_LAYER);
  const digest = parseBlobDigest(models[0]?.digest ?? '');
  if (digest === undefined) {
    throw new StudioError(
      'ollama/file',
      `${shortModelName(name)} has no model file of its own (a cloud model, or one of another form). Pull a model whose weights are here, or give a GGUF or a Hugging Face folder.`,
      { path: text },
    );
  }
  const blob = join(folder, 'blobs', digest.replace(':', '-'));
  return (await isReadable(blob)) ? blob : undefined;
}

function layersOf(manifest: Json): readonly { readonly mediaType: string; readonly digest: string }[] {
  const layers = isJsonObject(manifest) ? manifest['layers'] : undefined;
  return (Array.isArray(layers) ? (layers as readonly Json[]) : []).flatMap((layer) => {
    const mediaType = isJsonObject(layer) ? layer['mediaType'] : undefined;
    const digest = isJsonObject(layer) ? layer['digest'] : undefined;
    return typeof mediaType === 'string' && typeof digest === 'string' ? [{ mediaType, digest }] : [];
  });
}

async function isReadable(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
}

/** The Modelfile that a server shows names the blob by its path on the server's machine. */
async function fromServer(name: ModelName, text: string, signal: AbortSignal | undefined): Promise<string> {
  const shown = shortModelName(name);
  const address = resolveOllamaAddress({ environment: process.env['OLLAMA_HOST'] });
  const { OllamaClient } = await import('../ollama/ollamaClient');
  const { modelfile } = await new OllamaClient(address)
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
  const from = parseModelfile(modelfile).instructions.find(({ command }) => command?.name === 'model')?.command?.args;
  if (from !== undefined && address.isLoopback && (await isReadable(from))) {
    return from;
  }
  throw new StudioError(
    'ollama/file',
    `${shown} is on the Ollama server (${address.host}), but its file is out of reach from here${from === undefined ? '' : ` (${from})`}. Run this where the server runs, or give its models folder in OLLAMA_MODELS.`,
    { path: text },
  );
}
