import { escapeControls } from '../../core/escapeControls';
import type { ModelDescription } from '../../core/ollama/ollamaModels';
import type { Command } from '../command';
import { modelText, oneModel, OLLAMA_OPTIONS, runningOllama } from '../ollama';
import { flag } from '../options';

export const show: Command = {
  name: 'show',
  usage: 'MODEL [--modelfile] [--host ADDRESS]',
  does: 'what an Ollama server knows of a model, or its Modelfile',
  options: { modelfile: { type: 'boolean' }, ...OLLAMA_OPTIONS },
  async run(positionals, options, context) {
    const name = oneModel('show', positionals);
    const client = await runningOllama(options, context);
    const model = await client.show(name, { signal: context.signal });
    const text = flag(options, 'modelfile') ? modelText(model.modelfile).trimEnd() : describe(name, model);
    return { exitCode: 0, json: { ok: true, name, ...model }, text };
  },
};

function describe(name: string, model: ModelDescription): string {
  const architecture = model.info['general.architecture'];
  const context = typeof architecture === 'string' ? model.info[`${architecture}.context_length`] : undefined;
  const facts: readonly (readonly [string, string | undefined])[] = [
    [
      'Model',
      [name, model.family, model.parameterSize, model.quantisation].filter((part) => part !== undefined).join(' · '),
    ],
    ['Context', typeof context === 'number' ? `${context} tokens` : undefined],
    ['Abilities', model.capabilities.join(', ')],
    ['Renderer', model.renderer],
    ['Parser', model.parser],
    ['Requires', model.requires],
    ['Parameters', model.parameters],
    ['System', model.system],
    ['Template', model.template],
    ['Messages', model.messages.map(({ role, content }) => `${role}: ${content}`).join('\n')],
    ['Licence', firstLine(model.licence)],
  ];
  return facts
    .filter((fact): fact is readonly [string, string] => fact[1] !== undefined && fact[1] !== '')
    .map(([label, value]) => `${label.padEnd(12)}${indent(value)}`)
    .join('\n');
}

function firstLine(text: string | undefined): string | undefined {
  const line = text?.split('\n').find((candidate) => candidate.trim() !== '');
  return line === undefined ? undefined : `${line.trim()} …`;
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => escapeControls(line.replaceAll('\t', ' ')))
    .join(`\n${' '.repeat(12)}`);
}
