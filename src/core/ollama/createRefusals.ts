import { OLLAMA_BEHAVIOURS } from './ollamaBehaviours';
import type { ServerRefusalRule } from './serverRefusalRule';

/** What `ollama create` and its server refuse since adapters, conversion and quantisation went (`cmd/`, `server/create*.go`, `create/`). */
export const CREATE_REFUSALS: readonly ServerRefusalRule[] = [
  {
    pattern: /LoRA adapters are no longer supported|is a LoRA adapter/i,
    code: 'ollama/adapter',
    instruction: 'ADAPTER',
    next: 'Fuse the adapter into its base: create --base … --adapter … does it and makes the model; build makes a GGUF.',
  },
  {
    pattern: /draft quantization during create is only supported for safetensors|unsupported draft quantize type/i,
    code: 'ollama/draft',
    instruction: 'DRAFT',
    next: 'Quantise the draft model first: quantize IN OUT TYPE, and name the result in DRAFT.',
  },
  {
    pattern: /create-time quantization is only supported for safetensors imports/i,
    code: 'ollama/quantise',
    next: 'Leave quantize to this program: create --type T, or quantize IN OUT TYPE, makes every type before the server is asked.',
  },
  {
    pattern: /typical_p is no longer supported/i,
    code: 'ollama/server',
    instruction: 'PARAMETER',
    next: 'Take PARAMETER typical_p out; lint --fix does. min_p or top_p do something near it.',
  },
  {
    pattern: /unsupported MLX architecture|config\.json does not name an architecture/i,
    code: 'ollama/architecture',
    instruction: 'FROM',
    next: 'MLX does not import this model. create makes a GGUF of a folder by itself; or name one in FROM (build --base … --out model.gguf).',
  },
  {
    pattern: /MLX runtime is not available|MLX.*(?:not available|not supported)/i,
    code: 'ollama/architecture',
    instruction: 'FROM',
    next: 'This Ollama imports folders by MLX only, and has none. create makes a GGUF of the folder by itself.',
  },
  {
    pattern:
      /safetensors imports (?:do not support FROM|require exactly one FROM|support at most one DRAFT)|--force is only supported for local MLX/i,
    code: 'ollama/file',
    instruction: 'FROM',
    next: 'A folder is imported alone. create makes a GGUF of it, which goes with every other instruction.',
  },
  {
    pattern: /DRAFT model references must be local safetensors/i,
    code: 'ollama/draft',
    instruction: 'DRAFT',
    next: 'Name a GGUF or an installed model in FROM and in DRAFT.',
  },
  {
    pattern: /mixed model file types|found both .* and .* inputs/i,
    code: 'ollama/file',
    instruction: 'FROM',
    next: 'GGUF and safetensors files were named together: name one of the two.',
  },
  {
    pattern: /split GGUF|GGUF shard|remaining shards/i,
    code: 'ollama/file',
    instruction: 'FROM',
    next: 'The parts of a split GGUF must be whole, of one split and named as llama-gguf-split names them: fetch the missing ones, or name the first part in quantize IN OUT TYPE, which makes one file.',
  },
  {
    pattern: /too many files: \d+ exceeds/i,
    code: 'ollama/file',
    instruction: 'FROM',
    next: 'Name fewer files in FROM: a pattern such as *.gguf may take more than was meant.',
  },
  {
    pattern: /changed during create: expected digest|blob (?:not found|path) for|is not a regular file/i,
    code: 'ollama/digest',
    next: 'A file changed or went while the model was made. Run this again when nothing writes there.',
  },
  {
    pattern: /license must be a string or a list of strings/i,
    code: 'ollama/server',
    instruction: 'LICENSE',
    next: 'Give LICENSE as text.',
  },
  {
    pattern: /invalid requires version|is not valid semantic version/i,
    code: 'ollama/server',
    instruction: 'REQUIRES',
    next: 'REQUIRES takes a version such as 0.14.0.',
  },
  {
    pattern: /syntax error in pattern/i,
    code: 'ollama/file',
    instruction: 'FROM',
    next: `Since ${OLLAMA_BEHAVIOURS.fromGlobs.since} FROM and DRAFT are patterns: a [ in the name, or in the folder of the Modelfile, begins one. lint shows how to write it.`,
  },
  {
    pattern:
      /size overflows|count overflows|sizes overflow|offset\+size exceeds file size|exceeds file size|duplicate tensor|zero length|not null terminated/i,
    code: 'ollama/file',
    instruction: 'FROM',
    next: 'The server cannot read this GGUF: it is cut short or damaged, or has a type of tensor that this Ollama does not know. verify tells which.',
  },
  {
    pattern: /unfinished: no such file|model is required/i,
    code: 'ollama/lost',
    next: 'Another creation was changing the list of models at that moment. Run this again.',
  },
];
