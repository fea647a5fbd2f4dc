import { existsSync, statSync } from 'node:fs';
import { StudioError } from '../../core/errors';
import { escapeControls } from '../../core/escapeControls';
import { instruction } from '../../core/modelfile/writeModelfile';
import { parseModelName } from '../../core/ollama/modelName';
import type { LibraryModel, LibraryParameters } from '../../core/ollama/registryManifest';
import type { TemplateChoice } from '../../core/chatTemplate/chooseTemplate';
import { chooseTemplateFor } from '../../node/jinja/chooseTemplate';
import { lookUpModel, type LookedUpModel } from '../../node/registry/libraryLookup';
import type { Command, CommandContext, CommandResult } from '../command';
import { modelText, ollamaClient, OLLAMA_OPTIONS } from '../ollama';
import { flag, text, usageError } from '../options';

/** `template MODEL`: the TEMPLATE and parameters of a library model, or what fits a folder or GGUF by its own chat template. */
export const template: Command = {
  name: 'template',
  usage: 'MODEL|PATH [--params] [--adapter DIR] [--offline] [--registry HOST] [--host ADDRESS]',
  does: 'the template (and parameters) of a library or installed model, or for a folder or GGUF',
  options: {
    params: { type: 'boolean' },
    offline: { type: 'boolean' },
    registry: { type: 'string' },
    adapter: { type: 'string' },
    ...OLLAMA_OPTIONS,
  },
  async run(positionals, options, context) {
    const [model, ...rest] = positionals;
    if (model === undefined || rest.length > 0) {
      throw usageError('template takes one model or path. For example: template qwen3:0.6b');
    }
    const withParameters = flag(options, 'params');
    const adapter = text(options, 'adapter');
    if (isPath(model) || (adapter !== undefined && existsSync(model))) {
      return ofChoice(
        model,
        await chooseTemplateFor(model, { bundleFolder: context.bundleFolder, adapter, signal: context.signal }),
        withParameters,
        context,
      );
    }
    if (adapter !== undefined) {
      throw usageError(
        '--adapter goes with the folder or GGUF of its base. For example: template ./base --adapter ./lora',
      );
    }
    const found = await lookUpModel(model, {
      ollama: ollamaClient(options),
      offline: flag(options, 'offline'),
      registry: text(options, 'registry'),
      bundleFolder: context.bundleFolder,
      signal: context.signal,
    });
    return ofModel(found, withParameters, context);
  },
};

/** What looks like a path, is one and no name, or is a folder that is here: what is at hand is asked before another machine is. */
function isPath(text: string): boolean {
  return (
    /^(?:\.{1,2}(?:[\\/]|$)|[\\/~]|[A-Za-z]:[\\/])/.test(text) ||
    /\.gguf$/i.test(text) ||
    (parseModelName(text) === undefined ? existsSync(text) : isFolder(text))
  );
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function ofModel(
  { model, source, sourceNote }: LookedUpModel,
  withParameters: boolean,
  context: CommandContext,
): CommandResult {
  const lines = [...rendererLines(model), ...parameterLines(model.parameters)];
  const templateLine = model.template === undefined ? undefined : instruction('TEMPLATE', model.template);
  // The registry's licences are long; a Modelfile that takes the model by FROM has them anyway.
  const json = {
    ok: true,
    ...model,
    source,
    sourceNote,
    instructions: { ...(templateLine === undefined ? {} : { template: templateLine }), parameters: lines },
  };
  if (model.template === undefined && !withParameters) {
    if (context.json) {
      return { exitCode: 0, json, text: '' };
    }
    throw new StudioError(
      'template/missing',
      model.renderer === undefined
        ? `${escapeControls(model.name)} has no template of its own: Ollama uses the chat template in its GGUF.`
        : `${escapeControls(model.name)} has no template: Ollama writes its prompts itself, by RENDERER ${escapeControls(model.renderer)}. Run this with --params for RENDERER, PARSER and parameters.`,
    );
  }
  if (!withParameters && !context.json && !context.quiet && (source === 'bundled' || source === 'remembered')) {
    process.stderr.write(`${escapeControls(sourceNote)}\n`);
  }
  const body = withParameters
    ? [...(templateLine === undefined ? [] : [templateLine]), ...lines].join('\n')
    : (model.template ?? '');
  return { exitCode: 0, json, text: `${note(sourceNote, withParameters)}${modelText(body)}` };
}

/** As a comment where the text is a piece of a Modelfile; a bare template is printed as it is. */
function note(sourceNote: string, isModelfile: boolean): string {
  return isModelfile ? `# ${escapeControls(sourceNote)}\n` : '';
}

function rendererLines({ renderer, parser }: LibraryModel): string[] {
  return [
    ...(renderer === undefined ? [] : [instruction('RENDERER', renderer)]),
    ...(parser === undefined ? [] : [instruction('PARSER', parser)]),
  ];
}

function parameterLines(parameters: LibraryParameters): string[] {
  return Object.entries(parameters).flatMap(([name, value]) => {
    const values: readonly (string | number | boolean)[] = typeof value === 'object' ? value : [value];
    return values.map((one) => instruction('PARAMETER', String(one), name));
  });
}

function ofChoice(
  path: string,
  choice: TemplateChoice,
  withParameters: boolean,
  context: CommandContext,
): CommandResult {
  const lines = [
    ...choice.parameters.map(({ name, value }) => instruction('PARAMETER', String(value), name)),
    ...choice.stops.map(({ text: stop }) => instruction('PARAMETER', stop, 'stop')),
  ];
  const templateLine = choice.template === undefined ? undefined : instruction('TEMPLATE', choice.template);
  const json = {
    ok: true,
    path,
    ...choice,
    instructions: { ...(templateLine === undefined ? {} : { template: templateLine }), parameters: lines },
  };
  if (choice.template === undefined && !withParameters && !context.json) {
    throw new StudioError('template/missing', choice.notes.join(' '), { path });
  }
  const comments = choice.notes.map((sentence) => `# ${escapeControls(sentence)}\n`).join('');
  const body = withParameters
    ? [...(templateLine === undefined ? [] : [templateLine]), ...lines].join('\n')
    : (choice.template ?? '');
  return { exitCode: 0, json, text: `${withParameters ? comments : ''}${modelText(body)}` };
}
