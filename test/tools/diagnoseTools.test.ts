import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { installedPackage, torchBackend } from '../../src/core/tools/pythonPackages';
import { optionsOfHelp, optionsOfPythonSource, versionIn } from '../../src/core/tools/toolOptions';
import { diagnoseTools } from '../../src/node/tools/diagnoseTools';
import { runCli } from '../support/cli';

const folders: string[] = [];
function fresh(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'modelfile-studio-test-')));
  folders.push(folder);
  return folder;
}
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** An environment as venv lays it out, with an interpreter that would leave a trace if it were run. */
function environment(prefix: string, packages: readonly string[], torch?: string): string {
  const site = join(prefix, 'lib', 'python3.11', 'site-packages');
  mkdirSync(join(prefix, 'bin'), { recursive: true });
  packages.forEach((name) => mkdirSync(join(site, name), { recursive: true }));
  writeFileSync(join(prefix, 'bin', 'python3'), `#!/bin/sh\ntouch '${prefix}/was-run'\n`, { mode: 0o755 });
  if (torch !== undefined) {
    mkdirSync(join(site, 'torch'), { recursive: true });
    writeFileSync(join(site, 'torch', 'version.py'), torch);
  }
  return prefix;
}

describe.skipIf(process.platform === 'win32')('the tools of others', () => {
  it('are found in every place where environments lie, each once, and no Python is run', async () => {
    const home = fresh();
    const work = fresh();
    const venv = environment(join(work, '.venv'), [
      'mlx_lm-0.32.0.dist-info',
      'mlx-0.30.1.dist-info',
      'numpy-2.0.0.dist-info',
    ]);
    const torch = "__version__ = '2.9.1+cu128'\ncuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n";
    const conda = environment(
      join(home, 'miniconda3/envs/train'),
      ['peft-0.17.1.dist-info', 'torch-2.9.1.dist-info'],
      torch,
    );
    const elsewhere = environment(join(home, 'else/where'), ['unsloth-2025.11.1.dist-info']);
    const uv = environment(join(home, '.local/share/uv/tools/axolotl'), ['axolotl-0.12.0.dist-info']);
    const pyenv = environment(join(home, '.pyenv/versions/3.11.9'), ['transformers-5.1.0.dist-info']);
    const path = environment(join(home, 'plain'), ['gguf-0.17.1.dist-info']);
    mkdirSync(join(home, '.conda'));
    writeFileSync(join(home, '.conda/environments.txt'), `${elsewhere}\n${conda}\n`);
    const env = { HOME: home, PATH: ['.', 'bin', join(path, 'bin')].join(delimiter) };
    const { pythons, checks } = await diagnoseTools([work], { env });
    expect(
      pythons.map(({ prefix, origin, packages }) => [
        prefix,
        origin,
        packages.map(({ name, version }) => `${name} ${version}`),
      ]),
    ).toEqual([
      [venv, 'workspace', ['mlx-lm 0.32.0', 'mlx 0.30.1']],
      [elsewhere, 'conda', ['unsloth 2025.11.1']],
      [conda, 'conda', ['peft 0.17.1', 'torch 2.9.1']],
      [uv, 'uv', ['axolotl 0.12.0']],
      [pyenv, 'pyenv', ['transformers 5.1.0']],
      [path, 'path', ['gguf 0.17.1']],
    ]);
    expect(checks.map(({ text }) => text)).toContain(`${conda} (3.11) · peft 0.17.1 · torch 2.9.1 for CUDA 12.8`);
    expect(checks.filter(({ status }) => status === 'problem')).toEqual([]);
    for (const prefix of [venv, conda, elsewhere, uv, pyenv, path]) {
      expect(existsSync(join(prefix, 'was-run')), prefix).toBe(false);
    }
  });

  it('are those that were named first; a name that stands for nothing is a problem that says so', async () => {
    const home = fresh();
    const named = environment(join(home, 'a b; $(id)'), ['peft-0.17.1.dist-info']);
    const found = await diagnoseTools([home], { env: { HOME: home, PATH: '' }, python: join(named, 'bin/python3') });
    expect(found.pythons[0]).toMatchObject({ prefix: named, origin: 'setting' });
    const missing = await diagnoseTools([home], {
      env: { HOME: home, MODELFILE_STUDIO_PYTHON: join(home, 'no/bin/python') },
    });
    expect(missing.checks[0]).toMatchObject({
      status: 'problem',
      text: `${join(home, 'no/bin/python')}: no Python environment`,
    });
  });

  it('of llama.cpp: the named folder before PATH, what each offers, and the command that brings the rest', async () => {
    const home = fresh();
    const source = join(home, 'llama');
    const program = (folder: string, name: string, version: string): void => {
      mkdirSync(folder, { recursive: true });
      const text = `#!/bin/sh\nif [ "$1" = --version ]; then echo 'version: ${version} (ab12)' >&2; exit 0; fi\necho 'usage: x [--help] [--pure] in out'; exit 1\n`;
      writeFileSync(join(folder, name), text, { mode: 0o755 });
    };
    program(join(source, 'build/bin'), 'llama-quantize', '8123');
    program(join(home, 'bin'), 'llama-quantize', '1');
    program(join(home, 'bin'), 'llama-imatrix', '2');
    writeFileSync(
      join(source, 'convert_hf_to_gguf.py'),
      'parser.add_argument(\n  "-o", "--outfile", type=Path)\nparser.add_argument("--no-mtp", help="not \\"--this\\"")\n',
    );
    const env = {
      HOME: home,
      PATH: `${join(home, 'bin')}${delimiter}/usr/bin${delimiter}/bin`,
      MODELFILE_STUDIO_LLAMA_CPP: source,
    };
    const { programs, checks } = await diagnoseTools([home], { env });
    const found = programs.filter(({ name, path }) => path !== undefined && name !== 'docker');
    expect(found).toEqual([
      {
        name: 'convert_hf_to_gguf.py',
        path: join(source, 'convert_hf_to_gguf.py'),
        options: ['--no-mtp', '--outfile'],
      },
      {
        name: 'llama-quantize',
        path: join(source, 'build/bin/llama-quantize'),
        version: '8123',
        options: ['--help', '--pure'],
      },
      { name: 'llama-imatrix', path: join(home, 'bin/llama-imatrix'), version: '2', options: ['--help', '--pure'] },
    ]);
    const note = checks.find(({ name, status }) => name === 'llama.cpp' && status === 'note');
    expect(note?.text).toContain('no convert_lora_to_gguf.py, llama-perplexity, llama-gguf-split');
    expect(note?.next).toContain('MODELFILE_STUDIO_LLAMA_CPP');
  });

  it('planted in the working folder are not run by relative folders of PATH', async () => {
    const work = fresh();
    const marker = join(work, 'was-run');
    for (const name of ['llama-quantize', 'docker']) {
      writeFileSync(join(work, name), `#!/bin/sh\ntouch '${marker}'\n`, { mode: 0o755 });
    }
    const run = await runCli(['doctor', '--json'], { cwd: work, env: { PATH: `.${delimiter}bin`, HOME: work } });
    expect((run.json['programs'] as { path?: string }[]).some(({ path }) => path?.startsWith(work) ?? false)).toBe(
      false,
    );
    expect(existsSync(marker)).toBe(false);
    expect(dirname(marker)).toBe(work);
  });
});

