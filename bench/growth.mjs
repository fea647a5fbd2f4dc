// How time and memory grow: with the rank of an adapter, with several adapters at once, and with the number of tensors.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeBenchAdapter, writeBenchModel } from './benchModel.mjs';

const root = join(import.meta.dirname, '..');
const SHAPE = '0.15B';
const LARGE_RANK = 256;
const MOST_MEMORY = 200e6;
/** Experts and layers of two mixtures of tiny experts: some 250 tensors, and some 19,000. */
const MIXTURES = { few: [8, 8], many: [128, 48] };

/** A mixture of experts as test/fixtures/make-model.mjs writes it; returns the number of its tensors. */
function writeMixture(folder, [experts, layers]) {
  const spec = JSON.parse(readFileSync(join(root, 'test/fixtures/specs/qwen3moe.json'), 'utf8'));
  const small = { hidden_size: 64, intermediate_size: 64, moe_intermediate_size: 32, head_dim: 32 };
  const heads = { num_attention_heads: 2, num_key_value_heads: 1 };
  Object.assign(spec.config, small, heads, { num_experts: experts, num_hidden_layers: layers });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'spec.json'), JSON.stringify({ ...spec, adapters: [] }));
  const script = join(root, 'test/fixtures/make-model.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, join(folder, 'spec.json'), folder], {
    encoding: 'utf8',
  });
  if (status !== 0) {
    throw new Error(`${script} exited ${status}: ${stderr}`);
  }
  return layers * (3 * experts + 9) + 3;
}

/**
 * @param row prints one line
 * @param versus times two works in alternating rounds
 * @param build runs a build with the given arguments; returns its seconds and the bytes of its peak memory
 * @param work a folder
 */
export function benchGrowth({ row, versus, build, work }) {
  const folder = join(work, 'growth');
  writeBenchModel(SHAPE, folder);
  const base = join(folder, 'base');
  const adapter = join(folder, 'adapter');
  const out = join(folder, 'out.gguf');
  const large = join(folder, 'large');
  writeBenchAdapter(SHAPE, large, LARGE_RANK);
  const merged = (adapters) => () =>
    build(['--base', base, ...adapters.flatMap((path) => ['--adapter', path]), '--type', 'Q4_K_M', '--out', out])
      .seconds;
  const plain = merged([adapter]);
  versus(`an adapter of rank ${LARGE_RANK} on everything`, 'one of rank 16', 1 / 1.6, merged([large]), plain);
  const four = [adapter, ...['b', 'c', 'd'].map((name) => join(folder, name))];
  four.slice(1).forEach((path) => writeBenchAdapter(SHAPE, path));
  versus('four adapters at once', 'one', 1 / 1.5, merged(four), plain);
  const counts = {};
  for (const [name, size] of Object.entries(MIXTURES)) {
    counts[name] = writeMixture(join(folder, name), size);
  }
  let peak = 0;
  const perTensor = (name) => () => {
    const { seconds, peakMemory } = build(['--base', join(folder, name, 'base'), '--type', 'Q8_0', '--out', out]);
    peak = Math.max(peak, peakMemory);
    return seconds / counts[name];
  };
  const label = `time per tensor, ${counts.many} tensors`;
  versus(label, `per tensor of ${counts.few}`, 1 / 1.15, perTensor('many'), perTensor('few'), {
    unit: 'ms',
    scale: 1000,
  });
  row(`peak memory, ${counts.many} tensors`, `${(peak / 1e6).toFixed(0)} MB`, '200 MB', MOST_MEMORY / peak, 1);
  rmSync(folder, { recursive: true });
}
