// Writes language-server/VALIDATOR.md from the table of diagnostics, and the codes of the setting diagnostics.severity into package.json:
// `node scripts/docs/write-validator.mjs`.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { outputFiles } = await build({
  entryPoints: [join(root, 'scripts/docs/validatorDocument.ts')],
  bundle: true,
  format: 'esm',
  write: false,
});
const code = outputFiles[0].text;
const { validatorDocument, severityProperties } = await import(
  `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`
);
writeFileSync(join(root, 'language-server/VALIDATOR.md'), validatorDocument());

const manifestPath = join(root, 'package.json');
const manifest = JSON.parse(readFileSync(manifestPath, 'utf8'));
const sections = [manifest.contributes.configuration].flat();
const setting = sections
  .map(({ properties }) => properties?.['modelfileStudio.diagnostics.severity'])
  .find((found) => found !== undefined);
setting.properties = severityProperties();
writeFileSync(manifestPath, `${JSON.stringify(manifest, null, 2)}\n`);
