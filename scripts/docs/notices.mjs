// Licences of the packages whose code is in the bundles, as those licences ask for it. `writeNotices(path, metafiles)` is part of every build.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PACKAGE = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/**
 * Writes the notices of every package that a metafile of esbuild names.
 * @param path the text file
 * @param metafiles esbuild's, one a bundle
 * @throws Error where a package in a bundle has no licence text: it must not be shipped then
 */
export function writeNotices(path, metafiles) {
  const folders = new Set();
  for (const { inputs } of metafiles) {
    for (const input of Object.keys(inputs)) {
      const found = PACKAGE.exec(input);
      if (found !== null) {
        folders.add(input.slice(0, found[0].length - 1));
      }
    }
  }
  const parts = [...folders].sort().map((folder) => {
    const { name, version, license, repository } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const source = typeof repository === 'string' ? repository : repository?.url;
    return [
      `${name} ${version} (${license})${source === undefined ? '' : `\n${source}`}`,
      licenceText(folder, license),
    ].join('\n\n');
  });
  writeFileSync(
    path,
    `Modelfile Studio contains code of the following packages.\n\n${parts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`,
  );
}

/** The package's own file; the MIT text where a package names that licence and forgot the file. */
function licenceText(folder, license) {
  const file = readdirSync(folder).find((name) => /^(?:licen[cs]e|copying)(?:\.\w+)?$/i.test(name));
  if (file !== undefined) {
    return readFileSync(join(folder, file), 'utf8').trim();
  }
  if (license === 'MIT' && existsSync(join(folder, 'package.json'))) {
    return 'Licensed under the MIT licence (https://opensource.org/license/mit); the package has no licence file of its own.';
  }
  throw new Error(`${folder} has no licence file, and its code is in a bundle.`);
}
