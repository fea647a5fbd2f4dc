// The main job on real input, for a person: npm run demo [-- --keep]
// Sets itself up: packages and bundles are made if they are missing. Needs Node and npm only.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(fileURLToPath(new URL('.', import.meta.url)), '..');
const node = join(root, 'node_modules/node/bin/node');
const sample = join(root, 'test/fixtures/rugby');
const keep = process.argv.includes('--keep');
const colour = process.stdout.isTTY && !process.env.NO_COLOR;
const bold = (text) => (colour ? `\u001b[1m${text}\u001b[22m` : text);
const faint = (text) => (colour ? `\u001b[2m${text}\u001b[22m` : text);

function stop(message) {
  console.error(`\n${message}`);
  process.exit(1);
}

function run(command, args, options = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd: root, stdio: 'inherit', encoding: 'utf8', ...options });
  if (error !== undefined || status !== 0) {
    stop(`${[command, ...args].join(' ')} failed${error === undefined ? ` (exit ${status})` : `: ${error.message}`}.${stderr ? `\n${stderr}` : ''}`);
  }
  return stdout;
}

/** Packages as the lockfile has them, and bundles newer than every source. */
function setUp() {
  if (!existsSync(join(root, 'node_modules/.package-lock.json')) || !existsSync(node)) {
    console.log(faint('Installing packages (once)…'));
    run(process.platform === 'win32' ? 'npm.cmd' : 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { shell: process.platform === 'win32' });
  }
  const built = ['cli.js', 'worker.js'].map((name) => join(root, 'dist', name));
  const newest = Math.max(...['src', 'esbuild.mjs', 'package-lock.json'].map((name) => newestIn(join(root, name))));
  if (!built.every((path) => existsSync(path) && statSync(path).mtimeMs > newest)) {
    console.log(faint('Building (once)…'));
    run(nodeBinary(), ['esbuild.mjs']);
  }
}

function newestIn(path) {
  const found = statSync(path);
  return found.isDirectory() ? Math.max(0, ...readdirSync(path).map((name) => newestIn(join(path, name)))) : found.mtimeMs;
}

/** The Node that the packages bring, where the running one is too old. */
function nodeBinary() {
  return existsSync(node) ? node : process.execPath;
}

function cli(args, options) {
  return run(nodeBinary(), [join(root, 'dist/cli.js'), ...args], options);
}

function heading(text) {
  console.log(`\n${bold(text)}`);
}

const size = (path) => `${(statSync(path).size / 1e6).toFixed(1)} MB`;

/** Lines of at most `width` characters. */
function wrap(text, width) {
  const lines = [''];
  for (const word of text.split(' ')) {
    if (lines.at(-1) !== '' && lines.at(-1).length + 1 + word.length > width) {
      lines.push('');
    }
    lines[lines.length - 1] += (lines.at(-1) === '' ? '' : ' ') + word;
  }
  return lines;
}

function sideBySide(base, tuned) {
  const width = Math.max(24, Math.min(52, Math.floor(((process.stdout.columns ?? 100) - 6) / 2)));
  console.log(`  ${bold('the base'.padEnd(width))}  ${bold('with the adapter')}`);
  for (const [index, { question, answer }] of base.entries()) {
    const left = wrap(answer, width);
    const right = wrap(tuned[index].answer, width);
    console.log(`\n  ${faint(`“${question}”`)}`);
    for (let line = 0; line < Math.max(left.length, right.length); line++) {
      console.log(`  ${(left[line] ?? '').padEnd(width)}  ${right[line] ?? ''}`.trimEnd());
    }
  }
}

setUp();
const started = performance.now();
const work = mkdtempSync(join(tmpdir(), 'modelfile-studio-demo-'));
try {
  heading('1  What training left');
  cli(['scan', relative(root, sample)]);

  heading('2  The plan, and the build: base + adapter to a quantised GGUF in one pass');
  const tuned = join(work, 'rugby.gguf');
  const base = join(work, 'base.gguf');
  cli(['build', '--base', join(sample, 'base'), '--adapter', join(sample, 'lora'), '--type', 'Q8_0', '--out', tuned]);
  cli(['build', '--base', join(sample, 'base'), '--type', 'Q8_0', '--out', base, '--quiet']);
  cli(['verify', tuned]);

  heading('3  Sizes');
  console.log(`  base in bf16 ${size(join(sample, 'base/model.safetensors'))} + adapter ${size(join(sample, 'lora/adapter_model.safetensors'))} → rugby.gguf ${size(tuned)}`);

  heading('4  Both in real llama.cpp: what the adapter changed');
  const answers = JSON.parse(run(nodeBinary(), [join(root, 'scripts/demoAnswers.mjs'), base, tuned], { stdio: ['ignore', 'pipe', 'pipe'] }));
  if (answers.missing !== undefined) {
    console.log(`  not run: llama.cpp has no prebuilt binary for this platform (${answers.missing}). Load ${tuned} in the llama.cpp or Ollama that you have.`);
  } else {
    sideBySide(answers[0], answers[1]);
    const changed = answers[0].filter(({ answer }, index) => answer !== answers[1][index].answer).length;
    if (changed === 0) {
      stop('The adapter changed no answer, and it should have. Please report this.');
    }
  }
  console.log(`\n${faint(`Done in ${((performance.now() - started) / 1000).toFixed(0)} s.`)}`);
} finally {
  if (keep) {
    console.log(`The result is in ${work}`);
  } else {
    rmSync(work, { recursive: true, force: true });
  }
}
