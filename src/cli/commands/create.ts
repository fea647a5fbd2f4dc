import { dirname, join } from 'node:path';
import { PLAIN } from '../../core/engine/describePlan';
import { createPrepared, prepareCreateModel } from '../../node/create/createModel';
import { readSmallFile } from '../../node/files/textFile';
import { ARTEFACT_OPTIONS } from '../artefactOptions';
import type { Command, CommandContext, CommandResult, OptionValues } from '../command';
import { follow } from '../follow';
import { ollamaClient, OLLAMA_OPTIONS } from '../ollama';
import { fileType, flag, text, usageError, workerCount } from '../options';
import { describeCreate } from '../describeCreate';
import { reportCreated } from '../reportCreated';
import { createFromArtefacts } from './createFromArtefacts';

const CREATE_OPTIONS = {
  ...ARTEFACT_OPTIONS,
  file: { type: 'string', short: 'f' },
  quantize: { type: 'string', short: 'q' },
  force: { type: 'boolean' },
  keep: { type: 'boolean' },
  'allow-requantize': { type: 'boolean' },
  workers: { type: 'string' },
  ...OLLAMA_OPTIONS,
} as const;

export const create: Command = {
  name: 'create',
  usage:
    'NAME (-f Modelfile [--quantize T] | --base DIR|F.gguf|MODEL [--adapter DIR[=W]]… [--type T] [--route R] [--library MODEL] [--system TEXT] [--temperature N] [--num-ctx N]) [--allow-requantize] [--dry-run] [--force] [--keep] [--host ADDRESS] [--workers N]',
  does: 'a model in Ollama, from a Modelfile or from a base and adapters',
  options: CREATE_OPTIONS,
  async run(positionals, options, context) {
    const [name, ...rest] = positionals;
    if (name === undefined || rest.length > 0) {
      throw usageError('create takes one name. For example: create rugby -f Modelfile');
    }
    const ofArtefacts = Object.keys(ARTEFACT_OPTIONS).filter(
      (option) => option !== 'dry-run' && options[option] !== undefined,
    );
    if (text(options, 'base') === undefined && ofArtefacts.length > 0) {
      throw usageError(
        `--${ofArtefacts[0]!} goes with --base. A Modelfile says such things itself (FROM, ADAPTER, PARAMETER); its type is given with --quantize.`,
      );
    }
    if (text(options, 'base') !== undefined && (text(options, 'file') ?? text(options, 'quantize')) !== undefined) {
      throw usageError('--base makes a Modelfile of its own: leave out --file, and give the type with --type.');
    }
    return await (text(options, 'base') === undefined ? createFromModelfile : createFromArtefacts)(
      name,
      options,
      context,
    );
  },
};

async function createFromModelfile(
  name: string,
  options: OptionValues,
  context: CommandContext,
): Promise<CommandResult> {
  const path = text(options, 'file') ?? 'Modelfile';
  const wanted = text(options, 'quantize');
  const request = {
    name,
    path,
    modelfile: await readSmallFile(path, context.signal),
    force: flag(options, 'force'),
    quantize: wanted === undefined ? undefined : fileType(wanted),
    keepIn: flag(options, 'keep') ? dirname(path) : undefined,
    allowRequantize: flag(options, 'allow-requantize'),
  };
  const run = {
    client: ollamaClient(options),
    signal: context.signal,
    workers: workerCount(options),
    workerScript: join(context.bundleFolder, 'worker.js'),
  };
  context.onEvent({ event: 'phase', phase: 'checking' });
  const prepared = await prepareCreateModel(request, run);
  if (flag(options, 'dry-run')) {
    const plan = describeCreate(prepared, PLAIN, run.workers);
    return {
      exitCode: 0,
      json: { ...plan.json, text: plan.text },
      text: describeCreate(prepared, context.palette, run.workers).text,
    };
  }
  if (prepared.builds.size > 0 || prepared.plan.pull !== undefined) {
    // What is done beyond sending files is said before it begins.
    context.say(describeCreate(prepared, context.palette, run.workers).text);
  }
  return reportCreated(await follow(createPrepared(prepared, run), context), context);
}
