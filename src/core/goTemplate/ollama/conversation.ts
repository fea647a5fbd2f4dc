import type { OrderedJson } from './orderedJson';

/** A call of a tool by the assistant, as in Ollama's API. */
export interface ToolCall {
  readonly id: string;
  readonly index: number;
  readonly name: string;
  /** null where the request had null or nothing. */
  readonly arguments: ReadonlyMap<string, OrderedJson> | null;
}

/** A message of Ollama's API. Lists are null where the request had null or nothing. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly thinking: string;
  /** Bytes, one code unit each. */
  readonly images: readonly (string | null)[] | null;
  readonly toolCalls: readonly ToolCall[] | null;
  readonly toolName: string;
  readonly toolCallId: string;
}

/** A JSON schema of one parameter, as far as Ollama keeps it. */
export interface ToolProperty {
  readonly anyOf: readonly ToolProperty[] | null;
  readonly type: readonly string[] | null;
  /** Whether `type` was a list, which grows in memory otherwise than one name. */
  readonly typeIsList: boolean;
  readonly items: OrderedJson;
  readonly description: string;
  readonly enum: readonly OrderedJson[] | null;
  readonly properties: ToolProperties | null;
  readonly required: readonly string[] | null;
}

export type ToolProperties = ReadonlyMap<string, ToolProperty>;

export interface Tool {
  readonly type: string;
  readonly items: OrderedJson;
  readonly name: string;
  readonly description: string;
  readonly parameters: {
    readonly type: string;
    readonly defs: OrderedJson;
    readonly items: OrderedJson;
    readonly required: readonly string[] | null;
    readonly properties: ToolProperties | null;
  };
}

/** What Ollama's `template.Execute` is given: its `Values`. */
export interface TemplateValues {
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly Tool[] | null;
  readonly prompt: string;
  readonly suffix: string;
  readonly think: boolean;
  readonly thinkLevel: string;
  readonly isThinkSet: boolean;
}

/** Values without anything in them, to be spread and filled. */
export const NO_VALUES: TemplateValues = {
  messages: [],
  tools: null,
  prompt: '',
  suffix: '',
  think: false,
  thinkLevel: '',
  isThinkSet: false,
};

/** A message with nothing but a role and a content. */
export function plainMessage(role: string, content: string): ChatMessage {
  return { role, content, thinking: '', images: null, toolCalls: null, toolName: '', toolCallId: '' };
}
