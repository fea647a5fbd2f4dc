import { readdir } from 'node:fs/promises';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { hubRepositoryFolder } from '../hub/hubSettings';

/** How far above the adapter its base is looked for. */
const LEVELS = 4;

/**
 * Where the base that an adapter names lies: the path itself, a folder of its name beside the adapter or above it, or
 * the Hugging Face cache. Undefined when it is in none of these places; nothing is fetched.
 */
export async function findBase(name: string | undefined, directory: string): Promise<string | undefined> {
  if (
    name === undefined ||
    name === '' ||
    name.includes('\0') ||
    /^(?:\\\\|\/\/)|^[a-z][a-z0-9+.-]+:\/\//i.test(name)
  ) {
    return undefined;
  }
  const last = basename(name.replaceAll('\\', '/'));
  const above = Array.from({ length: LEVELS }, (_, level) => resolve(directory, '../'.repeat(level + 1)));
  const candidates = [
    ...(isAbsolute(name) ? [name] : [directory, ...above].map((folder) => resolve(folder, name))),
    ...above.map((folder) => join(folder, last)),
    hubRepositoryFolder(name),
  ];
  for (const candidate of candidates) {
    if (await looksLikeModelFolder(candidate)) {
      return candidate;
    }
  }
  return undefined;
}

async function looksLikeModelFolder(path: string): Promise<boolean> {
  const names = await readdir(path).catch((): string[] => []);
  return names.includes('config.json') || (names.includes('snapshots') && names.includes('blobs'));
}
