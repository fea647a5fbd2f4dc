#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';
import { ENGINE_VERSION } from '../core/engineVersion';
import { useCompileCache } from '../node/process/compileCache';

const LEAST_NODE = 22;

// A vocabulary of 150,000 tokens is read in one go, and V8 would let its young generation grow for it to a size that it never
// needs again. Kept small, a build takes some 80 MB less and no more time.
setFlagsFromString('--semi-space-growth-factor=1');

/** The entry of `dist/cli.js`. */
async function start(): Promise<void> {
  // A reader that went away (`| head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') {
      process.stderr.write(
        `disk/io: The answer could not be written to the standard output (${error.code ?? error.message}). Check where it is sent: the disk may be full.\n`,
      );
    }
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  const [first] = process.argv.slice(2);
  if (first === '--version' || first === 'version') {
    process.stdout.write(`${ENGINE_VERSION}\n`);
    return;
  }
  // The rest lies in a file of its own, which a version does not read, and which is compiled once.
  useCompileCache();
  const { main } = await import('./main');
  process.exitCode = await main(process.argv.slice(2), __dirname);
}

if (Number(process.versions.node.split('.')[0]) < LEAST_NODE) {
  process.stderr.write(
    `modelfile-studio needs Node ${LEAST_NODE} or later, and this is ${process.versions.node}. Install a newer one from nodejs.org.\n`,
  );
  process.exitCode = 1;
} else {
  void start();
}
