import { StudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { shortModelName, type ModelName } from '../../core/ollama/modelName';
import { registryFor, type RegistryAddress } from '../../core/ollama/registryAddress';
import {
  LAYER_LIMIT,
  LAYER_TYPES,
  MANIFEST_LIMIT,
  readLibraryModel,
  readManifest,
  type LibraryModel,
  type RegistryLayer,
  type RegistryManifest,
} from '../../core/ollama/registryManifest';
import type { RegistryCache } from './registryCache';
import { fetchText, REGISTRY_TIMEOUTS, type RegistryTimeouts } from './registryTransport';

export interface RegistryOptions {
  /** A registry other than Ollama's that the user allowed by naming it. */
  readonly allowed?: string | undefined;
  readonly cache?: RegistryCache | undefined;
  readonly timeouts?: RegistryTimeouts | undefined;
}

/** An answer, and when the registry gave it where it was not now. */
export interface RegistryAnswer {
  readonly model: LibraryModel;
  readonly registry: string;
  /** Milliseconds; undefined: the registry was asked now. */
  readonly cachedAt?: number | undefined;
}

const ACCEPT = 'application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json';
/** Template, system, parameters, licences, messages: no model has more texts than this. */
const MAX_TEXTS = 32;

/** Looks models up in a registry of Ollama models (Docker's registry protocol, version 2): everything but the weights. */
export class RegistryClient {
  constructor(private readonly options: RegistryOptions = {}) {}

  /**
   * What the registry says of a model now. Every text is checked against its digest.
   * @throws StudioError registry/host, registry/missing, registry/refused, registry/unreachable, registry/protocol, registry/digest, run/cancelled
   */
  async model(name: ModelName, signal?: AbortSignal): Promise<RegistryAnswer> {
    const registry = registryFor(name, this.options.allowed);
    const { text } = await fetchText({
      registry,
      path: `${base(name)}/manifests/${encodeURIComponent(name.tag)}`,
      what: `manifest of ${shown(name)}`,
      accept: ACCEPT,
      limit: MANIFEST_LIMIT,
      timeouts: this.timeouts,
      signal,
    });
    const manifest = readManifest(text);
    const model = await this.read(name, manifest, (layer) => this.blob(registry, name, layer, signal));
    await this.options.cache?.keepManifest(registry.host, name, text);
    return { model, registry: registry.host };
  }

  /**
   * The registry's last answer, from the disk; undefined where there is none that is whole.
   * @throws StudioError registry/host
   */
  async remembered(name: ModelName): Promise<RegistryAnswer | undefined> {
    const { cache } = this.options;
    const registry = registryFor(name, this.options.allowed);
    const known = await cache?.manifest(registry.host, name);
    if (cache === undefined || known === undefined) {
      return undefined;
    }
    try {
      const model = await this.read(name, readManifest(known.text), async ({ digest }) => {
        const text = await cache.blob(digest);
        if (text === undefined) {
          throw new StudioError('registry/missing', 'A part of the remembered answer is gone.');
        }
        return text;
      });
      return { model, registry: registry.host, cachedAt: known.fetchedAt };
    } catch {
      // A remembered answer that is damaged is no answer.
      return undefined;
    }
  }

  private get timeouts(): RegistryTimeouts {
    return this.options.timeouts ?? REGISTRY_TIMEOUTS;
  }

  private async read(
    name: ModelName,
    manifest: RegistryManifest,
    fetch: (layer: RegistryLayer) => Promise<string>,
  ): Promise<LibraryModel> {
    const texts = [manifest.config, ...manifest.layers.filter(({ mediaType }) => mediaType in LAYER_TYPES)];
    if (texts.length > MAX_TEXTS) {
      throw new StudioError(
        'registry/protocol',
        `The manifest of ${shown(name)} names ${texts.length} texts, more than the ${MAX_TEXTS} that a model has. Check the address of the registry.`,
      );
    }
    const blobs = new Map<string, string>();
    for (const layer of texts) {
      blobs.set(layer.digest, blobs.get(layer.digest) ?? (await fetch(layer)));
    }
    return readLibraryModel(shortModelName(name), manifest, blobs);
  }

  private async blob(
    registry: RegistryAddress,
    name: ModelName,
    layer: RegistryLayer,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const known = await this.options.cache?.blob(layer.digest);
    if (known !== undefined) {
      return known;
    }
    if (layer.bytes > LAYER_LIMIT) {
      throw new StudioError(
        'registry/protocol',
        `A text of ${shown(name)} (${escapeControls(layer.mediaType)}) has ${layer.bytes} bytes, more than the ${LAYER_LIMIT} that are looked at. Pull the model with Ollama and look it up there.`,
      );
    }
    const { text, bytes } = await fetchText({
      registry,
      path: `${base(name)}/blobs/${layer.digest}`,
      what: `${kindOf(layer)} of ${shown(name)}`,
      accept: '*/*',
      limit: LAYER_LIMIT,
      digest: layer.digest,
      timeouts: this.timeouts,
      signal,
    });
    await this.options.cache?.keepBlob(layer.digest, bytes);
    return text;
  }
}

function kindOf({ mediaType }: RegistryLayer): string {
  return (LAYER_TYPES as Record<string, string>)[mediaType] ?? 'configuration';
}

function base({ namespace, model }: ModelName): string {
  return `/v2/${encodeURIComponent(namespace)}/${encodeURIComponent(model)}`;
}

function shown(name: ModelName): string {
  return escapeControls(shortModelName(name));
}
