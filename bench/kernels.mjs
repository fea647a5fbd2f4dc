// The quantisers against ggml's, one thread against one thread in one process, in alternating rounds; the
// bytes of every round are compared. And the rate of the low-rank product, which has no peer.
// Usage: node bench/kernels.mjs [TYPE ...]; needs the npm package @node-llama-cpp/linux-x64 (a baseline x86-64 build).
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { buildKernels } from '../scripts/build-kernels.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** ggml id, values and bytes of a block. */
const TYPES = {
  F16: [1, 1, 2],
  BF16: [30, 1, 2],
  Q8_0: [8, 32, 34],
  Q4_0: [2, 32, 18],
  Q4_1: [3, 32, 20],
  Q5_0: [6, 32, 22],
  Q5_1: [7, 32, 24],
  Q2_K: [10, 256, 84],
  Q3_K: [11, 256, 110],
  Q4_K: [12, 256, 144],
  Q5_K: [13, 256, 176],
  Q6_K: [14, 256, 210],
  IQ4_NL: [20, 32, 18],
  IQ4_XS: [23, 256, 136],
};
/** Types whose bytes an importance matrix does not change. */
const WITHOUT_IMPORTANCE = new Set(['F16', 'BF16', 'Q8_0']);

const COLUMNS = 1024;
const ROWS = 256;
const ROUNDS = 15;
const WARM_UP_MS = 100;
/**
 * The rows are measured a slice at a time, in turn with ggml, and the fastest round of each slice counts: what other
 * work on the machine disturbs is left out. One slice alone again and again would be known by heart to the branch
 * predictor, which flatters code that branches on values.
 */
const SLICES = 16;
const SLICE = (ROWS / SLICES) * COLUMNS;

async function instantiate(bytes) {
  const { binary } = await buildKernels();
  const pages = Math.ceil(bytes / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { instance } = await WebAssembly.instantiate(readFileSync(binary), { env: { memory } });
  return { memory, kernels: instance.exports };
}

async function loadGgml() {
  const bins = join(root, 'node_modules/@node-llama-cpp/linux-x64/bins');
  const folder = existsSync(bins)
    ? readdirSync(bins).find((name) => existsSync(join(bins, name, 'libggml-base.so')))
    : undefined;
  if (process.platform !== 'linux' || process.arch !== 'x64' || folder === undefined) {
    return undefined;
  }
  const { default: koffi } = await import('koffi');
  const library = koffi.load(join(bins, folder, 'libggml-base.so'));
  return {
    init: library.func('void ggml_quantize_init(int)'),
    chunk: library.func(
      'size_t ggml_quantize_chunk(int, const float*, void*, int64_t, int64_t, int64_t, const float*)',
    ),
  };
}

function generator(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 4294967296;
  };
  return { uniform, normal: () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()) };
}

/** Values as weights have them: each row normal, with one of four spreads. */
function weightsInto(target, random) {
  const spreads = [0.02, 0.05, 0.01, 1];
  for (let i = 0; i < target.length; i++) {
    target[i] = random.normal() * spreads[Math.floor(i / COLUMNS) % 4];
  }
}

function timed(work) {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function times(count, work) {
  for (let i = 0; i < count; i++) {
    work();
  }
}

/** Runs until the code must have been compiled for speed, which happens in the background. */
function warmUp(ours) {
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end;) {
    for (let slice = 0; slice < SLICES; slice++) {
      ours(slice);
    }
  }
}

/**
 * @param {string[]} [names] types to measure; all by default
 * @returns {Promise<{type: string, importance: boolean, ours: number, theirs: number, ratio: number}[] | undefined>}
 *   million values a second of both, and their ratio; undefined where there is no ggml to compare with
 */
