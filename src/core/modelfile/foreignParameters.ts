import { didYouMean } from './didYouMean';
import { PARAMETERS } from './parameters';
import type { InstructionName } from '../ollama/instructionNames';

/** What a setting of other tools, or of Ollama's requests, is in a Modelfile. */
export type ForeignParameter =
  /** The parameter that does the same; `isSure` where the values mean the same, too. */
  | { readonly kind: 'parameter'; readonly name: string; readonly isSure: boolean }
  | { readonly kind: 'instruction'; readonly instruction: InstructionName; readonly advice: string }
  /** Not in a Modelfile: where it is said instead, as a sentence. */
  | { readonly kind: 'elsewhere'; readonly advice: string };

const same = (name: string): ForeignParameter => ({ kind: 'parameter', name, isSure: true });
const near = (name: string): ForeignParameter => ({ kind: 'parameter', name, isSure: false });
const elsewhere = (advice: string): ForeignParameter => ({ kind: 'elsewhere', advice });
const write = (instruction: InstructionName, advice: string): ForeignParameter => ({
  kind: 'instruction',
  instruction,
  advice,
});

const THINK = elsewhere(
  'It is chosen with each request: "think" in the API, --think in ollama run, /set think in a session.',
);
const FORMAT = elsewhere('It is chosen with each request: "format" in the API, with "json" or a JSON schema.');
const REQUEST = elsewhere('It belongs to each request of the API, not to the model.');
const ROPE = elsewhere('It is read from the model file; only the length of the context is chosen, with num_ctx.');
const KV_CACHE = elsewhere('It is a setting of the server: OLLAMA_KV_CACHE_TYPE=q8_0, with OLLAMA_FLASH_ATTENTION=1.');
const FLASH = elsewhere('It is a setting of the server: OLLAMA_FLASH_ATTENTION=1.');
const GPUS = elsewhere('The server chooses the GPUs: CUDA_VISIBLE_DEVICES (or ROCR_VISIBLE_DEVICES) limits them.');
const QUANTISE = elsewhere(
  'The type is chosen when the model is made: ollama create --quantize q4_K_M, or a GGUF of that type.',
);
const SAMPLER = elsewhere('Ollama has no such sampler; temperature, top_k, top_p and min_p shape what is drawn.');
const PROJECTOR = write('FROM', 'A projector is named in a FROM line of its own, beside the FROM of the model.');
const LORA = write('ADAPTER', 'An adapter is named in ADAPTER.');
const DRAFT = write('DRAFT', 'A draft model is named in DRAFT.');
const SYSTEM = write('SYSTEM', 'The system prompt is written as SYSTEM.');
const TEMPLATE = write('TEMPLATE', 'The chat template is written as TEMPLATE, in Go’s words.');

