import { readBytes, type ByteSource } from '../bytes';
import { StudioError } from '../errors';
import { detectFormat, DETECTION_BYTES } from '../formats/detectFormat';
import { foreignFileError } from '../formats/foreignFile';
import { readGgufForViewing, type ReadForViewingOptions } from './readGgufForViewing';
import { readSafetensorsForViewing } from './readSafetensorsForViewing';
import type { ViewedFile } from './viewedFile';

/**
 * Reads a file for looking at it: by its content, and by its name only where the content tells nothing.
 * @throws StudioError input/… for an empty file, a pickle, a Git LFS pointer, or a file that is neither GGUF nor safetensors
 */
export async function readForViewing(
  source: ByteSource,
  name: string,
  options: ReadForViewingOptions = {},
): Promise<ViewedFile> {
  const head = await readBytes(source, 0, Math.min(DETECTION_BYTES, source.size));
  const format = detectFormat(head, source.size, name);
  if (format === 'gguf') {
    return await readGgufForViewing(source, options);
  }
  if (format === 'safetensors') {
    return await readSafetensorsForViewing(source, options);
  }
  const foreign = await foreignFileError(source, name);
  if (foreign !== undefined) {
    throw foreign;
  }
  if (/\.gguf$/i.test(name)) {
    return await readGgufForViewing(source, options);
  }
  if (/\.safetensors$/i.test(name)) {
    return await readSafetensorsForViewing(source, options);
  }
  throw new StudioError(
    'input/unrecognised',
    `${name} is neither a GGUF nor a safetensors file. Check that it is the file that its name says.`,
  );
}
