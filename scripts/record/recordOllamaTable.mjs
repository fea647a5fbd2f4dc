// Brings versions of Ollama into src/core/ollama/ollamaTable.json: `node scripts/record/recordOllamaTable.mjs 0.34.4`, or
// without a version the latest that the module proxy has. It prints what changed. Needs Go 1.26 and a module proxy.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { downloadModule, latestVersion, readOllamaSources } from './readOllamaSources.mjs';

const path = fileURLToPath(new URL('../../src/core/ollama/ollamaTable.json', import.meta.url));

/** Whole releases only: `0.34.4` before `0.35.0`. */
export function compareReleases(one, other) {
  const [a, b] = [one, other].map((version) => version.split('.').map(Number));
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/**
 * The table with one more version. A name that is new has it as `since`, unless a finer version is known already; one that is
 * not there any more as `gone`. Versions come in order; the one before tells what is new.
 * @param table `{ versions, names: kind > name > { since?, gone? } }`; it is changed
 * @param facts what `readOllamaSources` gives
 * @returns what changed, a line each
 */
export function addVersion(table, version, facts) {
  const before = table.versions.at(-1);
  if (before !== undefined && compareReleases(version, before) <= 0) {
    throw new Error(`The table knows ${before} already: versions are added in order.`);
  }
  const changes = [];
  for (const [kind, names] of Object.entries(facts)) {
    const known = (table.names[kind] ??= {});
    for (const name of names) {
      const entry = known[name];
      if (entry === undefined) {
        known[name] = before === undefined ? {} : { since: version };
        changes.push(`${kind} ${name}: since ${version}`);
      } else if (entry.gone !== undefined) {
        changes.push(`${kind} ${name}: here again, was gone in ${entry.gone}; the table now says that it never was`);
        delete entry.gone;
      }
    }
    for (const [name, entry] of Object.entries(known)) {
      if (
        entry.gone === undefined &&
        !names.includes(name) &&
        !(entry.since !== undefined && compareReleases(entry.since, version) > 0)
      ) {
        entry.gone = version;
        changes.push(`${kind} ${name}: gone in ${version}`);
      }
    }
  }
  table.versions.push(version);
  return changes;
}

/** One name a line, sorted, so that a difference between two versions of the file is readable. */
export function formatTable({ versions, names }) {
  const kinds = Object.entries(names).map(([kind, entries]) => {
    const lines = Object.keys(entries)
      .sort()
      .map((name) => `      ${JSON.stringify(name)}: ${JSON.stringify(entries[name])}`);
    return `    ${JSON.stringify(kind)}: {\n${lines.join(',\n')}\n    }`;
  });
  return `{\n  "versions": ${JSON.stringify(versions)},\n  "names": {\n${kinds.join(',\n')}\n  }\n}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const table = JSON.parse(readFileSync(path, 'utf8'));
  const asked = process.argv.slice(2);
  for (const version of asked.length > 0 ? asked : [latestVersion()]) {
    if (table.versions.includes(version)) {
      process.stdout.write(`${version} is in the table already.\n`);
      continue;
    }
    const changes = addVersion(table, version, readOllamaSources(downloadModule(version)));
    process.stdout.write(`${version}: ${changes.length === 0 ? 'nothing changed' : `\n  ${changes.join('\n  ')}`}\n`);
  }
  writeFileSync(path, formatTable(table));
}
