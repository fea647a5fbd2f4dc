import * as z from 'zod/mini';
import { shortModelName, type ModelName } from './modelName';
import type { LibraryModel } from './registryManifest';

const tableSchema = z.object({
  source: z.object({ package: z.string(), version: z.string(), published: z.optional(z.string()) }),
  models: z.array(
    z.object({
      name: z.string(),
      template: z.string(),
      parameters: z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.array(z.string())])),
    }),
  ),
});

/** What comes with this product of Ollama's library: templates and parameters of well-known models, as they were. */
export interface BundledLibrary {
  /** `@huggingface/ollama-utils 0.0.18 of 2026-08-09`. */
  readonly source: string;
  readonly models: readonly LibraryModel[];
}

/** Reads the table that a build makes; undefined for anything else. */
export function readBundledLibrary(json: unknown): BundledLibrary | undefined {
  const parsed = tableSchema.safeParse(json);
  if (!parsed.success) {
    return undefined;
  }
  const { source, models } = parsed.data;
  return {
    source: `${source.package} ${source.version}${source.published === undefined ? '' : ` of ${source.published}`}`,
    models: models.map(({ name, template, parameters }) => ({ name, template, parameters, license: [], messages: [] })),
  };
}

/** The model of that name, or another tag of it: they share their template more often than not. Undefined for models that are not there. */
export function findBundled(
  library: BundledLibrary,
  name: ModelName,
): { readonly model: LibraryModel; readonly isSameTag: boolean } | undefined {
  const wanted = shortModelName(name).toLowerCase();
  const exact = library.models.find((model) => model.name.toLowerCase() === wanted);
  if (exact !== undefined) {
    return { model: exact, isSameTag: true };
  }
  const family = `${wanted.slice(0, wanted.lastIndexOf(':'))}:`;
  const others = library.models.filter((model) => model.name.toLowerCase().startsWith(family));
  const [first] = others;
  const other = others.find((model) => model.name.endsWith(':latest')) ?? first;
  return other === undefined ? undefined : { model: other, isSameTag: false };
}
