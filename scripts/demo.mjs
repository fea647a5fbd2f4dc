// npm run demo: a real base model and a real LoRA adapter become one quantised GGUF, and real llama.cpp shows what changed.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DemoError, findNode, setUp } from './demo-set-up.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SAMPLES = 'test/fixtures/rugby';
const QUESTIONS = [
  'How big is a rugby league field?',
  'How deep is the in-goal area of a rugby league field?',
  'Where is Sydney?',
];
const HELP = `npm run demo [-- --adapter NAME] [--type TYPE] [--keep] [--no-set-up]

  --adapter NAME   one of the adapters in ${SAMPLES} (lora, rslora, dora, mlx-lora, mlx-dora, mlx-full); lora
  --type TYPE      how the result is stored (Q4_K_M, Q8_0, BF16, …); Q4_K_M
  --keep           keep the two GGUFs and say where they are
  --no-set-up      take node_modules and dist as they are: install and build nothing
`;

const colours = process.stdout.isTTY === true && (process.env.NO_COLOR ?? '') === '' && process.env.TERM !== 'dumb';
const paint = (code) => (text) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
const [bold, dim, green, red] = ['1', '2', '32', '31'].map(paint);
const width = Math.max(60, Math.min(process.stdout.columns ?? 100, 110));
const print = (text = '') => process.stdout.write(`${text}\n`);

let step = 0;
function heading(title, command) {
  step++;
  print();
  print(bold(`${step}  ${title}`));
  if (command !== undefined) {
    print(dim(`   $ node dist/cli.js ${command.join(' ')}`));
  }
  print();
}

/** Runs the command line as a person would: its own text, in its own colours. */
function show(node, args) {
  const { status } = spawnSync(node, ['dist/cli.js', ...args], { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) {
    throw new DemoError(`modelfile-studio ${args[0]} ended with code ${String(status)}; what it says is above.`);
  }
}

/** Runs it for its JSON answer; the progress bar goes to the terminal, if this is one. */
function build(node, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, ['dist/cli.js', ...args, '--json'], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part) => (text += part));
    child.on('error', reject);
    child.on('close', (code) => {
      let answer;
      try {
        answer = JSON.parse(text);
      } catch {
        answer = undefined;
      }
      if (code === 0 && answer?.ok === true) {
        resolve(answer);
      } else {
        const { code: name, message } = answer?.error ?? { code: `exit code ${String(code)}`, message: text };
        reject(new DemoError(`modelfile-studio build was refused. ${name}: ${message}`));
      }
    });
  });
}

