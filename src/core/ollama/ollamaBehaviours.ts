import type { Availability } from './ollamaTable';

/** Something that Ollama does, with the versions that do it and where its sources say so. */
export interface OllamaBehaviour extends Availability {
  /** What it is, as the end of "Ollama …". */
  readonly what: string;
  /** File and line of the first version that has it, or of the first that has it no more. */
  readonly source: string;
}

/**
 * What no list in Ollama's sources names, so that the table cannot be made to hold it. Read by hand; `since` and `gone` are the
 * first releases with and without it.
 */
export const OLLAMA_BEHAVIOURS = {
  adapterLayers: {
    what: 'makes models with an adapter layer (ADAPTER, or `adapters` in its API)',
    gone: '0.34.1',
    source: 'cmd/cmd.go:336, server/create.go:87 and :895: "LoRA adapters are no longer supported"',
  },
  adapterFolders: {
    what: 'finds the weights of an adapter folder that ADAPTER names',
    gone: '0.12.11',
    source: 'parser/parser.go filesForModel; github.com/ollama/ollama/issues/13314',
  },
  adaptersOnEveryArchitecture: {
    what: 'applies adapters to every architecture, by llama.cpp’s own server',
    since: '0.30.0',
    source: 'llm/llama_server.go; before it, runner/ollamarunner: "loras are not yet implemented"',
  },
  quantisesGgufs: {
    what: 'quantises GGUFs and installed models while it creates',
    gone: '0.34.1',
    source:
      'cmd/cmd.go:353, server/create.go:694: "create-time quantization is only supported for safetensors imports"',
  },
  quantisesSafely: {
    what: 'cannot be made to read outside its memory by a crafted GGUF that it quantises (CVE-2026-7482)',
    since: '0.17.1',
    source: 'server/quantization.go',
  },
  convertsSafetensors: {
    what: 'converts folders with safetensors to GGUF',
    gone: '0.34.1',
    source: 'convert/ is not there any more',
  },
  importsByMlx: {
    what: 'imports folders with safetensors by MLX, which needs a Mac or the CUDA payload of MLX',
    since: '0.34.1',
    source: 'cmd/cmd.go:342, create/',
  },
  fromGlobs: {
    what: 'takes FROM and DRAFT for patterns (Go’s filepath.Glob)',
    since: '0.34.1',
    source: 'parser/parser.go:184',
  },
  splitLayers: {
    what: 'keeps the parts of a split GGUF as layers of their own',
    since: '0.34.1',
    source: 'server/create_split_gguf.go',
  },
  emptyFileMaps: {
    what: 'takes an empty `adapters` or `files` for none',
    since: '0.34.1',
    source: 'server/create.go:86',
  },
  namesWithColons: {
    what: 'takes names with `:` or `\\` among `files`',
    gone: '0.34.1',
    source: 'server/create.go:688',
  },
  missingModelfileIsFolder: {
    what: 'takes a Modelfile that is not there (`-f`) for FROM .',
    since: '0.34.1',
    source: 'cmd/cmd.go:223',
  },
  samplingKeys: {
    what: 'takes the general.sampling keys of a GGUF for defaults below PARAMETER',
    since: '0.33.3',
    source: 'types/model/generation.go, server/routes.go:141',
  },
  typicalP: {
    what: 'takes the parameter typical_p',
    gone: '0.34.1',
    source: 'cmd/cmd.go:339, server/create.go:70: "typical_p is no longer supported"',
  },
  createsFromFiles: {
    what: 'can be given a model over its API (`files` of /api/create)',
    since: '0.5.5',
    source: 'api/types.go CreateRequest',
  },
  prefersJinja: {
    what: 'takes a model’s own Jinja template where it can more than TEMPLATE',
    since: '0.30.0',
    source: 'server/images.go:254 shouldPreferChatTemplate',
  },
  tellsPrompt: {
    what: 'tells the prompt that it makes (`_debug_render_only`)',
    since: '0.11.5',
    source: 'api/types.go DebugRenderOnly',
  },
} as const satisfies Record<string, OllamaBehaviour>;

export type OllamaBehaviourName = keyof typeof OLLAMA_BEHAVIOURS;

/** A behaviour with its versions, which not every one has. */
export function behaviour(name: OllamaBehaviourName): OllamaBehaviour {
  return OLLAMA_BEHAVIOURS[name];
}
