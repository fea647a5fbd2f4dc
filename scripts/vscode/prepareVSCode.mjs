// Packages the extension and the tests' probe, and installs both into a folder of extensions of a fresh VS Code.
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { installExtensions } from './codeServer.mjs';

const root = join(import.meta.dirname, '../..');

const run = (command, args, options = {}) => {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (status !== 0) {
    throw new Error(
      `${command} ${args.slice(0, 2).join(' ')} failed${error === undefined ? '' : `: ${error.message}`}`,
    );
  }
};

/** Builds the packaged extension, exactly as it is published, and gives its path. */
export function packageExtension(folder) {
  const file = join(folder, 'modelfile-studio.vsix');
  run(process.execPath, ['esbuild.mjs', '--minify']);
  run(
    process.execPath,
    [
      'node_modules/@vscode/vsce/vsce',
      'package',
      '--no-dependencies',
      '--no-rewrite-relative-links',
      '--allow-missing-repository',
      '--out',
      file,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return file;
}

/** The tests' own extension. */
function packageProbe(folder) {
  const file = join(folder, 'probe.vsix');
  run(
    process.execPath,
    [
      join(root, 'node_modules/@vscode/vsce/vsce'),
      'package',
      '--no-dependencies',
      '--allow-missing-repository',
      '--skip-license',
      '--out',
      file,
    ],
    { cwd: join(root, 'test/support/probe'), stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return file;
}

/**
 * @param profile an empty folder
 * @param options.vsix an extension that is packaged already; MODELFILE_STUDIO_VSIX by default
 * @returns the environment for test/support/vscode.ts; undefined where there is no VS Code
 */
export function prepareVSCode(profile, { vsix = process.env.MODELFILE_STUDIO_VSIX } = {}) {
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, '../install/installCodeServer.mjs')],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [server, browser] = stdout.trim().split('\n').slice(-2);
  if (status !== 0 || server === undefined || browser === undefined) {
    return undefined;
  }
  installExtensions(server, profile, [vsix ?? packageExtension(profile), packageProbe(profile)]);
  const extensions = join(profile, 'extensions');
  if (readdirSync(extensions).filter((name) => name.startsWith('modelfile-studio')).length < 2) {
    throw new Error(`VS Code installed ${readdirSync(extensions).join(', ')} only`);
  }
  rmSync(join(profile, 'user'), { recursive: true, force: true });
  return { CODE_SERVER_BIN: server, CHROMIUM_BIN: browser, MODELFILE_STUDIO_EXTENSIONS: extensions };
}
