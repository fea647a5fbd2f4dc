import { basename, dirname, join } from 'node:path';
import type { GgufPart } from '../../core/engine/planQuantize';
import { StudioError, toStudioError } from '../../core/errors';
import { readGguf } from '../../core/formats/gguf/readGguf';
import { openFileSource } from '../files/fileSource';

/** Names of the parts of a split model, as llama.cpp's gguf-split writes them. */
const SPLIT_NAME = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i;
const MAX_PARTS = 1000;

/**
 * Reads a GGUF's header, or those of all parts of a split model, whichever part was named.
 * @throws StudioError gguf/…, input/missing for a part that is not there
 */
export async function readGgufParts(path: string): Promise<GgufPart[]> {
  const named = await readPart(path);
  const count = named.file.metadata.get('split.count');
  const total = count !== undefined && typeof count.value === 'number' ? count.value : 1;
  if (total <= 1) {
    return [named];
  }
  const found = SPLIT_NAME.exec(basename(path));
  if (found === null || Number(found[3]) !== total || total > MAX_PARTS) {
    throw new StudioError(
      'input/missing',
      `${path} is one of ${total} parts of a split model, and its name does not tell the others' (NAME-00001-of-${String(total).padStart(5, '0')}.gguf). Give the parts their names back.`,
      { path },
    );
  }
  const parts: GgufPart[] = [];
  for (let part = 1; part <= total; part++) {
    const name = `${found[1]!}-${String(part).padStart(5, '0')}-of-${found[3]!}.gguf`;
    parts.push(await readPart(join(dirname(path), name)));
  }
  return parts;
}

/**
 * Reads the files of a model whose names say nothing of their order, as Ollama's store has them; the parts of a split model are put in order.
 * @throws StudioError gguf/…, gguf/metadata where parts are missing or belong to no split model
 */
export async function readGgufFiles(paths: readonly string[]): Promise<GgufPart[]> {
  const parts: GgufPart[] = [];
  for (const path of paths) {
    parts.push(await readPart(path));
  }
  const [first] = parts;
  const total = Math.max(1, first === undefined ? 0 : splitNumber(first, 'split.count'));
  const ordered = [...parts].sort((a, b) => splitNumber(a, 'split.no') - splitNumber(b, 'split.no'));
  if (total !== parts.length || ordered.some((part, index) => splitNumber(part, 'split.no') !== index)) {
    throw new StudioError(
      'gguf/metadata',
      `${first?.path ?? 'The model'} is one of ${total} parts of a split model, and ${parts.length === 1 ? 'it is alone' : `these are ${parts.length} files that are not those parts`}. Get the model again.`,
      first === undefined ? {} : { path: first.path },
    );
  }
  return ordered;
}

function splitNumber({ file }: GgufPart, key: 'split.no' | 'split.count'): number {
  const value = file.metadata.get(key)?.value;
  return typeof value === 'number' ? value : 0;
}

async function readPart(path: string): Promise<GgufPart> {
  const source = await openFileSource(path);
  try {
    return { path, file: await readGguf(source, { path }) };
  } catch (thrown) {
    throw toStudioError(thrown).at(path);
  } finally {
    await source.close();
  }
}
