// Small facts about what a Modelfile names.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findArchitecture } from '../../core/engine/architectures/architectures';
import { fileTypeName, type FileTypeName } from '../../core/engine/fileTypes';

/** What a GGUF is stored as by its `general.file_type`; Q8_0 for what cannot be written here, and is quantised most likely. */
export function storedType(id: unknown): FileTypeName {
  return (typeof id === 'number' ? fileTypeName(id) : undefined) ?? 'Q8_0';
}

/** Whether our engine converts models of a class. */
export function isBuiltIn(className: string): boolean {
  try {
    findArchitecture(className);
    return true;
  } catch {
    return false;
  }
}

/** The one GGUF of a folder that has no other weights. */
export async function onlyGguf(folder: string): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const ggufs = names.filter((name) => /\.gguf$/i.test(name));
  const others = names.some((name) => /\.safetensors$/i.test(name));
  return ggufs.length === 1 && !others ? join(folder, ggufs[0]!) : undefined;
}
