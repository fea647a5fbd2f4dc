import { ollamaProfile, type OllamaProfile } from '../ollama/ollamaProfile';
import type { TemplateReport } from '../chatTemplate/templateReport';

/** What a GGUF header tells, as far as a Modelfile is concerned. */
export interface GgufFacts {
  readonly architecture: string;
  /** `general.type`: a model, an adapter, or a projector (`clip` architectures too). */
  readonly role: 'model' | 'adapter' | 'projector' | 'other';
  readonly bytes: number;
  /** Name of the file type, `Q4_K_M`. */
  readonly quantisation?: string | undefined;
  readonly parameters?: number | undefined;
  readonly contextLength?: number | undefined;
  readonly name?: string | undefined;
  /** The Jinja template of the file. */
  readonly chatTemplate?: string | undefined;
  /** Texts of the tokens at which generation ends by itself (eos, eot, eom). */
  readonly endTokens: readonly string[];
  /** Texts of control and user-defined tokens, at most a few thousand. */
  readonly specialTokens: readonly string[];
  readonly split?: { readonly number: number; readonly count: number } | undefined;
  /** Of an adapter: alpha, and the rank of its first factor. */
  readonly adapterAlpha?: number | undefined;
  readonly adapterRank?: number | undefined;
  /** `pooling_type` is set: an embedding model, which has no chat. */
  readonly isEmbedding?: boolean | undefined;
}

/** What an adapter folder (PEFT or mlx-lm) tells. */
export interface AdapterFolderFacts {
  readonly format: 'peft' | 'mlx' | 'gguf';
  readonly method: 'lora' | 'rslora' | 'dora' | 'full';
  readonly rank?: number | undefined;
  readonly alpha?: number | undefined;
  /** The factor that training applied. */
  readonly scale?: number | undefined;
  /** Last names of the modules it changes, `q_proj`. */
  readonly targets: readonly string[];
  readonly baseName?: string | undefined;
  /** Name of its weights file within the folder. */
  readonly weightsFile: string;
  /** Why nothing can apply or merge it: a rank that the configuration denies, a missing factor, an unknown variant. */
  readonly refusals: readonly string[];
}

/** What a Hugging Face model folder tells. */
export interface ModelFolderFacts {
  /** What Ollama finds in it; `other` are `.bin` files that are neither GGUF nor pickles. */
  readonly weights: 'safetensors' | 'gguf' | 'pytorch' | 'other' | 'none';
  /** The only GGUF that Ollama finds in it, and its name. */
  readonly gguf?: { readonly name: string; readonly facts: PathFacts } | undefined;
  /** First of `architectures` in config.json; undefined without config.json or without that field. */
  readonly architecture?: string | undefined;
  /** `general.architecture` of a GGUF that `modelfile-studio build` would make of it; undefined where it cannot. */
  readonly ggufArchitecture?: string | undefined;
  readonly hasConfig: boolean;
  /** How its weights are packed (`bitsandbytes`, `mlx`), where config.json says so. */
  readonly quantisation?: string | undefined;
  readonly contextLength?: number | undefined;
  readonly bytes: number;
  /** The Jinja template in tokenizer_config.json: the one that Ollama converts. */
  readonly chatTemplate?: string | undefined;
  /** The template in chat_template.jinja, which Ollama's converter leaves out. */
  readonly separateChatTemplate?: string | undefined;
  readonly endTokens: readonly string[];
  readonly specialTokens: readonly string[];
  /** Some of its files lie behind links that leave it. */
  readonly leavesFolder: boolean;
  /** Weights that are Git LFS pointers. */
  readonly pointers: readonly string[];
  /** Why Ollama refuses the folder, in its words, where none of the other facts says it. */
  readonly problem?: string | undefined;
}

/** What a path of a Modelfile leads to. */
export type PathFacts =
  | { readonly kind: 'absent' }
  /** Not looked at: a network or device path, an untrusted workspace, a virtual file. */
  | { readonly kind: 'unknown'; readonly remote: boolean }
  /** Ollama takes the path for a pattern, and Go finds it malformed. `inFolder`: the folder of the Modelfile is what makes it so. */
  | { readonly kind: 'bad-pattern'; readonly inFolder: boolean }
  | { readonly kind: 'gguf'; readonly gguf: GgufFacts }
  | { readonly kind: 'bad-gguf'; readonly truncated: boolean; readonly reason: string }
  | { readonly kind: 'lfs-pointer' }
  | { readonly kind: 'safetensors-file' }
  | { readonly kind: 'pickle' }
  | { readonly kind: 'other-file'; readonly reason?: string | undefined }
  | { readonly kind: 'adapter-folder'; readonly adapter: AdapterFolderFacts }
  /** A folder with adapter_config.json that cannot be read as an adapter. */
  | { readonly kind: 'broken-adapter'; readonly reason: string }
  | { readonly kind: 'model-folder'; readonly model: ModelFolderFacts };

