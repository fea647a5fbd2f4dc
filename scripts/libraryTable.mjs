// Writes dist/library.json: what the npm package @huggingface/ollama-utils (MIT) knows of models of Ollama's library, taken from the
// installed package when this product is built. `node scripts/libraryTable.mjs [FILE]`
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import esbuild from 'esbuild';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'node_modules/@huggingface/ollama-utils');

/** When the versions of the package were published, as npm tells it. */
const PUBLISHED = { '0.0.18': '2026-08-09' };

/** The package's own table: `{model, gguf, ollama}`, where `gguf` is the Jinja template of the model. */
export async function libraryEntries() {
  const source = readFileSync(join(folder, 'src/chat-template-automap.ts'), 'utf8');
  const { code } = await esbuild.transform(source, { loader: 'ts', format: 'esm' });
  const { OLLAMA_CHAT_TEMPLATE_MAPPING } = await import(
    `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`
  );
  return OLLAMA_CHAT_TEMPLATE_MAPPING;
}

/** Name, template and parameters of each model; the first of a name counts. */
async function libraryTable() {
  const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const models = new Map();
  for (const { model, ollama } of await libraryEntries()) {
    const name = model.replace(/^library\//, '');
    if (!models.has(name)) {
      models.set(name, { name, template: ollama.template, parameters: ollama.params ?? {} });
    }
  }
  const origin = {
    package: '@huggingface/ollama-utils',
    version,
    license,
    published: PUBLISHED[version],
    notice: readFileSync(join(folder, 'LICENSE'), 'utf8'),
  };
  return { source: origin, models: [...models.values()].sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

/** Writes the table for the bundles. */
export async function writeLibraryTable(path) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(await libraryTable())}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeLibraryTable(process.argv[2] ?? join(root, 'dist/library.json'));
}