describe('what tools say of themselves', () => {
  it.each([
    ['mlx_lm-0.32.0.dist-info', 'mlx-lm', '0.32.0'],
    ['torch-2.9.1+cpu.dist-info', 'torch', '2.9.1+cpu'],
    ['peft-0.13.2-py3.11.egg-info', 'peft', '0.13.2'],
    ['PyYAML-6.0.dist-info', 'pyyaml', '6.0'],
  ])('%s', (folder, name, version) => {
    expect(installedPackage(folder)).toEqual({ name, version });
  });

  it('is nothing where the name is another', () => {
    expect(['peft', 'peft-0.1', '__pycache__', '-1.dist-info', 'a/b-1.dist-info'].map(installedPackage)).toEqual(
      Array(5).fill(undefined),
    );
  });

  it('torch: CUDA, ROCm, CPU, or not told', () => {
    expect(torchBackend("cuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n")).toBe('CUDA 12.8');
    expect(torchBackend("cuda = None\nhip = '6.4.2'\n")).toBe('ROCm 6.4.2');
    expect(torchBackend("__version__ = '2.6.0'\ncuda: Optional[str] = None\nhip: Optional[str] = None\n")).toBe('CPU');
    expect(torchBackend('')).toBeUndefined();
  });

  it('options and version, not what a description mentions', () => {
    const help =
      'usage: llama-quantize [--help] [--allow-requantize]\n       [--pure] [--imatrix] in.gguf type\n\n  --pure: Disable mixtures, see --other\n  -o,    --output FILE            where; not with --third\n';
    expect(optionsOfHelp(help)).toEqual(['--allow-requantize', '--help', '--imatrix', '--output', '--pure']);
    expect(optionsOfPythonSource(`p.add_argument('-m', '--model', help="see '--other'")`)).toEqual(['--model']);
    expect(versionIn('Docker version 28.1.1, build 4eba377')).toBe('28.1.1');
    expect(versionIn('version: 0.7.0 (Debian)')).toBe('0.7.0');
    expect(versionIn('no such thing')).toBeUndefined();
  });
});
