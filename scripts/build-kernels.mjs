// Compiles src/core/engine/kernels/assembly (AssemblyScript) to src/core/engine/kernels/build/kernels.wasm,
// unless the binary there was made from these very sources by this very compiler.
// Usage: node scripts/build-kernels.mjs [--force]; other scripts import { buildKernels }.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, 'src/core/engine/kernels/assembly');
const output = join(root, 'src/core/engine/kernels/build');

/** No relaxed SIMD: results are the same on every processor. The memory comes from outside, zeroed, and never grows. */
const OPTIONS = [
  '-O3',
  '--noAssert',
  '--runtime',
  'stub',
  '--enable',
  'simd',
  '--importMemory',
  '--zeroFilledMemory',
  '--use',
  'abort=',
  // AS112 warns of v128 in exported functions; only our own modules call those.
  '--disableWarning',
  '112',
];

const compiler = JSON.parse(readFileSync(join(root, 'node_modules/assemblyscript/package.json'), 'utf8')).version;

function fingerprint() {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([compiler, OPTIONS]));
  for (const name of readdirSync(sources)
    .filter((file) => file.endsWith('.ts'))
    .sort()) {
    hash.update(`\0${name}\0`).update(readFileSync(join(sources, name)));
  }
  return hash.digest('hex');
}

function readOrEmpty(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Builds the kernels if need be; returns the path of the binary and whether it was made now. */
export async function buildKernels({ force = false } = {}) {
  const binary = join(output, 'kernels.wasm');
  const stamp = join(output, 'kernels.sha256');
  const wanted = fingerprint();
  // The stamp names the sources and the binary that came of them, so that a damaged or foreign binary is made again.
  const stampOf = (bytes) => `${wanted} ${createHash('sha256').update(bytes).digest('hex')}\n`;
  if (!force && readOrEmpty(stamp) !== '' && readOrEmpty(stamp) === stampOf(readOrNothing(binary))) {
    return { binary, built: false };
  }
  mkdirSync(output, { recursive: true });
  // Loaded here only: the compiler takes half a second to load.
  const { default: asc } = await import('assemblyscript/asc');
  const temporary = `kernels.${process.pid}.wasm`;
  const { error, stderr } = await asc.main([join(sources, 'index.ts'), '--outFile', temporary, ...OPTIONS], {
    writeFile: (name, contents) => {
      writeFileSync(join(output, name), contents);
    },
  });
  const messages = stderr.toString();
  if (error) {
    throw new Error(`The kernels do not compile.\n${messages}`, { cause: error });
  }
  if (messages !== '') {
    process.stderr.write(messages);
  }
  renameSync(join(output, temporary), binary);
  writeFileSync(stamp, stampOf(readFileSync(binary)));
  return { binary, built: true };
}

function readOrNothing(path) {
  try {
    return readFileSync(path);
  } catch {
    return new Uint8Array();
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { built } = await buildKernels({ force: process.argv.includes('--force') });
  console.log(built ? 'kernels.wasm: built' : 'kernels.wasm: up to date');
}
