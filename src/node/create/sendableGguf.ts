import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { GgufPart } from '../../core/engine/planQuantize';
import { StudioError } from '../../core/errors';
import { readGgufParts } from '../inputs/readGgufParts';

/**
 * Reads the headers of a GGUF that is to be sent as a model, all parts of a split one.
 * @throws StudioError gguf/…, input/missing for what no server could read; ollama/adapter for an adapter
 */
export async function readSendableGguf(path: string): Promise<readonly GgufPart[]> {
  const parts = await readGgufParts(path);
  if (parts[0]!.file.metadata.get('general.type')?.value === 'adapter') {
    throw new StudioError(
      'ollama/adapter',
      `${path} is an adapter, not a model. Name the model that it was trained on in FROM and this one in ADAPTER: the two are fused.`,
      { path },
    );
  }
  return parts;
}

/**
 * The GGUF files right in a folder, by name, each of which is sent when the folder is.
 * @throws StudioError as `readSendableGguf`, for the first that cannot be
 */
export async function requireSendableFolder(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder)).filter((name) => /\.gguf$/i.test(name)).sort();
  for (const name of names) {
    await readSendableGguf(join(folder, name));
  }
  return names;
}
