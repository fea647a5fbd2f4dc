import type { StudioError } from '../errors';
import { isJsonObject, type JsonObject } from '../json';
import type { Artefact, ArtefactProblem } from './artefact';
import type { ListedEntry } from './artefactFiles';
import type { FileFacts } from './readFileFacts';

/** All that is known of one folder before it is judged. */
export interface FolderFacts {
  readonly path: string;
  readonly name: string;
  readonly identity: string;
  /** Files by name, in the order of their names. */
  readonly files: ReadonlyMap<string, ListedEntry>;
  readonly folders: readonly string[];
  /** What was read of the files that were opened. */
  readonly facts: ReadonlyMap<string, FileFacts>;
  /** Path of a file in it. */
  readonly pathOf: (name: string) => string;
}

/** The object in a JSON file of the folder; undefined when it is not there or not readable. */
export function jsonOf(folder: FolderFacts, name: string): JsonObject | undefined {
  const facts = folder.facts.get(name);
  return facts?.format === 'json' && isJsonObject(facts.value) ? facts.value : undefined;
}

export function textOf(folder: FolderFacts, name: string): string | undefined {
  const facts = folder.facts.get(name);
  return facts?.format === 'text' ? facts.text : undefined;
}

/** Why a file could not be read; undefined for one that could, or was not opened. */
export function errorOf(facts: FileFacts | undefined): StudioError | undefined {
  return facts !== undefined && 'error' in facts ? facts.error : undefined;
}

export function asProblem(error: StudioError): ArtefactProblem {
  return { code: error.code, message: error.message };
}

/** Bytes of the folder's own files, and their latest change. */
export function sizeOf(
  folder: FolderFacts,
  names: Iterable<string> = folder.files.keys(),
): Pick<Artefact, 'bytes' | 'modified'> {
  let bytes = 0;
  let modified = 0;
  for (const name of names) {
    const entry = folder.files.get(name);
    bytes += entry?.bytes ?? 0;
    modified = Math.max(modified, entry?.modified ?? 0);
  }
  return { bytes, modified: isoTime(modified) };
}

export function isoTime(milliseconds: number): string | undefined {
  return milliseconds > 0 && milliseconds < 8.64e15 ? new Date(milliseconds).toISOString() : undefined;
}

/** Names of the folder's pickles. */
export function picklesOf(folder: FolderFacts): string[] {
  return [...folder.facts].filter(([, facts]) => facts.format === 'pickle').map(([name]) => name);
}

/** A finite number of a JSON object. */
export function numberOf(json: JsonObject | undefined, key: string): number | undefined {
  const value = json?.[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** A text of a JSON object that says something. */
export function stringOf(json: JsonObject | undefined, key: string): string | undefined {
  const value = json?.[key];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
