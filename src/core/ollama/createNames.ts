import { StudioError } from '../errors';
import { escapeControls } from '../escapeControls';
import { parseModelName, shortModelName, type ModelName } from './modelName';

/** The names that a creation uses, as the server prints them. */
export interface CreateNames {
  /** `rugby:latest` */
  readonly name: string;
  /** Where a model of that name is kept when it is replaced: `rugby:previous`, `rugby:q4-previous`. */
  readonly previous: string;
  /** Where the new one is made before it gets its name. */
  readonly unfinished: string;
}

const LONGEST_TAG = 80;

/** @throws StudioError ollama/model-name */
export function createNames(text: string): CreateNames {
  const name = parseModelName(text);
  if (name === undefined) {
    throw new StudioError(
      'ollama/model-name',
      `${escapeControls(text)} is no name for a model. A name is [host/][namespace/]model[:tag], its parts of letters, digits, dots, dashes and underscores: rugby, rugby:q4, me/rugby.`,
    );
  }
  return {
    name: shortModelName(name),
    previous: shortModelName(withTag(name, 'previous')),
    unfinished: shortModelName(withTag(name, 'unfinished')),
  };
}

/** The usual tag gives way to the word, any other gets it at its end. */
function withTag(name: ModelName, word: string): ModelName {
  const tag =
    name.tag.toLowerCase() === 'latest' ? word : `${name.tag.slice(0, LONGEST_TAG - word.length - 1)}-${word}`;
  return { ...name, tag };
}
