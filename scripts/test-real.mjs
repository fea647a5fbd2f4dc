// Runs the tests against real tools, installing what can be installed; a test whose tool is missing says so and is skipped.
//   npm run test:real [-- vitest options]
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** Steps that install tools; each says why it did not, and its tests then skip themselves. */
const INSTALLERS = [
  { tool: "Ollama's parser and templates (Go)", script: 'scripts/go/buildOracle.mjs' },
  { tool: 'vocabularies of known models', script: 'scripts/install/installVocabularies.mjs' },
  { tool: 'Ollama', script: 'scripts/install/installOllama.mjs' },
  { tool: "llama.cpp's llama-server and llama-quantize for Ollama", script: 'scripts/install/installLlama.mjs' },
  { tool: "llama.cpp's converter and PEFT", script: 'scripts/install/installConverter.mjs' },
  { tool: 'a registry of models (docker-registry)', script: 'scripts/install/installRegistry.mjs' },
  { tool: 'VS Code (code-server and Chromium)', script: 'scripts/install/installCodeServer.mjs' },
  { tool: 'Neovim', script: 'scripts/install/installNeovim.mjs' },
  { tool: 'Helix', script: 'scripts/install/installHelix.mjs' },
];

for (const { tool, script } of INSTALLERS) {
  if (!existsSync(join(root, script))) {
    continue;
  }
  const { status } = spawnSync(process.execPath, [join(root, script)], { stdio: 'inherit' });
  console.log(status === 0 ? `installed: ${tool}` : `not run: tests of ${tool} (its installation failed, see above)`);
}

const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', 'test/real', '--passWithNoTests', ...process.argv.slice(2)],
  { stdio: 'inherit', cwd: root },
);
// The extension in real VS Code; where that could not be installed, the line above has said so.
// A report of their own, beside the other: vitest writes over what is there.
const reports = process.argv
  .slice(2)
  .map((argument) => argument.replace(/^(--outputFile\.json=.*?)([^/\\]+)$/, '$1e2e-$2'));
const endToEnd = spawnSync(process.execPath, [join(root, 'scripts/test-e2e.mjs'), ...reports], {
  stdio: 'inherit',
  cwd: root,
  env: { ...process.env, MODELFILE_STUDIO_E2E_OPTIONAL: '1' },
});
process.exit(status || endToEnd.status || 0);
