import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readBundledLibrary, findBundled, type BundledLibrary } from '../../core/ollama/bundledLibrary';
import { parseModelName } from '../../core/ollama/modelName';
import type { LibraryModel } from '../../core/ollama/registryManifest';

const known = new Map<string, Promise<BundledLibrary | undefined>>();

/** The table beside the bundles; undefined where a build left it out. Read once. */
export function bundledLibrary(bundleFolder: string): Promise<BundledLibrary | undefined> {
  const library = known.get(bundleFolder) ?? load(join(bundleFolder, 'library.json'));
  known.set(bundleFolder, library);
  return library;
}

async function load(path: string): Promise<BundledLibrary | undefined> {
  try {
    return readBundledLibrary(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** A library model as this product knows it without a network; undefined where it does not. */
export async function libraryTemplate(bundleFolder: string, name: string): Promise<LibraryModel | undefined> {
  const library = await bundledLibrary(bundleFolder);
  const parsed = parseModelName(name);
  return library === undefined || parsed === undefined ? undefined : findBundled(library, parsed)?.model;
}

/** Names of library models for completion, with tags. */
export async function libraryModelNames(bundleFolder: string): Promise<readonly string[]> {
  return (await bundledLibrary(bundleFolder))?.models.map(({ name }) => name) ?? [];
}
