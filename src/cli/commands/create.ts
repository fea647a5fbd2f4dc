import { dirname, join } from 'node:path';
import { escapeControls } from '../../core/escapeControls';
import { formatBytes, formatSeconds } from '../../core/formatBytes';
import { createModel, type CreatedModel } from '../../node/createModel';
import { readSmallFile } from '../../node/textFile';
import type { Command, CommandContext, CommandResult, OptionValues } from '../command';
import { follow } from '../follow';
import { modelText, ollamaClient, OLLAMA_OPTIONS } from '../ollama';
import { fileType, flag, text, usageError, workerCount } from '../options';

const MODELFILE_OPTIONS = { file: { type: 'string', short: 'f' }, quantize: { type: 'string', short: 'q' }, force: { type: 'boolean' }, keep: { type: 'boolean' }, workers: { type: 'string' }, ...OLLAMA_OPTIONS } as const;

export const create: Command = {
  name: 'create',
  usage: 'NAME -f Modelfile [--quantize T] [--force] [--keep] [--host ADDRESS] [--workers N]',
  does: 'a model in Ollama, from a Modelfile',
  options: MODELFILE_OPTIONS,
  async run(positionals, options, context) {
    const [name, ...rest] = positionals;
    if (name === undefined || rest.length > 0) {
      throw usageError('create takes one name. For example: create rugby -f Modelfile');
    }
    return await createFromModelfile(name, options, context);
  },
};

async function createFromModelfile(name: string, options: OptionValues, context: CommandContext): Promise<CommandResult> {
  const path = text(options, 'file') ?? 'Modelfile';
  const wanted = text(options, 'quantize');
  const request = {
    name, path,
    modelfile: await readSmallFile(path, context.signal),
    force: flag(options, 'force'),
    quantize: wanted === undefined ? undefined : fileType(wanted),
    keepIn: flag(options, 'keep') ? dirname(path) : undefined,
  };
  const model = await follow(createModel(request, {
    client: ollamaClient(options),
    signal: context.signal,
    workers: workerCount(options),
    workerScript: join(context.bundleFolder, 'worker.js'),
  }), context);
  return reportCreated(model, context);
}

/** What `create` answers, whatever the model was made of. */
export function reportCreated(model: CreatedModel, { palette }: CommandContext): CommandResult {
  const { seconds, uploadedBytes, answer, previous, kept, warnings, ...rest } = model;
  const json = {
    ok: true, ...rest,
    ...(answer === undefined ? {} : { answer }),
    ...(previous === undefined ? {} : { previous }),
    ...(kept.length === 0 ? {} : { kept }),
    uploadedBytes,
    seconds: Number(seconds.toFixed(3)),
    warnings,
  };
  const lines = [
    `${palette.good('Created')}   ${escapeControls(model.name)} · ${model.route} · ${uploadedBytes === 0 ? 'nothing to upload' : `${formatBytes(uploadedBytes)} uploaded`} · ${seconds < 10 ? `${seconds.toFixed(1)} s` : formatSeconds(seconds)}`,
    ...(previous === undefined ? [] : [`Previous  ${escapeControls(previous)}`]),
    ...kept.map((path) => `Kept      ${escapeControls(path)}`),
    ...(answer === undefined ? [] : [`Answer    ${modelText(answer).trim().replace(/\n/g, '\n          ')}`]),
    ...warnings.map(({ message }) => `${palette.warning('!')} ${escapeControls(message)}`),
  ];
  return { exitCode: 0, json, text: lines.join('\n') };
}