/** What a path names that may be a pattern. */
export type PatternPaths =
  /** The paths that match, in order; the path itself where nothing matches or nobody looked. */
  | { readonly kind: 'paths'; readonly paths: readonly string[] }
  /** Go: syntax error in pattern. `inFolder`: it is the folder of the Modelfile whose name is none. */
  | { readonly kind: 'malformed'; readonly inFolder: boolean };

/** A model of the configured Ollama, by `/api/tags` and `/api/show`. */
export interface InstalledModelFacts {
  /** As listed: `llama3.2:latest`. */
  readonly name: string;
  readonly architecture?: string | undefined;
  readonly bytes?: number | undefined;
  readonly quantisation?: string | undefined;
  readonly parameterSize?: string | undefined;
  readonly contextLength?: number | undefined;
  readonly renderer?: string | undefined;
  readonly parser?: string | undefined;
  readonly template?: string | undefined;
  readonly stops: readonly string[];
  /** `num_ctx` that the model brings and this one inherits. */
  readonly numCtx?: number | undefined;
  /** Jinja template of the model file. */
  readonly chatTemplate?: string | undefined;
  readonly endTokens: readonly string[];
  readonly specialTokens: readonly string[];
}

/** A name in the workspace for completion: relative to the Modelfile, folders end with a slash. */
export interface PathSuggestion {
  readonly path: string;
  readonly kind: 'gguf' | 'adapter' | 'model-folder' | 'folder';
  readonly detail?: string | undefined;
}

/** A TEMPLATE beside the model's own template. */
export interface ComparedTemplate extends TemplateReport {
  /** The model's own as a Go template, with the stops that go with it; undefined where none gives the same prompts. */
  readonly replacement?: { readonly template: string; readonly stops: readonly string[] } | undefined;
}

/** Cuts prompts as the model's runtime does. */
export interface PromptTokenizer {
  /** The tokens of a text, without BOS. Tokens that hold a part of a character read U+FFFD. */
  readonly encode: (text: string) => readonly { readonly id: number; readonly text: string }[];
  /** The runtime puts BOS before a prompt. */
  readonly addsBos: boolean;
}

/** Whose template a TEMPLATE is compared with: a file or folder relative to the Modelfile, or a model by its name. */
export interface ComparedModel {
  readonly kind: 'path' | 'name';
  readonly value: string;
}

/**
 * What the language server asks of the world around a Modelfile. Implementations answer from caches where they can,
 * never open network or device paths, look at nothing in an untrusted workspace, and give `undefined` for what they
 * do not know. They do not throw but for an aborted signal.
 */
export interface WorkspaceFacts {
  /** What FROM, ADAPTER or DRAFT `path` leads to, relative to the Modelfile. */
  path(path: string, signal?: AbortSignal): Promise<PathFacts>;
  /** Why the adapter at one path does not fit the base at another, in sentences; empty where it fits or nobody knows. */
  adapterMisfits(adapter: string, base: string, signal?: AbortSignal): Promise<readonly string[]>;
  /** Paths that begin as `prefix` does, for completion. */
  suggestPaths(prefix: string, signal?: AbortSignal): Promise<readonly PathSuggestion[]>;
  /** Names of installed models; undefined when no Ollama answers. */
  installedModels(signal?: AbortSignal): Promise<readonly string[] | undefined>;
  /** One installed model; undefined when it is not there or no Ollama answers. */
  installedModel(name: string, signal?: AbortSignal): Promise<InstalledModelFacts | undefined>;
  /** The Ollama to judge for: the one that was named, else the running server, else the installed program, else the newest known. */
  ollama(signal?: AbortSignal): Promise<OllamaProfile>;
  /** What a FROM or DRAFT that Ollama takes for a pattern (Go's `filepath.Glob`) names; only asked where it does. */
  patternPaths(path: string, signal?: AbortSignal): Promise<PatternPaths>;
  /** How a TEMPLATE differs from the model's own; undefined where that is not known, or not known yet. */
  compareTemplate(model: ComparedModel, template: string, signal?: AbortSignal): Promise<ComparedTemplate | undefined>;
  /** The tokenizer of a model that is here; undefined where there is none that is reproduced. Reads the whole vocabulary. */
  tokenizer(model: ComparedModel, signal?: AbortSignal): Promise<PromptTokenizer | undefined>;
}

/** Nothing is known: what the rules say of a text alone. */
export const NO_FACTS: WorkspaceFacts = {
  path: () => Promise.resolve({ kind: 'unknown', remote: false }),
  adapterMisfits: () => Promise.resolve([]),
  suggestPaths: () => Promise.resolve([]),
  installedModels: () => Promise.resolve(undefined),
  installedModel: () => Promise.resolve(undefined),
  ollama: () => Promise.resolve(ollamaProfile(undefined)),
  patternPaths: (path) => Promise.resolve({ kind: 'paths', paths: [path] }),
  compareTemplate: () => Promise.resolve(undefined),
  tokenizer: () => Promise.resolve(undefined),
};
