/** A text at which a model ends its turn, and who says so. */
export interface EndToken {
  readonly text: string;
  /** Where it stands, in words: `generation_config.json`, `tokenizer_config.json (eos_token)`. */
  readonly source: string;
}

/** What a model says of its own chat format: from a Hugging Face folder, a GGUF header or an installed model. */
export interface ChatFormat {
  /** The Jinja template; undefined where the model has none. */
  readonly jinja?: string | undefined;
  /** The template for requests with tools, where the model has one of its own for them (`tool_use`). */
  readonly toolJinja?: string | undefined;
  /** What a Jinja template knows of the tokenizer: `bos_token`, `eos_token`, `unk_token`, `pad_token`. */
  readonly specials: Readonly<Record<string, string>>;
  /** The template takes contents as lists of parts only. */
  readonly contentParts?: boolean | undefined;
  /** Whether llama.cpp puts the beginning-of-sequence token before every prompt by itself. */
  readonly addsBos: boolean;
  readonly endTokens: readonly EndToken[];
  /** Texts of control and user-defined tokens; empty where nobody looked. */
  readonly specialTokens: readonly string[];
  /** Sampling settings that the model ships, by Ollama's names: `temperature`, `top_p`. */
  readonly parameters: Readonly<Record<string, number>>;
  /** Of generation_config.json, or where else they stand. */
  readonly parametersSource?: string | undefined;
}

/** A message as Jinja templates get it (Hugging Face's form). */
export interface JinjaMessage {
  readonly role: string;
  readonly content: string;
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly {
    readonly type: 'function';
    readonly id: string;
    readonly function: { readonly name: string; readonly arguments: JinjaObject };
  }[];
  readonly tool_call_id?: string;
  /** Of a result: the tool. */
  readonly name?: string;
}

export type JinjaValue = null | boolean | number | string | readonly JinjaValue[] | JinjaObject;
export interface JinjaObject {
  readonly [key: string]: JinjaValue;
}

/** One conversation, as both engines can be given it. */
export interface Conversation {
  readonly name: string;
  readonly messages: readonly JinjaMessage[];
  readonly tools?: readonly JinjaObject[] | undefined;
  /** Undefined: the client did not say. */
  readonly think?: boolean | undefined;
}

/** One rendering of a Jinja template that is asked for. */
export interface JinjaRequest {
  /** Messages, tools, flags and special tokens. */
  readonly variables: JinjaObject;
  /** What `strftime_now` gives: the format itself between these two marks, or of this moment (milliseconds, local time). */
  readonly now: { readonly before: string; readonly after: string } | number;
}

export type JinjaAnswer = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly error: string };

/** Renders one template with many variables, in a place where it can do no harm. Answers are in the order of the requests. */
export type JinjaRenderer = (
  jinja: string,
  requests: readonly JinjaRequest[],
  signal?: AbortSignal,
) => Promise<readonly JinjaAnswer[]>;
