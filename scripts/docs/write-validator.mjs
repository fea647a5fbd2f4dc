// Writes language-server/VALIDATOR.md from the table of diagnostics: `node scripts/docs/write-validator.mjs`.
import { writeFileSync } from 'node:fs';
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
const { validatorDocument } = await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
writeFileSync(join(root, 'language-server/VALIDATOR.md'), validatorDocument());
