// Real VS Code for the end-to-end tests: code-server from npm, built with Node 24, and Debian's Chromium.
// `node scripts/install/installCodeServer.mjs` prints both paths. CODE_SERVER_BIN and CHROMIUM_BIN come first; what is missing is said plainly.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from '../go/buildOracle.mjs';

const VERSION = '4.139.1';
/** Names under which distributions and vendors install Chromium. */
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

const home = () => join(cacheDirectory(), `code-server-${VERSION}`);
const answers = (path) => spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0;
/** A name as the file that PATH leads to; a path as it is. */
const onPath = (name) =>
  name?.includes('/')
    ? name
    : process.env.PATH.split(delimiter)
        .map((folder) => join(folder, name ?? ''))
        .find((path) => name && existsSync(path));
const first = (names) => names.map(onPath).find((path) => path !== undefined && answers(path));

/** A code-server that runs; undefined where there is none. */
export function findCodeServer() {
  return first([process.env.CODE_SERVER_BIN, join(home(), 'code-server'), 'code-server']);
}

/** A Chromium that runs; undefined where there is none. */
export function findChromium() {
  return first([process.env.CHROMIUM_BIN, ...BROWSERS]);
}

const run = (command, args, options = {}) => {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2], ...options });
  if (status !== 0) {
    throw new Error(
      `${command} ${args.slice(0, 3).join(' ')} failed${error === undefined ? '' : `: ${error.message}`}`,
    );
  }
};

/** Debian packages need root and apt-get; without them the names are told. */
function installPackages(names) {
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0) {
    throw new Error(`install ${names.join(' and ')} yourself (apt-get as root was not possible here)`);
  }
  run('apt-get', ['update', '-qq']);
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

const npm = (folder, args, env = {}) => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private": true}\n');
  // What an outer `npm run` says of itself (its Node among it) is not true of this one.
  const outer = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_(?:config_user_agent|node_execpath|execpath|lifecycle|package|command)/.test(name),
    ),
  );
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...args], {
    cwd: folder,
    env: { ...outer, ...env },
  });
};

/** Node 24 and code-server live in two folders: npm would remove the one's binary while it builds the other. */
function installCodeServer() {
  if (process.platform !== 'linux') {
    throw new Error('code-server is installed on Linux only; set CODE_SERVER_BIN');
  }
  if (!existsSync('/usr/include/gssapi/gssapi.h') && !existsSync('/usr/include/gssapi.h')) {
    installPackages(['libkrb5-dev']);
  }
  const nodeFolder = join(home(), 'node');
  const serverFolder = join(home(), 'server');
  rmSync(home(), { recursive: true, force: true });
  npm(nodeFolder, ['node@24']);
  const nodeRoot = join(nodeFolder, 'node_modules/node/node_modules', `node-linux-${process.arch}`);
  const bin = join(existsSync(nodeRoot) ? nodeRoot : join(nodeFolder, 'node_modules/node'), 'bin');
  npm(serverFolder, ['--unsafe-perm', `code-server@${VERSION}`], {
    PATH: `${bin}${delimiter}${process.env.PATH}`,
    npm_config_nodedir: nodeRoot,
  });
  const wrapper = join(home(), 'code-server');
  writeFileSync(
    wrapper,
    `#!/bin/sh\nexec '${join(bin, 'node')}' '${join(serverFolder, 'node_modules/code-server/out/node/entry.js')}' "$@"\n`,
  );
  chmodSync(wrapper, 0o755);
}

/** Runs one step; its failure is told and does not stop the other. */
const attempt = (what, find, install) => {
  try {
    if (find() === undefined) {
      install();
    }
  } catch (error) {
    process.stderr.write(`${what}: ${error.message}\n`);
  }
  return find();
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const browser = attempt('Chromium', findChromium, () => installPackages(['chromium']));
  const server = attempt('code-server', findCodeServer, installCodeServer);
  if (browser === undefined || server === undefined) {
    process.stderr.write(
      `Missing: ${[server === undefined ? 'code-server (CODE_SERVER_BIN)' : '', browser === undefined ? 'Chromium (CHROMIUM_BIN)' : ''].filter(Boolean).join(' and ')}.\n`,
    );
    process.exit(1);
  }
  process.stdout.write(`${server}\n${browser}\n`);
}
