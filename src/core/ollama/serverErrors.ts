import { StudioError } from '../errors';
import { escapeControls } from '../escapeControls';
import { CREATE_REFUSALS } from './createRefusals';
import type { ServerRefusalRule } from './serverRefusalRule';

/** What servers say (`server/`, `convert/`, `llm/` of Ollama), most special first. */
const REFUSALS: readonly ServerRefusalRule[] = [
  ...CREATE_REFUSALS,
  {
    pattern: /no space left on device|not enough space on the disk|disk quota exceeded/i,
    code: 'ollama/disk-full',
    next: "Free space on the disk that holds the server's models (OLLAMA_MODELS), or remove models with rm, then run this again: what was uploaded whole is not sent twice.",
  },
  {
    pattern: /digest mismatch/i,
    code: 'ollama/digest',
    next: 'The file changed on its way or while it was read. Run this again; if it happens again, check disk and memory.',
  },
  { pattern: /invalid digest format/i, code: 'ollama/digest', next: 'Report it: a digest was built wrongly.' },
  {
    pattern: /requires a newer version of ollama|unsupported manifest/i,
    code: 'ollama/too-old',
    next: 'Update Ollama: https://ollama.com/download.',
  },
  {
    pattern: /pull model manifest:.*(?:file does not exist|not found)/i,
    code: 'ollama/model-missing',
    instruction: 'FROM',
    next: 'No model of this name is in its registry, and no file or folder of this path exists. Check the spelling; a path is written with ./ before it.',
  },
  {
    pattern:
      /dial tcp|lookup \S+.*no such host|pull model manifest:.*(?:timeout|timed out|connection|EOF|tls:|network)|max retries exceeded|TLS handshake/i,
    code: 'ollama/registry',
    instruction: 'FROM',
    next: 'The server did not reach the registry. Check its network (and HTTPS_PROXY, where it needs one); a model that is installed or a local path needs none.',
  },
  {
    pattern: /pull model manifest/i,
    code: 'ollama/registry',
    instruction: 'FROM',
    next: 'The registry did not give the model. Check its name, and whether you must be signed in (ollama signin).',
  },
  {
    pattern: /invalid model name|name "?.*"? is invalid|invalid name/i,
    code: 'ollama/model-name',
    instruction: 'FROM',
    next: 'A name is [host/][namespace/]model[:tag] of letters, digits, dots, dashes and underscores. If a path was meant, nothing is there: check it.',
  },
  {
    pattern: /unsupported architecture\s*$/i,
    code: 'ollama/architecture',
    instruction: 'ADAPTER',
    next: 'Ollama converts adapter folders for Llama and Gemma 2 bases only. create converts or merges the folder itself; convert-adapter makes a GGUF of it.',
  },
  {
    pattern: /unsupported architecture/i,
    code: 'ollama/architecture',
    next: 'Ollama does not convert this. Build a GGUF first (build --base … --out model.gguf) and name that in FROM; create does it by itself for a folder in FROM.',
  },
  {
    pattern: /only one adapter is currently supported/i,
    code: 'ollama/adapter',
    instruction: 'ADAPTER',
    next: 'Merge the adapters into the base first: build --base … --adapter A --adapter B.',
  },
  {
    pattern: /supplied file was not in GGUF format|invalid file magic/i,
    code: 'ollama/file',
    next: 'The file is no GGUF. If it is a Git LFS pointer, run git lfs pull; if it is safetensors, name its folder.',
  },
  {
    pattern: /blobs[\\/]sha256-[0-9a-f]{64}: (?:no such file|The system cannot find)/i,
    code: 'ollama/file',
    next: 'A file that was uploaded is gone from the server again: something removed it. Run this again.',
  },
  {
    pattern: /^unknown type$|no files provided to convert|unknown file type/i,
    code: 'ollama/file',
    instruction: 'FROM',
    next: 'Neither GGUF nor safetensors files are there. Name a GGUF, or a folder with model*.safetensors, config.json and the tokenizer.',
  },
  {
    pattern: /quantization is only supported for F16, BF16 and F32/i,
    code: 'ollama/quantise',
    next: 'The model is quantised already, or of a type that the server does not take. Start from the 16-bit model; quantize IN OUT TYPE makes any type without the server.',
  },
  {
    pattern: /unsupported quantization type|invalid quantization|unknown file ?type/i,
    code: 'ollama/quantise',
    next: 'The server knows F32, F16, BF16, Q8_0, Q4_K_S and Q4_K_M. build and quantize make every other type without it.',
  },
  {
    pattern: /template error/i,
    code: 'ollama/template',
    instruction: 'TEMPLATE',
    next: 'lint shows where the template is wrong.',
  },
  {
    pattern: /unknown renderer "?([^"]*)"?/i,
    code: 'ollama/renderer',
    instruction: 'RENDERER',
    next: 'This server has no renderer of that name: correct it or take the line out; lint lists the names.',
  },
  {
    pattern: /unknown parser "?([^"]*)"?/i,
    code: 'ollama/renderer',
    instruction: 'PARSER',
    next: 'This server has no parser of that name: correct it or take the line out; lint lists the names.',
  },
  {
    pattern: /contain MTP layers|draft context/i,
    code: 'ollama/draft',
    instruction: 'DRAFT',
    next: 'This DRAFT is an ordinary model, and the server wants the prediction layers (MTP) that were trained with the base. Take the DRAFT out, or name the MTP file of this base.',
  },
  {
    pattern: /DRAFT (?:cannot|must not|requires)|draft (?:model|quantization)/i,
    code: 'ollama/draft',
    instruction: 'DRAFT',
    next: 'A DRAFT needs a local base in FROM, and an unquantised draft model of the same family.',
  },
  {
    pattern: /does not support tools/i,
    code: 'ollama/capability',
    next: 'The template of this model has no place for tools: take one that has (template MODEL), or ask without tools.',
  },
  {
    pattern: /does not support (?:chat|generate|thinking|insert|embed)/i,
    code: 'ollama/capability',
    next: 'The model is not made for this request: its template or kind lacks it.',
  },
  {
    pattern: /requires more system memory|model requires more .*memory|cudaMalloc failed|out of memory/i,
    code: 'ollama/memory',
    next: 'Take a smaller type (--type Q4_K_M), a shorter context (num_ctx), or unload other models (ps, then unload).',
  },
  {
    pattern:
      /llama-(?:server|quantize)\b.*(?:not found|no such file|failed to find|missing)|(?:find|locate|stat) llama-/i,
    code: 'ollama/inference',
    next: "This installation of Ollama lacks llama.cpp's programs in lib/ollama, so it cannot run or quantise models: install Ollama from https://ollama.com/download.",
  },
  {
    pattern: /llama-quantize failed|failed to validate GGUF/i,
    code: 'ollama/quantise',
    next: 'Either its disk became full, which it does not say here, or the GGUF is damaged: look at the free space where its models are (OLLAMA_MODELS), and check the file with verify. Its own log says more.',
  },
  {
    pattern:
      /llama(?:-server)? ?(?:runner )?process (?:has terminated|no longer running|exited)|unable to load model|error loading model|failed to load model|model failed to load/i,
    code: 'ollama/inference',
    next: 'The server could not load the model. Its own log says why (ollama serve prints it); verify checks the GGUF.',
  },
  {
    pattern: /unauthori[sz]ed|you must be (?:signed|logged) in|authentication required|access denied/i,
    code: 'ollama/unauthorised',
    next: 'Sign in with ollama signin; to push, the name must begin with your own user name: cp MODEL user/MODEL.',
  },
  {
    pattern: /push model manifest|you are not authorized to push|retrieving manifest/i,
    code: 'ollama/registry',
    next: 'Check the name (user/model) and that you are signed in (ollama signin).',
  },
  {
    pattern: /model ['"]?(.*?)['"]? not found|no such model/i,
    code: 'ollama/model-missing',
    next: 'list shows what is installed; pull gets a model of the library.',
  },
];