/** By name in lower case with underscores. */
export const FOREIGN_PARAMETERS: ReadonlyMap<string, ForeignParameter> = new Map<string, ForeignParameter>([
  // llama.cpp, vLLM, Transformers, LM Studio, text-generation-webui and OpenAI call it so.
  ...['context_window', 'context_length', 'context_size', 'context', 'n_ctx', 'ctx_size', 'ctx', 'num_context'].map(
    (name) => [name, same('num_ctx')] as const,
  ),
  ...['max_context', 'max_context_length', 'max_seq_len', 'max_seq_length', 'max_model_len', 'n_context'].map(
    (name) => [name, same('num_ctx')] as const,
  ),
  ['max_position_embeddings', near('num_ctx')],
  ['max_length', near('num_predict')],
  ...['max_tokens', 'max_new_tokens', 'n_predict', 'max_output_tokens', 'max_completion_tokens', 'max_gen_tokens'].map(
    (name) => [name, same('num_predict')] as const,
  ),
  ...['max_tokens_to_sample', 'num_tokens', 'predict', 'tokens_to_generate'].map(
    (name) => [name, same('num_predict')] as const,
  ),
  ...['num_gpu_layers', 'n_gpu_layers', 'gpu_layers', 'ngl', 'gpulayers', 'n_gpu'].map(
    (name) => [name, same('num_gpu')] as const,
  ),
  ...['repetition_penalty', 'rep_pen', 'rep_penalty', 'penalty_repeat', 'repeatition_penalty'].map(
    (name) => [name, same('repeat_penalty')] as const,
  ),
  ...['repeat_window', 'penalty_last_n', 'last_n_tokens_size', 'rep_pen_range', 'repetition_penalty_range'].map(
    (name) => [name, same('repeat_last_n')] as const,
  ),
  ['penalty_present', same('presence_penalty')],
  ['penalty_freq', same('frequency_penalty')],
  ...['temp', 'temprature', 'creativity'].map(
    (name) => [name, name === 'creativity' ? near('temperature') : same('temperature')] as const,
  ),
  ['nucleus', near('top_p')],
  ...['stop_sequence', 'stop_sequences', 'stop_token', 'stop_tokens', 'stopwords', 'stop_words', 'stop_strings'].map(
    (name) => [name, same('stop')] as const,
  ),
  ...['stop_string', 'stops', 'end_token', 'eos_token', 'eos', 'antiprompt', 'reverse_prompt'].map(
    (name) => [name, near('stop')] as const,
  ),
  ...['threads', 'n_threads', 'num_threads', 'cpu_threads', 'thread_count'].map(
    (name) => [name, same('num_thread')] as const,
  ),
  ...['batch_size', 'n_batch', 'batch'].map((name) => [name, same('num_batch')] as const),
  ['ubatch_size', near('num_batch')],
  ...['random_seed', 'rng_seed'].map((name) => [name, same('seed')] as const),
  ['mmap', same('use_mmap')],
  ['no_mmap', elsewhere('Write PARAMETER use_mmap false.')],
  ['keep', same('num_keep')],
  ['n_keep', same('num_keep')],
  ['gpu', near('main_gpu')],
  ['draft_max', same('draft_num_predict')],
  ['num_draft_tokens', same('draft_num_predict')],
  ['num_speculative_tokens', same('draft_num_predict')],
  // Said with each request.
  ...['think', 'thinking', 'enable_thinking', 'no_think', 'reasoning', 'reasoning_effort', 'thinking_budget'].map(
    (name) => [name, THINK] as const,
  ),
  [
    'keep_alive',
    elsewhere(
      'It is said with each request ("keep_alive" in the API), or for the whole server: OLLAMA_KEEP_ALIVE=10m.',
    ),
  ],
  ...['format', 'json', 'json_mode', 'response_format', 'grammar', 'json_schema', 'output_format'].map(
    (name) => [name, FORMAT] as const,
  ),
  ...['stream', 'streaming', 'raw', 'tools', 'tool_choice', 'suffix', 'images', 'logprobs', 'top_logprobs'].map(
    (name) => [name, REQUEST] as const,
  ),
  ['n', elsewhere('Ollama gives one answer for each request.')],
  ['best_of', elsewhere('Ollama gives one answer for each request.')],
  ['num_beams', elsewhere('Ollama has no beam search.')],
  ['do_sample', elsewhere('PARAMETER temperature 0 always takes the likeliest token.')],
  ['logit_bias', SAMPLER],
  ['length_penalty', SAMPLER],
  ['no_repeat_ngram_size', SAMPLER],
  ['ignore_eos', elsewhere('Ollama always ends at the model’s own end token.')],
  ['min_tokens', elsewhere('Ollama has no least length of an answer.')],
  ...['dry_multiplier', 'dry_base', 'dry_allowed_length', 'xtc_probability', 'xtc_threshold', 'top_a'].map(
    (name) => [name, SAMPLER] as const,
  ),
  ...['smoothing_factor', 'dynatemp_range', 'top_n_sigma', 'epsilon_cutoff', 'eta_cutoff', 'samplers'].map(
    (name) => [name, SAMPLER] as const,
  ),
  // Other instructions.
  ...['mmproj', 'projector', 'clip_model', 'mmproj_path'].map((name) => [name, PROJECTOR] as const),
  ...['lora', 'lora_path', 'lora_adapter', 'adapter_path'].map((name) => [name, LORA] as const),
  ...['draft_model', 'model_draft', 'speculative_model'].map((name) => [name, DRAFT] as const),
  ...['system_prompt', 'system_message', 'instructions'].map((name) => [name, SYSTEM] as const),
  ...['prompt_template', 'chat_template'].map((name) => [name, TEMPLATE] as const),
  // Settings of the server.
  ...['flash_attention', 'flash_attn', 'fa'].map((name) => [name, FLASH] as const),
  ...['kv_cache_type', 'cache_type_k', 'cache_type_v', 'type_k', 'type_v'].map((name) => [name, KV_CACHE] as const),
  ...['num_parallel', 'n_parallel', 'parallel'].map(
    (name) => [name, elsewhere('It is a setting of the server: OLLAMA_NUM_PARALLEL.')] as const,
  ),
  ['max_loaded_models', elsewhere('It is a setting of the server: OLLAMA_MAX_LOADED_MODELS.')],
  ['load_timeout', elsewhere('It is a setting of the server: OLLAMA_LOAD_TIMEOUT.')],
  ...['host', 'port'].map((name) => [name, elsewhere('It is a setting of the server: OLLAMA_HOST.')] as const),
  ...['tensor_split', 'split_mode', 'tensor_parallel_size', 'device', 'gpu_devices'].map(
    (name) => [name, GPUS] as const,
  ),
  [
    'gpu_memory_utilization',
    elsewhere('The server decides it by itself; OLLAMA_GPU_OVERHEAD keeps bytes of each GPU free.'),
  ],
  // Decided when the model is made, or by its file.
  ...['quantize', 'quantization', 'dtype', 'load_in_4bit', 'load_in_8bit'].map((name) => [name, QUANTISE] as const),
  ...['rope_freq_base', 'rope_freq_scale', 'rope_scaling', 'rope_scale', 'rope_theta', 'rope_scaling_type'].map(
    (name) => [name, ROPE] as const,
  ),
  ...['yarn_ext_factor', 'yarn_orig_ctx', 'yarn_attn_factor', 'yarn_beta_fast', 'yarn_beta_slow'].map(
    (name) => [name, ROPE] as const,
  ),
  ['pooling_type', elsewhere('It is read from the model file.')],
]);

/** What a word that is no parameter was meant to be, by its meaning or else by its spelling. Case and `-` do not matter. */
export function foreignParameter(word: string): ForeignParameter | undefined {
  const known = FOREIGN_PARAMETERS.get(word.toLowerCase().replace(/[-.\s]/g, '_'));
  if (known !== undefined) {
    return known;
  }
  const meant = didYouMean(word, PARAMETERS.keys());
  return meant === undefined ? undefined : same(meant);
}

/** What to do instead, behind what is wrong: ` Did you mean num_ctx?`, or where it is said. */
export function foreignAdvice(foreign: ForeignParameter | undefined): string {
  if (foreign === undefined) {
    return '';
  }
  return foreign.kind === 'parameter' ? ` Did you mean ${foreign.name}?` : ` ${foreign.advice}`;
}
