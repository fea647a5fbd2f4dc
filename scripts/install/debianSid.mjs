// Programs of Debian sid in a folder of their own, with all libraries down to libc, without touching the system: for tests with
// versions that the machine's own Debian does not have yet. Needs apt-get, dpkg and the Debian archive keyring.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SOURCE = 'http://deb.debian.org/debian sid main';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Options that give apt a state of its own, in which nothing is installed. */
function aptOptions(state) {
  for (const name of ['lists/partial', 'cache/archives/partial', 'downloads']) {
    mkdirSync(join(state, name), { recursive: true });
  }
  writeFileSync(join(state, 'sources.list'), `deb [signed-by=${KEYRING}] ${SOURCE}\n`);
  writeFileSync(join(state, 'status'), '');
  const settings = {
    'Dir::Etc::sourcelist': join(state, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': join(state, 'lists'),
    'Dir::State::status': join(state, 'status'),
    'Dir::Cache': join(state, 'cache'),
    'APT::Sandbox::User': 'root',
    'Acquire::Check-Valid-Until': 'false',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/**
 * Unpacks packages of sid and what they depend on, and writes a wrapper that runs one program of them.
 * @param folder where; an older one is written over
 * @param packages names
 * @param program path of the program in the packages, `usr/bin/nvim`
 * @param environment variables for the wrapper, values relative to `folder`
 * @returns path of the wrapper
 */
export function installFromSid(folder, packages, program, environment = {}) {
  if (!existsSync(KEYRING)) {
    throw new Error(`${KEYRING} is missing: install debian-archive-keyring.`);
  }
  const state = join(folder, 'apt');
  rmSync(folder, { recursive: true, force: true });
  const options = aptOptions(state);
  const apt = (args, cwd) =>
    execFileSync('apt-get', [...options, ...args], {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      maxBuffer: 1 << 26,
    });
  apt(['update', '-q']);
  const plan = apt(['install', '-s', '--no-install-recommends', ...packages]);
  const names = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1]);
  const downloads = join(state, 'downloads');
  apt(['download', ...names], downloads);
  for (const name of readdirSync(downloads)) {
    execFileSync('dpkg', ['-x', join(downloads, name), folder]);
  }
  rmSync(state, { recursive: true });
  const libraries = join(
    folder,
    'usr/lib',
    readdirSync(join(folder, 'usr/lib')).find((name) => name.endsWith('-linux-gnu')) ?? '',
  );
  const loader = join(libraries, readdirSync(libraries).find((name) => /^ld-linux.*\.so/.test(name)) ?? '');
  const variables = Object.entries(environment).map(([name, value]) => `export ${name}='${join(folder, value)}'\n`);
  const wrapper = join(folder, 'run');
  writeFileSync(
    wrapper,
    `#!/bin/sh\n${variables.join('')}exec '${loader}' --library-path '${libraries}' '${join(folder, program)}' "$@"\n`,
  );
  chmodSync(wrapper, 0o755);
  return wrapper;
}
