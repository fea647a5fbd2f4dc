// `npm start`: opens the extension on a sample workspace, in the desktop VS Code if there is one, else in the browser. Ctrl-C ends it.
//   npm start [-- FOLDER] [--browser]
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { installExtensions, startCodeServer } from './codeServer.mjs';
import { packageExtension } from './prepareVSCode.mjs';
import { makeSampleWorkspace } from './sampleWorkspace.mjs';

const root = join(import.meta.dirname, '../..');
const args = process.argv.slice(2);
const folder = args.find((argument) => !argument.startsWith('-'));
const windows = process.platform === 'win32';

/** Editors of the desktop that take --extensionDevelopmentPath. */
const desktop = args.includes('--browser')
  ? undefined
  : ['code', 'code-insiders', 'codium', 'cursor'].find(
      (name) => spawnSync(name, ['--version'], { stdio: 'ignore', shell: windows }).status === 0,
    );

const profile = mkdtempSync(join(tmpdir(), 'modelfile-studio-start-'));
const workspace = folder === undefined ? makeSampleWorkspace(join(profile, 'rugby')) : resolve(folder);
const cleanUp = () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 });

/** Resolves at Ctrl-C, or when the terminal goes away. */
const interrupted = () =>
  new Promise((done) => ['SIGINT', 'SIGTERM', 'SIGHUP'].forEach((signal) => process.once(signal, done)));

async function inDesktop(name) {
  const { status } = spawnSync(process.execPath, ['esbuild.mjs'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    return 1;
  }
  console.log(`${name} opens ${workspace}. Close its window, or press Ctrl-C here, to end.`);
  const editor = spawn(
    name,
    [
      '--wait',
      '--new-window',
      `--extensionDevelopmentPath=${root}`,
      '--user-data-dir',
      join(profile, 'user'),
      workspace,
    ],
    { stdio: 'inherit', shell: windows },
  );
  await Promise.race([interrupted(), new Promise((done) => editor.once('exit', done))]);
  editor.kill();
  return 0;
}

async function inBrowser() {
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, '../install/installCodeServer.mjs')],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const bin = stdout.trim().split('\n').at(-2) ?? stdout.trim();
  if (status !== 0 && bin === '') {
    console.error('Install VS Code and its `code` command, or set CODE_SERVER_BIN, and run npm start again.');
    return 1;
  }
  installExtensions(bin, profile, [packageExtension(profile)]);
  const server = await startCodeServer({ bin, profile });
  const url = `${server.url}?folder=${encodeURIComponent(workspace)}`;
  console.log(
    `\nModelfile Studio is open in VS Code at\n\n  ${url}\n\nClick the Modelfile Studio icon at the left. Ctrl-C ends it.`,
  );
  await interrupted();
  await server.stop();
  return 0;
}

let status = 1;
try {
  status = desktop === undefined ? await inBrowser() : await inDesktop(desktop);
} finally {
  cleanUp();
}
process.exit(status);
