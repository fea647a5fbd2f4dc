import * as z from 'zod/mini';
import { StudioError } from '../errors';
import { parseBlobDigest } from './blobDigest';

const layerSchema = z.object({
  mediaType: z.string(),
  digest: z.string(),
  size: z.number().check(z.int(), z.nonnegative()),
});
const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  config: layerSchema,
  layers: z.array(layerSchema).check(z.maxLength(4096)),
});
const configSchema = z.object({
  model_format: z.optional(z.string()),
  model_family: z.optional(z.string()),
  model_type: z.optional(z.string()),
  file_type: z.optional(z.string()),
  renderer: z.optional(z.string()),
  parser: z.optional(z.string()),
  requires: z.optional(z.string()),
});
const parametersSchema = z.record(
  z.string(),
  z.union([z.number(), z.string(), z.boolean(), z.array(z.string()), z.null()]),
);
const messagesSchema = z.array(z.object({ role: z.string(), content: z.optional(z.string()) }));

/** A blob that a manifest names; its digest is one, its size a number. */
export interface RegistryLayer {
  readonly mediaType: string;
  /** `sha256:` and 64 digits. */
  readonly digest: string;
  readonly bytes: number;
}

export interface RegistryManifest {
  readonly config: RegistryLayer;
  readonly layers: readonly RegistryLayer[];
}

/** `PARAMETER`s as the registry has them: lists for `stop`. */
export type LibraryParameters = Readonly<Record<string, number | string | boolean | readonly string[]>>;

/** What is known of a library model beside its weights. */
export interface LibraryModel {
  /** As lists print it: `qwen3:0.6b`. */
  readonly name: string;
  readonly template?: string | undefined;
  readonly system?: string | undefined;
  readonly parameters: LibraryParameters;
  readonly license: readonly string[];
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly renderer?: string | undefined;
  readonly parser?: string | undefined;
  readonly requires?: string | undefined;
  readonly family?: string | undefined;
  readonly size?: string | undefined;
  readonly quantisation?: string | undefined;
}

/** Blobs that are read; weights never are. */
export const LAYER_TYPES = {
  'application/vnd.ollama.image.template': 'template',
  'application/vnd.ollama.image.prompt': 'template',
  'application/vnd.ollama.image.system': 'system',
  'application/vnd.ollama.image.params': 'parameters',
  'application/vnd.ollama.image.license': 'license',
  'application/vnd.ollama.image.messages': 'messages',
} as const satisfies Record<string, string>;

/** Bytes that such a blob may have at most: a licence is the longest text of all. */
export const LAYER_LIMIT = 2 * 1024 * 1024;
export const MANIFEST_LIMIT = 4 * 1024 * 1024;

function protocol(what: string, why: string): StudioError {
  return new StudioError(
    'registry/protocol',
    `The registry's ${what} is not what a model has: ${why}. Check that the address is that of a registry of Ollama models.`,
  );
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw protocol(what, 'it is no JSON');
  }
}

/** Reads a manifest. Throws `registry/protocol` for anything else, a digest that is none included. */
export function readManifest(text: string): RegistryManifest {
  const parsed = manifestSchema.safeParse(parseJson(text, 'manifest'));
  if (!parsed.success) {
    throw protocol('manifest', parsed.error.issues[0]?.message ?? 'another shape');
  }
  const layer = ({ mediaType, digest, size }: z.infer<typeof layerSchema>): RegistryLayer => {
    const own = parseBlobDigest(digest);
    if (own === undefined) {
      throw protocol('manifest', 'a digest in it is none');
    }
    return { mediaType, digest: own, bytes: size };
  };
  return { config: layer(parsed.data.config), layers: parsed.data.layers.map(layer) };
}

/** The model behind a manifest. Throws `registry/protocol` where a text is not what its kind promises. */
export function readLibraryModel(
  name: string,
  manifest: RegistryManifest,
  blobs: ReadonlyMap<string, string>,
): LibraryModel {
  const texts = (kind: string): string[] =>
    manifest.layers.flatMap(({ mediaType, digest }) =>
      (LAYER_TYPES as Record<string, string>)[mediaType] === kind ? (blobs.get(digest) ?? []) : [],
    );
  const config = configSchema.safeParse(parseJson(blobs.get(manifest.config.digest) ?? '{}', 'configuration'));
  if (!config.success) {
    throw protocol('configuration', config.error.issues[0]?.message ?? 'another shape');
  }
  const { data } = config;
  const set = (text: string | undefined): string | undefined => (text === '' ? undefined : text);
  const parameters: LibraryParameters = {};
  for (const text of texts('parameters')) {
    Object.assign(parameters, readParameters(text));
  }
  return {
    name,
    template: texts('template').at(-1),
    system: texts('system').at(-1),
    parameters: parameters,
    license: texts('license'),
    messages: texts('messages').flatMap(readMessages),
    renderer: set(data.renderer),
    parser: set(data.parser),
    requires: set(data.requires),
    family: set(data.model_family),
    size: set(data.model_type),
    quantisation: set(data.file_type),
  };
}

function readParameters(text: string): LibraryParameters {
  const parsed = parametersSchema.safeParse(parseJson(text, 'parameters'));
  if (!parsed.success) {
    throw protocol('parameters', parsed.error.issues[0]?.message ?? 'another shape');
  }
  return Object.fromEntries(
    Object.entries(parsed.data).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const])),
  );
}

function readMessages(text: string): { readonly role: string; readonly content: string }[] {
  const parsed = messagesSchema.safeParse(parseJson(text, 'messages'));
  if (!parsed.success) {
    throw protocol('messages', parsed.error.issues[0]?.message ?? 'another shape');
  }
  return parsed.data.map(({ role, content = '' }) => ({ role, content }));
}
