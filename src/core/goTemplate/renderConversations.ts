import { StudioError } from '../errors';
import { executeTemplate, type ExecutionFault, type ExecutionOptions } from './executeTemplate';
import { decodeConversation } from './ollama/decodeConversation';
import type { OrderedJson } from './ollama/orderedJson';
import type { ParsedTemplate } from './parseTemplate';

/** One entry of `rendered` in the answer of `render`. */
export type RenderedConversation =
  | { readonly ok: true; readonly text: string }
  | {
      readonly ok: false;
      /** Go's own text, or what went wrong before or beside Go. */
      readonly error: string;
      readonly fault: ExecutionFault | 'values';
      /** 1-based line of the template, where Go names one. */
      readonly line?: number;
    };

/** The conversations of a file by name. Throws `template/values` if it is no object. */
export function namedConversations(json: OrderedJson): ReadonlyMap<string, OrderedJson> {
  if (!(json instanceof Map)) {
    throw new StudioError(
      'template/values',
      'The conversations must be an object: {"name": {"messages": […]}}. Correct the file and try again.',
    );
  }
  return json as ReadonlyMap<string, OrderedJson>;
}

/** What Ollama makes of a template and one conversation. Never throws. */
export function renderConversation(
  template: ParsedTemplate,
  conversation: OrderedJson,
  options: ExecutionOptions = {},
): RenderedConversation {
  let values;
  try {
    values = decodeConversation(conversation);
  } catch (thrown) {
    if (thrown instanceof StudioError) {
      return { ok: false, error: thrown.message, fault: 'values' };
    }
    throw thrown;
  }
  const result = executeTemplate(template, values, options);
  if (result.ok) {
    return { ok: true, text: result.text };
  }
  const error =
    result.fault === 'panic' ? `Ollama's server panics and answers HTTP 500: ${result.error}` : result.error;
  return { ok: false, error, fault: result.fault, ...(result.line === undefined ? {} : { line: result.line }) };
}
