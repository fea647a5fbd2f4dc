// What of other packages is in the bundles, as a bill of materials (CycloneDX), from npm's own and the bundler's account.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const PACKAGE = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/** `name@version` of every package whose code is in a bundle of dist/. */
export function bundledPackages(root) {
  const metafiles = Object.values(JSON.parse(readFileSync(join(root, 'dist/meta.json'), 'utf8')));
  const folders = new Set(
    metafiles
      .flatMap((metafile) => Object.keys(metafile.inputs))
      .flatMap((input) => PACKAGE.exec(input)?.[0] ?? [])
      .map((folder) => resolve(root, folder)),
  );
  return new Set(
    [...folders].map((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      return `${name}@${version}`;
    }),
  );
}

/**
 * npm's bill, cut down to what is shipped, without the parts that differ between two runs (serial number, time).
 * @param root the folder of package.json and dist/meta.json
 */
export function softwareBill(root) {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const all = JSON.parse(
    execFileSync(npm, ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 1 << 27,
      shell: process.platform === 'win32',
    }),
  );
  const bundled = bundledPackages(root);
  const idOf = ({ group, name, version }) => `${group === undefined ? '' : `${group}/`}${name}@${version}`;
  const components = all.components
    .filter((component) => bundled.has(idOf(component)))
    // For npm they are development's: a bundle carries them itself.
    .map((component) => ({ ...component, scope: undefined, properties: undefined }))
    .sort((a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1));
  const { component, tools } = all.metadata;
  // npm takes the folder's name.
  const { name } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const shipped = new Set([component['bom-ref'], ...components.map((one) => one['bom-ref'])]);
  const dependencies = all.dependencies
    .filter(({ ref }) => shipped.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((other) => shipped.has(other)).sort() }))
    .sort((a, b) => (a.ref < b.ref ? -1 : 1));
  return {
    bomFormat: all.bomFormat,
    specVersion: all.specVersion,
    version: 1,
    metadata: { lifecycles: [{ phase: 'build' }], tools, component: { ...component, name, scope: undefined } },
    components,
    dependencies,
  };
}
