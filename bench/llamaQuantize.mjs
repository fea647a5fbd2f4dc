// Runs llama.cpp's own quantiser on a file: node llamaQuantize.mjs IN OUT FTYPE THREADS. Prints the seconds it took.
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);

/** The folder with llama.cpp's libraries from the node-llama-cpp package; undefined where it has none. */
export function llamaLibraries() {
  const bins = join(import.meta.dirname, '../node_modules/@node-llama-cpp/linux-x64/bins');
  if (process.platform !== 'linux' || process.arch !== 'x64' || !existsSync(bins)) {
    return undefined;
  }
  const folder = readdirSync(bins)
    .map((name) => join(bins, name))
    .find((path) => existsSync(join(path, 'libggml-base.so')));
  return folder;
}

/** llama_model_quantize of llama.cpp v0.5.0; the parameters are 64 bytes (llama.h). */
export function llamaQuantize(input, output, fileType, threads) {
  const folder = llamaLibraries();
  const koffi = require('koffi');
  const ggml = readdirSync(folder).find((name) => /^libggml\.v.*\.so$/.test(name));
  const llama = readdirSync(folder).find((name) => /^libllama\.v.*\.so$/.test(name));
  koffi.load(join(folder, 'libggml-base.so'), { global: true });
  koffi.load(join(folder, ggml), { global: true });
  const library = koffi.load(join(folder, llama));
  const log = library.func('void llama_log_set(void *callback, void *data)');
  const silent = koffi.register(
    () => {},
    koffi.pointer(koffi.proto('void LlamaLog(int level, const char *text, void *data)')),
  );
  log(silent, null);
  const quantize = library.func(
    'uint32_t llama_model_quantize(const char *input, const char *output, void *parameters)',
  );
  const parameters = Buffer.alloc(64);
  const unset = 43;
  parameters.writeInt32LE(threads, 0);
  parameters.writeInt32LE(fileType, 4);
  parameters.writeInt32LE(unset, 8);
  parameters.writeInt32LE(unset, 12);
  parameters.writeUInt8(1, 17);
  parameters.writeBigUInt64LE(8n << 30n, 56);
  return quantize(input, output, parameters);
}

if (process.argv[1] === import.meta.filename) {
  const [, , input, output, fileType, threads] = process.argv;
  const started = performance.now();
  const code = llamaQuantize(input, output, Number(fileType), Number(threads));
  console.log(((performance.now() - started) / 1000).toFixed(3));
  process.exit(code);
}
