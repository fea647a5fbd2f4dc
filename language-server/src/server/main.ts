#!/usr/bin/env node
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { ENGINE_VERSION } from '../../../src/core/engineVersion';
import { readArguments } from './arguments';
import { startServer } from './startServer';

/** The entry of `dist/server.js`, and of the command `modelfile-language-server`. */
function main(): void {
  const request = readArguments(process.argv.slice(2), process.versions.node);
  switch (request.kind) {
    case 'text':
      process.stdout.write(`${request.text}\n`);
      return;
    case 'error':
      process.stderr.write(`${request.text}\n`);
      process.exitCode = 2;
      return;
    case 'serve':
      startServer(createConnection(ProposedFeatures.all), {
        ollamaHost: process.env['OLLAMA_HOST'],
        version: ENGINE_VERSION,
        bundleFolder: __dirname,
      });
  }
}

main();
