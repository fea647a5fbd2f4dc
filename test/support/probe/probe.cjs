// Runs functions of the tests inside the extension host: each is posted as text and called with (vscode, argument).
// Loopback only, and only where the tests named a file for its address.
const { createServer } = require('node:http');
const { writeFileSync } = require('node:fs');
const vscode = require('vscode');

async function answer(request) {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  const { source, argument } = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  const work = new Function('vscode', 'argument', 'require', `return (${source})(vscode, argument, require);`);
  return await work(vscode, argument, require);
}

exports.activate = (context) => {
  const file = process.env.MODELFILE_STUDIO_PROBE;
  if (file === undefined) {
    return;
  }
  const server = createServer((request, response) => {
    answer(request).then(
      (value) => response.end(JSON.stringify({ value: value === undefined ? null : value })),
      (error) => response.end(JSON.stringify({ error: String((error && error.stack) || error) })),
    );
  });
  server.listen(0, '127.0.0.1', () =>
    writeFileSync(file, JSON.stringify({ port: server.address().port, pid: process.pid })),
  );
  context.subscriptions.push({ dispose: () => server.close() });
};
