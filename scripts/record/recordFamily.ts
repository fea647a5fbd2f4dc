import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { CONVERTER_SOURCE, findConverter } from '../install/installConverter.mjs';
import { describeGguf, type Golden } from '../../test/support/describeGguf';
import type { FileTypeName } from '../../src/core/engine/fileTypes';
import { findQuantize } from '../../test/support/llamaQuantize';

const OUTTYPES = ['f32', 'f16', 'bf16', 'q8_0'];
const PRE: Readonly<Record<string, string>> = { 'bpe-llama3': 'llama-bpe', 'bpe-qwen2': 'qwen2', 'bpe-glm4': 'glm4' };

interface Spec {
  readonly tokenizer: string;
  readonly converter?: readonly string[];
  /** What test/real/converter/driver.py changes of the converter. */
  readonly patches?: readonly string[];
  /** What llama-quantize makes of it, from the BF16 file where its blocks cannot be made again. */
  readonly quantise?: FileTypeName;
}

/** Writes the goldens of one spec: llama.cpp's converter in four types, and llama-quantize's Q4_K_M of its F32 file. */
export function recordFamily(root: string, name: string, work: string): void {
  const python = findConverter();
  const quantize = findQuantize();
  if (python === undefined || quantize === undefined) {
    throw new Error(
      'needs llama.cpp’s converter (node scripts/install/installConverter.mjs) and @node-llama-cpp/linux-x64',
    );
  }
  const file = join(root, 'test/fixtures/specs', `${name}.json`);
  const spec = JSON.parse(readFileSync(file, 'utf8')) as Spec;
  const folder = join(work, name);
  mkdirSync(folder, { recursive: true });
  execFileSync(process.execPath, [join(root, 'test/fixtures/make-model.mjs'), file, folder]);
  const jobs = OUTTYPES.map((outtype) => ({
    do: 'convert',
    model: join(folder, 'base'),
    outtype,
    out: join(folder, `${outtype}.gguf`),
    pre: PRE[spec.tokenizer],
    options: spec.converter ?? [],
    patches: spec.patches ?? [],
  }));
  writeFileSync(join(folder, 'jobs.json'), JSON.stringify(jobs));
  const answers = execFileSync(
    python,
    [join(root, 'test/real/converter/driver.py'), CONVERTER_SOURCE, join(folder, 'jobs.json')],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const refused = answers
    .trim()
    .split('\n')
    .find((line) => !line.includes('"ok": true'));
  if (refused !== undefined) {
    throw new Error(`${name}: ${refused}`);
  }
  const write = (path: string, golden: string): void => {
    writeFileSync(join(root, 'test/golden', `${golden}.json`), goldenText(describeGguf(path)));
  };
  OUTTYPES.forEach((outtype) => write(join(folder, `${outtype}.gguf`), `${name}.convert-${outtype}`));
  const type = spec.quantise ?? 'Q4_K_M';
  const input = join(folder, spec.quantise === undefined ? 'f32.gguf' : 'bf16.gguf');
  quantize({ input, output: join(folder, 'quantised.gguf'), fileType: type });
  write(join(folder, 'quantised.gguf'), `${name}.${type}`);
  rmSync(folder, { recursive: true });
}

/** Longer arrays are kept as their hash. */
const SHORT = 16;

/** One line an entry. */
function goldenText({ metadata, tensors, ...head }: Golden): string {
  const lines = (list: readonly unknown[]): string => list.map((entry) => `  ${JSON.stringify(entry)}`).join(',\n');
  const entries = metadata.map(({ key, type, value, sha256, count }) =>
    count === undefined ? { key, type, value } : count > SHORT ? { key, type, count, sha256 } : { key, type, value },
  );
  return `{${JSON.stringify(head).slice(1, -1)},\n "metadata": [\n${lines(entries)}\n ],\n "tensors": [\n${lines(tensors)}\n ]}\n`;
}