const UNITS = ['B', 'kB', 'MB', 'GB'];
function bytes(count) {
  let unit = 0;
  let value = count;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

function folderBytes(folder, pattern) {
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** The bar as it stood when the run ended. */
function finishedBar(name, { bytes: written, tensors, seconds, peakMemoryBytes }) {
  const memory = peakMemoryBytes === undefined ? '' : ` · peak memory ${bytes(peakMemoryBytes)}`;
  return `${name.padEnd(20)} ${green('█'.repeat(24))} 100 % · ${bytes(written)} · ${tensors} tensors · ${Number(seconds).toFixed(1)} s${memory}`;
}

async function demo(node, options, folder) {
  const base = `${SAMPLES}/base`;
  const adapter = `${SAMPLES}/${options.adapter}`;
  if (!existsSync(join(ROOT, adapter))) {
    throw new DemoError(
      `${adapter} does not exist. Choose an adapter that the first step lists: npm run demo -- --adapter lora`,
    );
  }
  const { ask, layOut, startLlama } = await import('./demo-answers.mjs');

  heading('What is there: a tiny trained model, and adapters trained on it', ['scan', SAMPLES]);
  show(node, ['scan', SAMPLES]);

  const result = join(folder, 'rugby.gguf');
  const request = ['--base', base, '--adapter', adapter, '--type', options.type, '--out'];
  heading('The plan: complete before a byte is written', ['plan', ...request, 'rugby.gguf']);
  show(node, ['plan', ...request, result]);

  heading('One pass: fuse, convert and quantise', ['build', ...request, 'rugby.gguf']);
  const built = await build(node, ['build', ...request, result]);
  print(finishedBar(`base + ${options.adapter}`, built));
  const plain = join(folder, 'base.gguf');
  print(
    finishedBar(
      'base (to compare)',
      await build(node, ['build', '--base', base, '--type', options.type, '--out', plain]),
    ),
  );

  heading('Sizes');
  const weights = folderBytes(join(ROOT, base), /\.safetensors$/);
  print(
    `read      ${bytes(weights)} of base weights and ${bytes(folderBytes(join(ROOT, adapter), /^adapter.*\.safetensors$/))} of adapter`,
  );
  print(
    `between   nothing ${dim(`(merging, converting and quantising one after the other writes ${bytes(weights)} twice before the result)`)}`,
  );
  print(
    `result    ${bold(bytes(built.bytes))} · ${options.type} · ${Math.round((100 * built.bytes) / weights)} % of the base`,
  );

  heading('The answers: both files in real llama.cpp, temperature 0');
  const llama = await startLlama();
  const before = await ask(llama, plain, QUESTIONS);
  const after = await ask(llama, result, QUESTIONS);
  await llama.dispose();
  const rows = [
    ['Question', 'Base', `Base + ${options.adapter}`],
    ...QUESTIONS.map((question, index) => [question, before[index], after[index]]),
  ];
  const style = (line, row, column) =>
    row === 0
      ? bold(line)
      : column === 2 && before[row - 1] !== after[row - 1]
        ? green(line)
        : column === 0
          ? dim(line)
          : line;
  print(layOut(rows, [0.28, 0.36, 0.36], width, style).join('\n'));
  if (before[0] === after[0]) {
    throw new DemoError('The adapter changed nothing: both files give the same first answer. That is a bug.');
  }
  const changed = before.filter((answer, index) => answer !== after[index]).length;
  const kept = before.at(-1) === after.at(-1) ? ', and what it was not trained on stayed as it was' : '';
  print(`${green('✓')} The adapter is in: ${changed} of ${QUESTIONS.length} answers changed${kept}.`);
}

async function main() {
  const { values } = parseArgs({
    options: {
      adapter: { type: 'string', default: 'lora' },
      type: { type: 'string', default: 'Q4_K_M' },
      keep: { type: 'boolean' },
      'no-set-up': { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    print(HELP.trimEnd());
    return 0;
  }
  const node = values['no-set-up'] === true ? findNode(ROOT) : setUp(ROOT, (text) => print(dim(text)));
  if (node !== process.execPath) {
    // This Node is too old for what follows: begin again in the one that npm installed.
    return spawnSync(node, process.argv.slice(1), { cwd: ROOT, stdio: 'inherit' }).status ?? 1;
  }
  print(bold('Modelfile Studio: from an adapter to a quantised GGUF in one pass'));
  const started = performance.now();
  const folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-demo-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 130],
  ]) {
    process.once(signal, () => {
      remove();
      process.exit(code);
    });
  }
  try {
    await demo(node, values, folder);
    print();
    print(
      `Done in ${((performance.now() - started) / 1000).toFixed(1)} s. ${values.keep === true ? `The files are in ${folder}` : dim('The files are removed; --keep keeps them.')}`,
    );
    return 0;
  } finally {
    if (values.keep !== true) {
      remove();
    }
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    const usage = typeof error?.code === 'string' && error.code.startsWith('ERR_PARSE_ARGS');
    process.stderr.write(
      `\n${red('demo:')} ${error instanceof DemoError || usage ? error.message : String(error?.stack ?? error)}\n${usage ? `\n${HELP}` : ''}`,
    );
    process.exitCode = usage ? 2 : 1;
  },
);
