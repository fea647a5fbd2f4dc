import type { LibraryModel } from '../ollama/registryManifest';
import { availabilityText, type OllamaProfile } from '../ollama/ollamaProfile';
import { parameterAvailability, PARAMETERS, takesParameter } from './parameters';
import type { ModelfileCommand } from './modelfileTypes';

/**
 * What a model that Ollama has hands on to one that is made FROM it, as commands of a Modelfile that this Ollama takes; see
 * `droppedParameters` for the rest.
 */
export function commandsOf(model: LibraryModel, profile: OllamaProfile): ModelfileCommand[] {
  const { template, system, renderer, parser, requires, license, messages, parameters } = model;
  const one = (name: string, args: string | undefined): ModelfileCommand[] =>
    args === undefined ? [] : [{ name, args }];
  return [
    ...one('template', template),
    ...one('system', system),
    ...one('renderer', renderer),
    ...one('parser', parser),
    ...one('requires', requires),
    ...keptParameters(parameters, profile).flatMap(([name, value]) =>
      [value].flat().map((each) => ({ name, args: String(each) })),
    ),
    ...license.map((args) => ({ name: 'license', args })),
    ...messages.map(({ role, content }) => ({ name: 'message', args: `${role}: ${content}` })),
  ];
}

/** Those that a Modelfile for this Ollama can still say. */
export function keptParameters(
  parameters: LibraryModel['parameters'],
  profile: OllamaProfile,
): [string, LibraryModel['parameters'][string]][] {
  return Object.entries(parameters).filter(([name]) => takesParameter(name, profile));
}

/** A warning for every parameter that counts for the model that has it, and that no new one can be given. What no Ollama reads any more is left behind without a word. */
export function droppedParameters(
  { name: model, parameters }: LibraryModel,
  profile: OllamaProfile,
): { readonly code: string; readonly message: string }[] {
  return Object.keys(parameters)
    .filter((name) => PARAMETERS.has(name) && !takesParameter(name, profile))
    .map((name) => ({
      code: 'ollama/parameter-dropped',
      message: `the ${name} ${String(parameters[name])} of ${model} is left out: Ollama ${profile.version} takes no new model with it (${availabilityText(parameterAvailability(name) ?? {}) ?? 'gone'})`,
    }));
}

/**
 * Commands with those of a base before them, as FROM a name merges them on a server (`server/create.go`): its own win, a parameter by its
 * name and all messages at once; licences add up.
 */
export function withInherited(
  own: readonly ModelfileCommand[],
  inherited: readonly ModelfileCommand[],
): readonly ModelfileCommand[] {
  const given = new Set(own.map(({ name }) => name));
  const kept = inherited.filter(({ name }) => name === 'license' || !given.has(name));
  return [...own, ...kept];
}
