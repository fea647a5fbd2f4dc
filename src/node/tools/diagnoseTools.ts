import { TOOL_VARIABLES } from '../../core/tools/toolVariables';
import type { SetupCheck } from '../process/diagnoseSetup';
import { findPrograms, LLAMA_CPP_TOOLS, type FoundProgram } from './findPrograms';
import { findPythons, type PythonEnvironment } from './findPythons';

export interface ToolsFound {
  readonly pythons: readonly PythonEnvironment[];
  readonly programs: readonly FoundProgram[];
  readonly checks: readonly SetupCheck[];
}

const MLX = process.platform === 'darwin' ? 'pip install mlx-lm' : "pip install 'mlx[cpu]' mlx-lm";
const PEFT = 'pip install peft';

/**
 * The tools of others that people may have beside ours: all of them are optional, so what is missing is a note with the one command
 * that brings it. Nothing is installed, and no Python is run.
 * @param folders the folders that are worked in
 * @throws StudioError run/cancelled
 */
export async function diagnoseTools(
  folders: readonly string[],
  {
    env = process.env,
    python,
    signal,
  }: {
    readonly env?: NodeJS.ProcessEnv | undefined;
    /** An interpreter or environment besides the one that the variable names. */
    readonly python?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<ToolsFound> {
  const named = [env[TOOL_VARIABLES.python], python].filter((path) => path !== undefined && path !== '') as string[];
  const places = { env, signal };
  const [pythons, llama, docker] = await Promise.all([
    findPythons(named, folders, env),
    findPrograms(LLAMA_CPP_TOOLS, { ...places, named: env[TOOL_VARIABLES.llamaCpp] }),
    findPrograms(['docker'], { ...places, named: env[TOOL_VARIABLES.docker] }),
  ]);
  return {
    pythons,
    programs: [...llama, ...docker],
    checks: [...pythonChecks(pythons, named), ...llamaChecks(llama), dockerCheck(docker[0]!)],
  };
}

function pythonChecks(pythons: readonly PythonEnvironment[], named: readonly string[]): SetupCheck[] {
  const name = 'Python';
  const shown = pythons.filter(({ packages, origin }) => packages.length > 0 || origin === 'setting');
  const checks: SetupCheck[] = shown.map(({ prefix, version, packages, torch }) => ({
    name,
    status: 'ok',
    text: [
      `${prefix}${version === undefined ? '' : ` (${version})`}`,
      ...(packages.length === 0 ? ['none of mlx-lm, PEFT, torch'] : []),
      ...packages.map(
        (one) => `${one.name} ${one.version}${one.name === 'torch' && torch !== undefined ? ` for ${torch}` : ''}`,
      ),
    ].join(' · '),
  }));
  const missing = [
    ...(has(pythons, 'mlx-lm') ? [] : [`mlx-lm: ${MLX}`]),
    ...(has(pythons, 'peft') ? [] : [`PEFT: ${PEFT}`]),
  ];
  if (named.length > 0 && !pythons.some(({ origin }) => origin === 'setting')) {
    checks.unshift({
      name,
      status: 'problem',
      text: `${named.join(', ')}: no Python environment`,
      next: `Name an interpreter (…/.venv/bin/python) or its environment in ${TOOL_VARIABLES.python}, or in the setting modelfileStudio.tools.python.`,
    });
  }
  if (missing.length > 0) {
    checks.push({
      name,
      status: 'note',
      text: `no ${missing.map((one) => one.split(':', 1)[0]).join(', no ')}: not needed, fuse, convert and quantize work without Python`,
      next: `If you want it: ${missing.map((one) => one.slice(one.indexOf(': ') + 2)).join('; ')}`,
    });
  }
  return checks;
}

function has(pythons: readonly PythonEnvironment[], wanted: string): boolean {
  return pythons.some(({ packages }) => packages.some(({ name }) => name === wanted));
}

function llamaChecks(programs: readonly FoundProgram[]): SetupCheck[] {
  const name = 'llama.cpp';
  const checks: SetupCheck[] = programs
    .filter(({ path }) => path !== undefined)
    .map((program) => ({
      name,
      status: 'ok',
      text: `${program.name}${program.version === undefined ? '' : ` ${program.version}`} · ${program.path ?? ''}`,
    }));
  const missing = programs.filter(({ path }) => path === undefined).map((program) => program.name);
  if (missing.length > 0) {
    checks.push({
      name,
      status: 'note',
      text: `no ${missing.join(', ')}: not needed, convert and quantize do the same`,
      next: `If you want ${missing.length === 1 ? 'it' : 'them'}: ${missing.every((one) => one.endsWith('.py')) ? 'git clone https://github.com/ggml-org/llama.cpp' : installLlama()}; name the folder in ${TOOL_VARIABLES.llamaCpp}, or in the setting modelfileStudio.tools.llamaCpp.`,
    });
  }
  return checks;
}

function installLlama(): string {
  switch (process.platform) {
    case 'win32':
      return 'winget install llama.cpp';
    default:
      return 'brew install llama.cpp';
  }
}

function dockerCheck({ path, version }: FoundProgram): SetupCheck {
  const name = 'Docker';
  return path === undefined
    ? {
        name,
        status: 'note',
        text: 'not found: not needed',
        next: 'If you want it: https://docs.docker.com/get-docker/',
      }
    : { name, status: 'ok', text: `${version ?? 'no version told'} · ${path}` };
}
