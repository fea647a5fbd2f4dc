// Everything against its peer, on the same work in the same run, as ratios; results are compared while they are measured.
//   npm run bench [-- --only kernels,start,build,copy,scale,growth,tools,languageServer] [--rounds 5]
// Ratios are medians of alternating rounds, with the least and the greatest of them.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeBenchModel } from './benchModel.mjs';
import { benchGrowth } from './growth.mjs';
import { benchKernels } from './kernels.mjs';
import { benchLanguageServer, timeToReady } from './languageServer.mjs';
import { llamaLibraries } from './llamaQuantize.mjs';

const { values } = parseArgs({ options: { only: { type: 'string' }, rounds: { type: 'string' } } });
const sections = values.only?.split(',') ?? [
  'kernels',
  'start',
  'build',
  'copy',
  'scale',
  'growth',
  'tools',
  'languageServer',
];
const rounds = Number(values.rounds ?? 5);
const root = join(import.meta.dirname, '..');
const cli = join(root, 'dist/cli.js');
const work = mkdtempSync(join(process.env.BENCH_TMP ?? tmpdir(), 'modelfile-studio-bench-'));
const THREADS = 2;
const Q4_K_M = 15;
const failures = [];

process.on('exit', () => rmSync(work, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

/** Wall seconds of a whole command; stops the bench when it fails. */
function time(command, args) {
  const started = performance.now();
  const { status, stderr, stdout } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  const seconds = (performance.now() - started) / 1000;
  if (status !== 0) {
    throw new Error(`${command} ${args.join(' ')} exited ${status}: ${stderr}${stdout}`);
  }
  return seconds;
}

function ours(args) {
  return time(process.execPath, [cli, ...args, '--workers', String(THREADS), '--force', '--quiet']);
}

/** A whole build: wall seconds, and the peak memory that it tells. */
function measuredBuild(args) {
  const all = [cli, 'build', ...args, '--workers', String(THREADS), '--force', '--quiet', '--json'];
  const started = performance.now();
  const { status, stderr, stdout } = spawnSync(process.execPath, all, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) {
    throw new Error(`${all.join(' ')} exited ${status}: ${stderr}`);
  }
  const { peakMemoryBytes } = JSON.parse(stdout.trim().split('\n').at(-1));
  return { seconds: (performance.now() - started) / 1000, peakMemory: Number(peakMemoryBytes) };
}

/** Alternating rounds of two works; the ratio of each round, so that a noisy neighbour meets both. */
function versus(label, peerName, least, mine, theirs, { unit, scale } = { unit: 's', scale: 1 }) {
  const own = [];
  const other = [];
  for (let round = 0; round < rounds; round++) {
    other.push(theirs());
    own.push(mine());
  }
  const ratios = other.map((seconds, index) => seconds / own[index]);
  const shown = (values) => `${(median(values) * scale).toFixed(2)} ${unit}`;
  row(label, shown(own), `${shown(other)} ${peerName}`, median(ratios), least, ratios);
}

function row(label, own, other, ratio, least, ratios = [ratio]) {
  const verdict = ratio >= least ? '' : `  below ${least}`;
  if (verdict !== '') {
    failures.push(label);
  }
  console.log(
    `| ${label.padEnd(44)} | ${own.padStart(10)} | ${other.padStart(34)} | ${ratio.toFixed(2).padStart(6)}${spreadOf(ratios).padEnd(16)} |${verdict}`,
  );
}

/** The least and the greatest ratio of several rounds. */
function spreadOf(ratios) {
  return ratios.length < 2 ? '' : ` (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`;
}

function model(name) {
  const folder = join(work, name);
  if (!existsSync(folder)) {
    writeBenchModel(name, folder);
  }
  return { base: join(folder, 'base'), adapter: join(folder, 'adapter') };
}

function same(a, b) {
  const left = readFileSync(a);
  const right = readFileSync(b);
  if (!left.equals(right)) {
    throw new Error(`${a} and ${b} differ: the comparison is void.`);
  }
}

/** On a quiet machine; other work on the same core slows ggml, which waits for latencies, less than us. */
const LEAST = { Q4_K: 5.2, Q5_K: 5.2, Q6_K: 4.9, Q2_K: 4.6, IQ4_NL: 4, IQ4_XS: 4, Q3_K: 4.4 };

async function kernels() {
  for (const result of await benchKernels()) {
    const name = `${result.type}${result.importance ? ' with imatrix' : ''}`;
    row(
      `one thread, ${name}`,
      `${result.ours.toFixed(0)} M/s`,
      `${result.theirs.toFixed(0)} M/s ggml_quantize_chunk`,
      result.ratio,
      LEAST[result.type] ?? 1,
    );
  }
}

/** Starts, each against one of Node that does nothing; the compile cache is warm, as it is from the second start on. */
async function start() {
  const { base } = model('0.6B');
  const empty = () => time(process.execPath, ['-e', '0']);
  const commands = {
    'modelfile-studio --version': { args: ['--version'], most: 2.5 },
    'modelfile-studio --help': { args: ['--help'], most: 8 },
    'plan of a 0.6 B model': {
      args: ['plan', '--base', base, '--type', 'Q4_K_M', '--out', join(work, 'planned.gguf')],
      most: 8,
    },
  };
  for (const [label, { args, most }] of Object.entries(commands)) {
    const run = () => time(process.execPath, [cli, ...args]);
    run();
    versus(label, 'an empty start of Node', 1 / most, run, empty);
  }
  const own = [];
  const other = [];
  for (let round = 0; round < rounds; round++) {
    other.push(empty());
    own.push(await timeToReady());
  }
  const ratios = other.map((seconds, index) => seconds / own[index]);
  const peer = `${median(other).toFixed(2)} s an empty start of Node`;
  row('language server, start to ready', `${median(own).toFixed(2)} s`, peer, median(ratios), 1 / 5, ratios);
}

function build() {
  const { base, adapter } = model('0.6B');
  const merged = join(work, 'merged.gguf');
  ours(['build', '--base', base, '--adapter', adapter, '--type', 'BF16', '--out', merged]);
  const theirs = join(work, 'theirs.gguf');
  const result = join(work, 'ours.gguf');
  const quantise = () =>
    time(process.execPath, [
      join(import.meta.dirname, 'llamaQuantize.mjs'),
      merged,
      theirs,
      String(Q4_K_M),
      String(THREADS),
    ]);
  versus(
    '0.6 B + adapter to Q4_K_M, whole build',
    'llama_model_quantize alone',
    4,
    () => ours(['build', '--base', base, '--adapter', adapter, '--type', 'Q4_K_M', '--out', result]),
    quantise,
  );
  ours(['quantize', merged, result, 'Q4_K_M']);
  same(result, theirs);
  rmSync(merged);
  rmSync(theirs);
}

function copy() {
  const { base } = model('0.6B');
  const input = join(base, 'model.safetensors');
  const copied = join(work, 'copy.safetensors');
  versus(
    '0.6 B to BF16',
    'cp and sync of the input',
    0.5,
    () => ours(['build', '--base', base, '--type', 'BF16', '--out', join(work, 'bf16.gguf')]),
    () => {
      const seconds = time('cp', [input, copied]) + time('sync', [copied]);
      rmSync(copied);
      return seconds;
    },
  );
  rmSync(join(work, 'bf16.gguf'), { force: true });
}

function scale() {
  const perParameter = [];
  for (const name of ['0.15B', '0.6B', '1.2B']) {
    const folder = join(work, name);
    const parameters = writeBenchModel(name, folder);
    const seconds = [];
    for (let round = 0; round < rounds; round++) {
      seconds.push(
        ours([
          'build',
          '--base',
          join(folder, 'base'),
          '--adapter',
          join(folder, 'adapter'),
          '--type',
          'Q4_K_M',
          '--out',
          join(work, 'scale.gguf'),
        ]),
      );
    }
    const best = Math.min(...seconds);
    perParameter.push(best / parameters);
    console.log(
      `| ${`${name}: ${(parameters / 1e6).toFixed(0)} M parameters`.padEnd(44)} | ${`${best.toFixed(2)} s`.padStart(10)} | ${`${((best / parameters) * 1e9).toFixed(2)} ns a parameter`.padStart(34)} | ${' '.repeat(22)} |`,
    );
    if (name !== '0.6B') {
      rmSync(folder, { recursive: true });
    }
  }
  const spread = Math.max(...perParameter) / Math.min(...perParameter);
  row('time per parameter, largest by smallest', spread.toFixed(2), 'constant within 20 %', 1 / spread, 1 / 1.2);
}

/** The usual route, with the tools that PEFT_PYTHON, LLAMA_CONVERTER and LLAMA_QUANTIZE name. */
function tools() {
  const { PEFT_PYTHON, LLAMA_CONVERTER, LLAMA_QUANTIZE } = process.env;
  if (PEFT_PYTHON === undefined || LLAMA_CONVERTER === undefined || LLAMA_QUANTIZE === undefined) {
    console.log(
      'not run: the usual route of three tools (set PEFT_PYTHON, LLAMA_CONVERTER and LLAMA_QUANTIZE to PEFT’s Python, convert_hf_to_gguf.py and llama-quantize)',
    );
    return;
  }
  const { base, adapter } = model('0.6B');
  const merged = join(work, 'peft');
  const f16 = join(work, 'peft.gguf');
  const route = () =>
    time(PEFT_PYTHON, [
      '-c',
      'import sys,torch\nfrom transformers import AutoModelForCausalLM,AutoTokenizer\nfrom peft import PeftModel\nb,a,o=sys.argv[1:]\nm=PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(b,torch_dtype=torch.bfloat16),a).merge_and_unload()\nm.save_pretrained(o)\nAutoTokenizer.from_pretrained(b).save_pretrained(o)',
      base,
      adapter,
      merged,
    ]) +
    time(PEFT_PYTHON, [LLAMA_CONVERTER, merged, '--outtype', 'bf16', '--outfile', f16]) +
    time(LLAMA_QUANTIZE, [f16, join(work, 'tools.gguf'), 'Q4_K_M', String(THREADS)]);
  versus(
    '0.6 B + adapter to Q4_K_M, whole build',
    'PEFT, converter, llama-quantize',
    10,
    () => ours(['build', '--base', base, '--adapter', adapter, '--type', 'Q4_K_M', '--out', join(work, 'ours.gguf')]),
    route,
  );
}

console.log(`| ${'what'.padEnd(44)} | ${'ours'.padStart(10)} | ${'peer'.padStart(34)} | ${'ratio'.padEnd(22)} |`);
console.log(`|${'-'.repeat(46)}|${'-'.repeat(11)}:|${'-'.repeat(35)}:|${'-'.repeat(23)}:|`);
const peer = llamaLibraries() !== undefined;
if (!peer) {
  console.log('not run: kernels and build (their peer, @node-llama-cpp/linux-x64, is not installed on this platform)');
}
if (peer && sections.includes('kernels')) {
  await kernels();
}
if (sections.includes('start')) {
  await start();
}
if (peer && sections.includes('build')) {
  build();
}
if (sections.includes('copy')) {
  copy();
}
if (sections.includes('scale')) {
  scale();
}
if (sections.includes('growth')) {
  benchGrowth({ row, versus, build: measuredBuild, work });
}
if (sections.includes('tools')) {
  tools();
}
if (sections.includes('languageServer')) {
  await benchLanguageServer(row);
}
if (failures.length > 0) {
  console.log(`\nBelow the aim: ${failures.join('; ')}`);
}
process.exit(failures.length > 0 ? 1 : 0);
