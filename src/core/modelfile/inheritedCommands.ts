import type { LibraryModel } from '../ollama/registryManifest';
import { PARAMETERS } from './parameters';
import type { ModelfileCommand } from './modelfileTypes';

/** What a model that Ollama has hands on to one that is made FROM it, as commands of a Modelfile. */
export function commandsOf(model: LibraryModel): ModelfileCommand[] {
  const { template, system, renderer, parser, requires, license, messages, parameters } = model;
  const one = (name: string, args: string | undefined): ModelfileCommand[] =>
    args === undefined ? [] : [{ name, args }];
  return [
    ...one('template', template),
    ...one('system', system),
    ...one('renderer', renderer),
    ...one('parser', parser),
    ...one('requires', requires),
    ...keptParameters(parameters).flatMap(([name, value]) =>
      [value].flat().map((each) => ({ name, args: String(each) })),
    ),
    ...license.map((args) => ({ name: 'license', args })),
    ...messages.map(({ role, content }) => ({ name: 'message', args: `${role}: ${content}` })),
  ];
}

/** Those that a Modelfile can still say: what older versions stored and none reads any more is left behind. */
export function keptParameters(parameters: LibraryModel['parameters']): [string, LibraryModel['parameters'][string]][] {
  return Object.entries(parameters).filter(([name]) => PARAMETERS.has(name));
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
