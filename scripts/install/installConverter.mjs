// Puts llama.cpp's own converter and PEFT into the cache folder, for the tests that compare with them: `node scripts/install/installConverter.mjs`
// prints the path of a Python that runs both. Python, torch and transformers come from Debian sid in a folder of their own (nothing of
// the system is touched), PEFT from PyPI, the converter from the source that node-llama-cpp brings. Needs Linux on x86-64 with apt-get,
// dpkg and git. MODELFILE_STUDIO_DEBIAN_SID names a sid folder that has the packages already.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installFromSid } from './debianSid.mjs';
import { cacheDirectory } from '../go/buildOracle.mjs';

const PACKAGES = [
  'python3-torch',
  'python3-transformers',
  'python3-safetensors',
  'python3-sentencepiece',
  'python3-yaml',
  'python3-tqdm',
  'python3-psutil',
  'python3-pip',
  'libopenblas0-pthread',
];
/** The newest when these tests were written, and not their dependencies: torch is Debian's. */
const FROM_PYPI = ['peft==0.21.2', 'accelerate==1.15.0'];

const folder = join(cacheDirectory(), 'converter');
const bundle = fileURLToPath(new URL('../../node_modules/node-llama-cpp/llama/gitRelease.bundle', import.meta.url));

/** llama.cpp's source. */
export const CONVERTER_SOURCE = join(folder, 'llama.cpp');

/** A Python with torch, transformers and PEFT beside the converter's source; undefined where that is not installed. */
export function findConverter() {
  const python = join(folder, 'python');
  const works =
    existsSync(python) &&
    existsSync(join(CONVERTER_SOURCE, 'convert_hf_to_gguf.py')) &&
    spawnSync(python, ['-c', 'import torch, transformers, peft'], { stdio: 'ignore' }).status === 0;
  return works ? python : undefined;
}

function install() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `The converter is installed from Debian for Linux on x86-64, and this is ${process.platform} on ${process.arch}.`,
    );
  }
  mkdirSync(folder, { recursive: true });
  const named = process.env.MODELFILE_STUDIO_DEBIAN_SID;
  const root = named === undefined || named === '' ? join(folder, 'debian') : named;
  if (root !== named) {
    installFromSid(root, PACKAGES, 'usr/bin/python3');
  }
  const python = join(folder, 'python');
  writeFileSync(python, wrapper(root));
  chmodSync(python, 0o755);
  execFileSync(
    python,
    [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--no-deps',
      '--break-system-packages',
      '--upgrade',
      '--target',
      join(folder, 'site'),
      ...FROM_PYPI,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  if (!existsSync(CONVERTER_SOURCE)) {
    execFileSync('git', ['clone', '--quiet', bundle, CONVERTER_SOURCE], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
}

/** Python of another Debian without a chroot: its own loader with its own libraries, and BLAS where no alternatives were set up. */
function wrapper(root) {
  const libraries = join(
    root,
    'usr/lib',
    readdirSync(join(root, 'usr/lib')).find((name) => name.endsWith('-linux-gnu')),
  );
  const loader = join(
    libraries,
    readdirSync(libraries).find((name) => /^ld-linux.*\.so/.test(name)),
  );
  const binary = readdirSync(join(root, 'usr/bin')).find((name) => /^python3\.\d+$/.test(name));
  return [
    '#!/bin/sh',
    `export PYTHONHOME='${join(root, 'usr')}' PYTHONPATH='${join(folder, 'site')}' HF_HUB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1`,
    `exec '${loader}' --library-path '${[libraries, join(libraries, 'openblas-pthread'), join(libraries, 'lapack'), join(root, 'usr/lib')].join(':')}' '${join(root, 'usr/bin', binary)}' "$@"`,
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    if (findConverter() === undefined) {
      install();
    }
    const python = findConverter();
    if (python === undefined) {
      throw new Error('Python was installed, but it does not load torch, transformers and PEFT on this machine.');
    }
    process.stdout.write(`${python}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