const MAX_WORDS = 4000;

/** What is known of a server's refusal. */
export interface ServerRefusal {
  /** HTTP status; undefined for an error in the middle of a stream. */
  readonly status?: number | undefined;
  /** The server's own words. */
  readonly text: string;
  /** The request: `create`, `chat`, … */
  readonly what: string;
}

/** The typed error for a server's own words; `detail.instruction` names the part of a Modelfile that it is about. */
export function serverError({ status, text, what }: ServerRefusal): StudioError {
  // Enough for every real one; the patterns' time grows with the square of it.
  const cut = text.length > MAX_WORDS ? `${text.slice(0, MAX_WORDS)}…` : text;
  const words = escapeControls(cut).trim();
  const found = REFUSALS.find(({ pattern }) => pattern.test(cut));
  const said = words === '' ? `HTTP status ${status ?? 'unknown'}` : words.replace(/[.\s]+$/, '');
  const detail = {
    request: what,
    server: words,
    ...(status === undefined ? {} : { status }),
    ...(found?.instruction === undefined ? {} : { instruction: found.instruction }),
  };
  if (found !== undefined) {
    return new StudioError(found.code, `Ollama refused ${what}: ${said}. ${found.next}`, { detail });
  }
  if (status === 404) {
    const next =
      what === 'show' ||
      what === 'embed' ||
      what === 'copy' ||
      what === 'delete' ||
      what === 'chat' ||
      what === 'generate'
        ? 'list shows what is installed.'
        : 'This server does not know the request: check the address, and update Ollama.';
    return new StudioError('ollama/model-missing', `Ollama refused ${what}: ${said}. ${next}`, { detail });
  }
  // Of what it takes for a fault of the request a server logs nothing but the request.
  const log = status === undefined || status >= 500 ? " The server's own log says more (ollama serve prints it)." : '';
  return new StudioError('ollama/server', `Ollama refused ${what}: ${said}.${log}`, { detail });
}
