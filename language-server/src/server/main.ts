import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { startServer } from './startServer';

/** The entry of `dist/server.js`: `--stdio`, `--node-ipc`, `--socket=PORT` or `--pipe=NAME` say how it is spoken to. */
function main(): void {
  const hasTransport = process.argv.some((arg) => /^--(?:stdio|node-ipc|socket|pipe)\b/.test(arg));
  if (!hasTransport) {
    process.stderr.write('modelfile-language-server speaks the language server protocol. Start it with --stdio.\n');
    process.exitCode = 2;
    return;
  }
  startServer(createConnection(ProposedFeatures.all), { ollamaHost: process.env['OLLAMA_HOST'] });
}

main();
