import table from './ollamaTable.json';

/** In which releases something is there: from `since` on, until before `gone`. Absent ends are open. */
export interface Availability {
  /** The first release that has it; absent where that is lost in time. */
  readonly since?: string;
  /** The first release that has it no more. */
  readonly gone?: string;
}

/** The lists of Ollama's sources that the table holds. */
export type OllamaNameKind = keyof typeof table.names;

interface OllamaTable {
  /** The releases that were read, oldest first. */
  readonly versions: readonly string[];
  readonly names: Readonly<Record<OllamaNameKind, Readonly<Record<string, Availability>>>>;
}

const TABLE: OllamaTable = table;
const BY_KIND = new Map(Object.entries(TABLE.names).map(([kind, names]) => [kind, new Map(Object.entries(names))]));

/** The releases whose sources were read, oldest first. */
export const KNOWN_VERSIONS = TABLE.versions;

/** The newest release whose sources were read. */
export const NEWEST_KNOWN = KNOWN_VERSIONS.at(-1)!;

/** The names of a kind that any release has or had, with the releases that have them. Made by scripts/record/recordOllamaTable.mjs. */
export function ollamaNames(kind: OllamaNameKind): ReadonlyMap<string, Availability> {
  return BY_KIND.get(kind) ?? new Map();
}
