// Starts code-server on a folder with extensions of ours in a profile of its own; used by the end-to-end tests, `npm start` and the pictures.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const READY = /HTTP server listening on (\S+)/;

/** Settings that keep a fresh profile quiet; what a test wants else comes on top. */
const QUIET = {
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.welcomePage.walkthroughs.openOnInstall': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.reduceMotion': 'on',
  'chat.commandCenter.enabled': false,
  'chat.disableAIFeatures': true,
  'extensions.ignoreRecommendations': true,
  'extensions.autoUpdate': false,
  'git.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'security.workspace.trust.startupPrompt': 'never',
  'security.workspace.trust.banner': 'never',
  'editor.minimap.enabled': false,
  'files.autoSave': 'off',
  'files.simpleDialog.enable': true,
  'window.dialogStyle': 'custom',
};

/** A TCP port of this machine that nobody listens at. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Installs packaged extensions (.vsix) into a folder of extensions. */
export function installExtensions(bin, profile, packages) {
  for (const file of packages) {
    const { status, stdout, stderr } = spawnSync(
      bin,
      [
        '--user-data-dir',
        join(profile, 'user'),
        '--extensions-dir',
        join(profile, 'extensions'),
        '--install-extension',
        file,
        '--force',
      ],
      { encoding: 'utf8' },
    );
    if (status !== 0) {
      throw new Error(`code-server did not install ${file}:\n${stdout}${stderr}`);
    }
  }
}

/**
 * @param options.bin code-server
 * @param options.profile folder with `user` and, unless given, `extensions`
 * @param options.trust false leaves Workspace Trust on: a folder is then not trusted until the user says so
 * @returns {Promise<{url: string, stop: () => Promise<void>}>} without a folder in the URL
 */
export async function startCodeServer({
  bin,
  profile,
  extensions = join(profile, 'extensions'),
  settings = {},
  trust = true,
  env = {},
  onLine = () => undefined,
}) {
  const user = join(profile, 'user');
  mkdirSync(join(user, 'User'), { recursive: true });
  writeFileSync(join(user, 'User/settings.json'), JSON.stringify({ ...QUIET, ...settings }, null, 2));
  const port = await freePort();
  const args = [
    '--user-data-dir',
    user,
    '--extensions-dir',
    extensions,
    '--auth',
    'none',
    '--bind-addr',
    `127.0.0.1:${port}`,
    '--disable-telemetry',
    '--disable-update-check',
    '--disable-getting-started-override',
    ...(trust ? ['--disable-workspace-trust'] : []),
  ];
  // A configuration of the user's own must not change what is started here.
  writeFileSync(join(profile, 'config.yaml'), '{}\n');
  const child = spawn(bin, [...args, '--config', join(profile, 'config.yaml')], {
    env: { ...process.env, ...env, VSCODE_IPC_HOOK_CLI: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  const ready = new Promise((resolve, reject) => {
    const listen = (chunk) => {
      log += chunk;
      onLine(String(chunk));
      if (READY.test(log)) {
        resolve(undefined);
      }
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`code-server ended with ${code}:\n${log}`)));
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(late);
    }
  };
  try {
    await ready;
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `http://127.0.0.1:${port}/`, stop };
}
