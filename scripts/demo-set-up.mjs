// What the demo needs before it can begin: the packages of the lock file, a Node that is new enough, and the bundles in dist/.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const OLDEST_NODE = 22;

/** A reason to stop that a person can act on. */
export class DemoError extends Error {}

/** The Node that runs the bundles: this one if it is new enough, else the one that npm installed. */
export function findNode(root) {
  if (Number(process.versions.node.split('.')[0]) >= OLDEST_NODE) {
    return process.execPath;
  }
  const installed = join(root, 'node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (!existsSync(installed)) {
    throw new DemoError(
      `This is Node ${process.versions.node}, and Node ${OLDEST_NODE} or later is needed. The copy that npm installs (node_modules/node) is missing: its install script was not allowed to run. Install Node ${OLDEST_NODE} or later and run npm run demo again.`,
    );
  }
  return installed;
}

/** Installs and builds what is missing; says what it does, and nothing when there is nothing to do. */
export function setUp(root, say) {
  const missing = missingPackages(root);
  if (missing.length > 0) {
    say(`Set-up: npm ci, ${missing.length} of the packages that it needs are missing (once; a minute or two)…`);
    installPackages(root);
  }
  const node = findNode(root);
  if (isStale(root)) {
    say('Set-up: building dist/…');
    run(node, ['esbuild.mjs'], root, 'The build failed. Run npm run build to see why.');
  }
  return node;
}

/** Packages of the lock file that are not installed in its version; those for other platforms do not count. */
function missingPackages(root) {
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted)
    .filter(([path, { optional }]) => path.startsWith('node_modules/') && optional !== true)
    .filter(([path, { version }]) => installedVersion(join(root, path)) !== version)
    .map(([path]) => path);
}

function installedVersion(folder) {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
  } catch {
    return undefined;
  }
}

function installPackages(root) {
  const advice =
    'npm ci failed. Look at what it says above, see that the registry can be reached, and run npm ci by hand.';
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  // npm tells its scripts where it is; without it, the shell finds npm (npm.cmd on Windows, which needs one).
  const npm = process.env.npm_execpath;
  if (npm !== undefined && /\.c?js$/.test(npm)) {
    run(process.env.npm_node_execpath ?? process.execPath, [npm, ...args], root, advice);
  } else {
    run('npm', args, root, advice, process.platform === 'win32');
  }
}

function run(command, args, root, advice, shell = false) {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    shell,
    maxBuffer: 1 << 28,
  });
  if (status !== 0) {
    process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
    throw new DemoError(error === undefined ? advice : `${advice} (${error.message})`);
  }
}

/** Whether a source is newer than the bundles. */
function isStale(root) {
  const built = join(root, 'dist/cli.js');
  if (!existsSync(built) || !existsSync(join(root, 'dist/worker.js'))) {
    return true;
  }
  const since = statSync(built).mtimeMs;
  return ['esbuild.mjs', 'package-lock.json', 'scripts/build-kernels.mjs', 'src'].some((path) =>
    changedSince(join(root, path), since),
  );
}

function changedSince(path, since) {
  const stat = statSync(path);
  if (!stat.isDirectory()) {
    return stat.mtimeMs > since;
  }
  // The compiled kernels are made by the build itself, and by other scripts too.
  const names = readdirSync(path).filter((name) => !path.endsWith('kernels') || name !== 'build');
  return names.some((name) => changedSince(join(path, name), since));
}
