import { isAbsolute, relative, resolve } from 'node:path';
import * as z from 'zod/mini';
import { parseFileType } from '../../core/engine/fileTypes';
import { parseModelName } from '../../core/ollama/modelName';

const PATH = z.string().check(
  z.minLength(1),
  z.maxLength(4096),
  z.refine((path) => !path.includes('\0'), 'A path holds no NUL.'),
);
const TYPE = z
  .string()
  .check(z.refine((type) => parseFileType(type) !== undefined, 'This is no type that is built in.'));
const NAME = z
  .string()
  .check(
    z.refine((name) => /^[A-Za-z0-9]/.test(name) && parseModelName(name) !== undefined, 'Ollama takes no such name.'),
  );
/** A folder, with a weight behind it where one is wanted. */
const ADAPTERS = z.array(PATH).check(z.maxLength(64));
const FORCE = z.optional(z.boolean());

const common = { type: z.literal('modelfile-studio') };

/** A task of tasks.json: `type` is VS Code's, the type of the result is `to`. */
const DEFINITION = z.discriminatedUnion('command', [
  z.object({
    ...common,
    command: z.literal('build'),
    base: PATH,
    adapters: z.optional(ADAPTERS),
    to: TYPE,
    out: PATH,
    force: FORCE,
  }),
  z.object({
    ...common,
    command: z.literal('fuse'),
    base: PATH,
    adapters: ADAPTERS.check(z.minLength(1)),
    out: PATH,
    force: FORCE,
  }),
  z.object({ ...common, command: z.literal('convert'), base: PATH, to: TYPE, out: PATH, force: FORCE }),
  z.object({ ...common, command: z.literal('quantize'), input: PATH, to: TYPE, out: PATH, force: FORCE }),
  z.object({
    ...common,
    command: z.literal('create'),
    name: NAME,
    base: z.optional(PATH),
    adapters: z.optional(ADAPTERS),
    to: z.optional(TYPE),
    files: z.optional(z.array(PATH).check(z.maxLength(1))),
    force: FORCE,
  }),
  z.object({ ...common, command: z.literal('lint'), files: z.array(PATH).check(z.minLength(1), z.maxLength(1000)) }),
]);

type Definition = z.infer<typeof DEFINITION>;

export type TaskArguments =
  | { readonly ok: true; readonly args: readonly string[]; readonly definition: Definition }
  | { readonly ok: false; readonly reason: string };

/** The command line of a task; relative paths are taken from the folder of the workspace, so that none can pass for an option. */
export function taskArguments(definition: unknown, folder: string): TaskArguments {
  const parsed = DEFINITION.safeParse(definition);
  if (!parsed.success) {
    return {
      ok: false,
      reason: parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'task'}: ${message}`).join('; '),
    };
  }
  return {
    ok: true,
    definition: parsed.data,
    args: argsOf(parsed.data, (path) => (isAbsolute(path) ? path : resolve(folder, path))),
  };
}

function argsOf(task: Definition, at: (path: string) => string): string[] {
  const force = task.command !== 'lint' && task.force === true ? ['--force'] : [];
  const adapters = (paths: readonly string[] | undefined): string[] =>
    (paths ?? []).flatMap((path) => ['--adapter', at(path)]);
  switch (task.command) {
    case 'build':
      return [
        'build',
        '--base',
        at(task.base),
        ...adapters(task.adapters),
        '--type',
        task.to,
        '--out',
        at(task.out),
        ...force,
      ];
    case 'fuse':
      return ['fuse', '--base', at(task.base), ...adapters(task.adapters), '--out', at(task.out), ...force];
    case 'convert':
      return ['convert', '--base', at(task.base), '--type', task.to, '--out', at(task.out), ...force];
    case 'quantize':
      return ['quantize', at(task.input), at(task.out), task.to, ...force];
    case 'create':
      return task.base === undefined
        ? [
            'create',
            task.name,
            '-f',
            at(task.files?.[0] ?? 'Modelfile'),
            ...(task.to === undefined ? [] : ['--quantize', task.to]),
            ...force,
          ]
        : [
            'create',
            task.name,
            '--base',
            at(task.base),
            ...adapters(task.adapters),
            ...(task.to === undefined ? [] : ['--type', task.to]),
            ...force,
          ];
    case 'lint':
      return ['lint', ...task.files.map(at)];
  }
}

/** The definition of a task that runs a command line of ours; undefined where no task says the same. Paths below the folder are relative. */
export function taskDefinition(args: readonly string[], folder: string): Definition | undefined {
  const words = [...args];
  const workers = words.indexOf('--workers');
  if (workers >= 0) {
    // How many threads is a setting of each machine.
    words.splice(workers, 2);
  }
  const [command, first, second, third] = words;
  const option = (name: string): string | undefined => {
    const at = words.indexOf(name);
    return at < 0 ? undefined : words[at + 1];
  };
  const shown = (path: string | undefined): string | undefined => {
    const way = path === undefined ? '' : relative(folder, path);
    return way === '' || isAbsolute(way) || way.startsWith('..') ? path : way.replaceAll('\\', '/');
  };
  const adapters = words.flatMap((word, index) => (words[index - 1] === '--adapter' ? [shown(word) ?? word] : []));
  const file = option('-f');
  const fields = {
    type: 'modelfile-studio',
    command,
    ...(command === 'quantize'
      ? { input: shown(first), out: shown(second), to: third }
      : { out: shown(option('--out')) }),
    ...(command === 'create' ? { name: first, files: file === undefined ? undefined : [shown(file)] } : {}),
    base: shown(option('--base')),
    adapters: adapters.length === 0 ? undefined : adapters,
    to: (command === 'quantize' ? third : undefined) ?? option('--type') ?? option('--quantize'),
  };
  const definition: unknown = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const parsed = taskArguments(definition, folder);
  // Only what says exactly the same is a task.
  return parsed.ok && parsed.args.join('\0') === words.join('\0') ? parsed.definition : undefined;
}