export async function benchKernels(names = Object.keys(TYPES)) {
  const ggml = await loadGgml();
  if (ggml === undefined) {
    return undefined;
  }
  const count = ROWS * COLUMNS;
  const source = 1 << 20;
  const importanceAt = source + count * 4;
  const target = importanceAt + COLUMNS * 4;
  const { memory, kernels } = await instantiate(target + count * 4);
  const random = generator(1);
  const inside = new Float32Array(memory.buffer, source, count);
  weightsInto(inside, random);
  const importance = new Float32Array(memory.buffer, importanceAt, COLUMNS);
  for (let i = 0; i < COLUMNS; i++) {
    importance[i] = random.uniform() + 0.1;
  }
  const values = inside.slice();
  const weights = importance.slice();
  const results = [];
  for (const type of names) {
    const [id, block, bytes] = TYPES[type];
    const reference = new Uint8Array((count / block) * bytes);
    const made = Buffer.from(memory.buffer, target, reference.length);
    ggml.init(id);
    for (const weighted of WITHOUT_IMPORTANCE.has(type) ? [false] : [false, true]) {
      const sliceBytes = reference.length / SLICES;
      const ours = (slice) =>
        kernels[`quantise${type}`](
          source + slice * SLICE * 4,
          target + slice * sliceBytes,
          ROWS / SLICES,
          COLUMNS,
          weighted ? importanceAt : 0,
        );
      const theirs = (slice) =>
        ggml.chunk(id, values, reference, slice * SLICE, ROWS / SLICES, COLUMNS, weighted ? weights : null);
      warmUp(ours);
      const best = { ours: new Array(SLICES).fill(Infinity), theirs: new Array(SLICES).fill(Infinity) };
      for (let round = 0; round < ROUNDS; round++) {
        for (let slice = 0; slice < SLICES; slice++) {
          best.ours[slice] = Math.min(
            best.ours[slice],
            timed(() => ours(slice)),
          );
          best.theirs[slice] = Math.min(
            best.theirs[slice],
            timed(() => theirs(slice)),
          );
        }
        if (Buffer.compare(made, reference) !== 0) {
          throw new Error(`${type}${weighted ? ' with importance' : ''}: the blocks are not those of ggml`);
        }
        made.fill(0);
      }
      const [mine, other] = [best.ours, best.theirs].map((times) => times.reduce((sum, time) => sum + time, 0));
      results.push({
        type,
        importance: weighted,
        ours: count / mine / 1e3,
        theirs: count / other / 1e3,
        ratio: other / mine,
      });
    }
  }
  return results;
}

/**
 * The low-rank product on a worker's usual block of 64 K values.
 * @returns {Promise<{rank: number, columns: number, gflops: number}[]>} two operations a multiply-add
 */
export async function benchLowRank() {
  const { memory, kernels } = await instantiate(64 << 20);
  const random = generator(2);
  new Float32Array(memory.buffer, 1 << 20, 4 << 20).forEach((_, i, all) => {
    all[i] = random.uniform() - 0.5;
  });
  const results = [];
  for (const [rank, columns] of [
    [4, 1024],
    [8, 1024],
    [16, 1024],
    [16, 3072],
    [16, 896],
    [32, 1024],
    [64, 4096],
    [128, 1024],
    [256, 2048],
  ]) {
    const rows = Math.max(1, Math.floor(65536 / columns));
    const left = 1 << 20;
    const right = left + rows * rank * 4;
    const target = right + rank * columns * 4;
    const repeats = Math.ceil(2e8 / (2 * rows * columns * rank));
    const run = () => times(repeats, () => kernels.addLowRank(target, left, right, rows, columns, rank, 1e-3));
    run();
    const best = Math.min(...Array.from({ length: 7 }, () => timed(run)));
    results.push({ rank, columns, gflops: (2 * rows * columns * rank * repeats) / best / 1e6 });
  }
  return results;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const results = await benchKernels(process.argv.length > 2 ? process.argv.slice(2) : undefined);
  if (results === undefined) {
    console.log('not run: there is no baseline build of ggml for this platform (@node-llama-cpp/linux-x64)');
  }
  for (const { type, importance, ours, theirs, ratio } of results ?? []) {
    console.log(
      `${type.padEnd(7)} ${importance ? 'importance' : 'plain     '}  ours ${ours.toFixed(1).padStart(7)}  ggml ${theirs.toFixed(1).padStart(7)} million values/s   ratio ${ratio.toFixed(2)}`,
    );
  }
  if (process.argv.length === 2) {
    for (const { rank, columns, gflops } of await benchLowRank()) {
      console.log(`low rank ${String(rank).padStart(3)}, ${columns} columns: ${gflops.toFixed(1)} GFLOP/s`);
    }
  }
}
