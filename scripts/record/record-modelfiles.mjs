// Records what Ollama's own parsers (through the Go oracle) say of the conformance Modelfiles: `node scripts/record/record-modelfiles.mjs [VERSION…]`.
// Needs Go 1.26 and a module proxy. The result is committed, so that the tests need neither.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { TESTED_VERSIONS } from '../ollamaVersions.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'record-'));
const bundle = join(folder, 'record.mjs');
await build({
  entryPoints: [join(root, 'scripts/record/recordModelfiles.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  outfile: bundle,
  define: { 'import.meta.url': JSON.stringify(pathToFileURL(join(root, 'test/support/goOracle.ts')).href) },
});
const { recordModelfiles } = await import(pathToFileURL(bundle).href);
const versions = process.argv.slice(2);
await recordModelfiles(
  join(root, 'test/conformance/modelfiles.jsonl'),
  versions.length > 0 ? versions : TESTED_VERSIONS,
);
rmSync(folder, { recursive: true });
