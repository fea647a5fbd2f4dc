// The versions of Ollama that tests and recordings are about.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const table = JSON.parse(readFileSync(new URL('../src/core/ollama/ollamaTable.json', import.meta.url), 'utf8'));

/** The newest version that the table knows: what is not asked for otherwise. */
export const NEWEST_VERSION = table.versions.at(-1);

/** The last one but two generations: it still attached adapters, converted folders and quantised. */
export const OLDER_VERSION = '0.32.15';

/** Every test of agreement and every test with a real server is run on these. */
export const TESTED_VERSIONS = [OLDER_VERSION, NEWEST_VERSION];

/** The value of `--version` on the command line of a script; the newest known version without it. */
export function versionArgument() {
  const { values } = parseArgs({ options: { version: { type: 'string' } }, strict: false });
  const version = typeof values.version === 'string' ? values.version.replace(/^v/, '') : NEWEST_VERSION;
  if (!/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version)) {
    throw new Error(`--version ${version} is no version of Ollama. For example: --version ${NEWEST_VERSION}`);
  }
  return version;
}
