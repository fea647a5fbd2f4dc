/** A model that a server has. */
export interface InstalledModel {
  /** As the server prints it: `rugby:latest`. */
  readonly name: string;
  /** Of its manifest: 64 hexadecimal digits. */
  readonly digest: string;
  readonly bytes: number;
  /** As the server writes times; undefined where it does not. */
  readonly modifiedAt: string | undefined;
  readonly family: string | undefined;
  readonly parameterSize: string | undefined;
  readonly quantisation: string | undefined;
  /** Runs on another machine. */
  readonly isCloud: boolean;
}

/** A model in the memory of a server. */
export interface RunningModel {
  readonly name: string;
  readonly digest: string;
  readonly bytes: number;
  /** Of these, on a graphics card. */
  readonly gpuBytes: number;
  readonly contextLength: number | undefined;
  /** When it will be taken out of memory. */
  readonly expiresAt: string | undefined;
}

/** What a server says of one model. */
export interface ModelDescription {
  /** A Modelfile that would make it again, FROM its blobs. */
  readonly modelfile: string;
  readonly template: string | undefined;
  readonly system: string | undefined;
  /** As a Modelfile writes them, one a line, without PARAMETER. */
  readonly parameters: string | undefined;
  readonly licence: string | undefined;
  readonly renderer: string | undefined;
  readonly parser: string | undefined;
  readonly requires: string | undefined;
  readonly capabilities: readonly string[];
  readonly family: string | undefined;
  readonly parameterSize: string | undefined;
  readonly quantisation: string | undefined;
  readonly format: string | undefined;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  /** Metadata of its GGUF. */
  readonly info: Readonly<Record<string, unknown>>;
}

/** The tensors of a model, without their data. */
export interface ModelTensors {
  /** Metadata of its GGUF, long arrays included. */
  readonly info: Readonly<Record<string, unknown>>;
  readonly quantisation: string | undefined;
  /** Name to shape, fastest dimension first. */
  readonly tensors: ReadonlyMap<string, readonly number[]>;
}

/** Where a server stands; `minimum` is the oldest version that can be worked with. */
export type OllamaState =
  | { readonly state: 'not-installed' }
  | { readonly state: 'not-running' }
  | { readonly state: 'unreachable'; readonly reason: string }
  | { readonly state: 'too-old'; readonly version: string; readonly minimum: string; readonly isRemote: boolean }
  | {
      readonly state: 'running';
      readonly version: string;
      /** On another machine: what is uploaded goes over a network. */
      readonly isRemote: boolean;
      /** False for versions that a crafted GGUF can harm while they quantise. */
      readonly mayQuantise: boolean;
    };

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  readonly thinking?: string;
  readonly tool_calls?: readonly unknown[];
  readonly tool_name?: string;
}

/** Sampling and context options by the names of PARAMETER. */
export type ModelOptions = Readonly<Record<string, number | boolean | readonly string[]>>;

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly options?: ModelOptions | undefined;
  readonly think?: boolean | 'low' | 'medium' | 'high' | undefined;
  readonly tools?: readonly unknown[] | undefined;
  /** How long the model stays in memory: seconds, or `5m`. */
  readonly keepAlive?: string | number | undefined;
}

export interface GenerateRequest {
  readonly model: string;
  readonly prompt: string;
  readonly suffix?: string | undefined;
  readonly system?: string | undefined;
  readonly template?: string | undefined;
  /** The prompt goes to the model as it is. */
  readonly raw?: boolean | undefined;
  readonly options?: ModelOptions | undefined;
  readonly think?: boolean | 'low' | 'medium' | 'high' | undefined;
  readonly keepAlive?: string | number | undefined;
}

/** A piece of an answer as it comes. */
export interface AnswerEvent {
  readonly event: 'text' | 'thinking';
  readonly text: string;
}

/** A whole answer. */
export interface ModelAnswer {
  readonly text: string;
  readonly thinking: string;
  readonly toolCalls: readonly unknown[];
  /** `stop`, `length`, … as the server says; undefined where it does not. */
  readonly stopReason: string | undefined;
  readonly promptTokens: number;
  readonly tokens: number;
  /** Generated tokens a second; undefined where nothing was timed. */
  readonly tokensPerSecond: number | undefined;
  readonly promptTokensPerSecond: number | undefined;
  readonly loadSeconds: number;
  readonly seconds: number;
}
