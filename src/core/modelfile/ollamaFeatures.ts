/** In which Ollama something appeared; from the tags of its repository. */

/** Names that RENDERER takes in 0.32.15, with their first version. */
export const RENDERERS: ReadonlyMap<string, string> = new Map([
  ['qwen3-coder', '0.12.0'],
  ['qwen3-vl-instruct', '0.12.6'],
  ['qwen3-vl-thinking', '0.12.7'],
  ['qwen3.5', '0.17.1'],
  ['qwen3.8', '0.32.13'],
  ['ornith', '0.30.11'],
  ['cogito', '0.13.0'],
  ['deepseek3.1', '0.13.5'],
  ['olmo3', '0.13.3'],
  ['olmo3.1', '0.13.4'],
  ['olmo3-think', '0.13.3'],
  ['olmo3-32b-think', '0.13.4'],
  ['nemotron-3-nano', '0.13.4'],
  ['nemotron-3.5-nano', '0.32.10'],
  ['gemma4', '0.20.0'],
  ['gemma4-small', '0.21.0'],
  ['gemma4-large', '0.21.0'],
  ['functiongemma', '0.13.5'],
  ['glm-4.7', '0.14.3'],
  ['glm-ocr', '0.15.5'],
  ['lfm2', '0.14.3'],
  ['lfm2-thinking', '0.14.3'],
  ['laguna', '0.22.1'],
  ['poolside-v1', '0.32.3'],
  ['cohere', '0.30.10'],
  ['glimmer', '0.32.8'],
]);

/** Names that PARSER takes in 0.32.15, with their first version. */
export const PARSERS: ReadonlyMap<string, string> = new Map([
  ['qwen3', '0.16.3'],
  ['qwen3-thinking', '0.16.3'],
  ['qwen3.5', '0.17.1'],
  ['ornith', '0.30.11'],
  ['qwen3-coder', '0.12.0'],
  ['qwen3-vl-instruct', '0.12.6'],
  ['qwen3-vl-thinking', '0.12.7'],
  ['ministral', '0.13.1'],
  ['passthrough', '0.12.0'],
  ['harmony', '0.12.1'],
  ['cogito', '0.13.1'],
  ['deepseek3', '0.13.5'],
  ['olmo3', '0.13.3'],
  ['olmo3-think', '0.13.3'],
  ['nemotron-3-nano', '0.13.4'],
  ['nemotron-3.5-nano', '0.32.10'],
  ['functiongemma', '0.13.5'],
  ['glm-4.7', '0.14.3'],
  ['gemma4', '0.20.0'],
  ['gemma4-no-thinking', '0.20.0'],
  ['glm-ocr', '0.15.5'],
  ['lfm2', '0.14.3'],
  ['lfm2-thinking', '0.14.3'],
  ['laguna', '0.22.1'],
  ['poolside-v1', '0.32.3'],
  ['cohere', '0.30.10'],
  ['glimmer', '0.32.8'],
]);

/** Instructions that are younger than the format. */
export const INSTRUCTIONS_SINCE: ReadonlyMap<string, string> = new Map([
  ['RENDERER', '0.12.0'],
  ['PARSER', '0.12.0'],
  ['REQUIRES', '0.14.0'],
  ['DRAFT', '0.23.1'],
]);

export const PARAMETERS_SINCE: ReadonlyMap<string, string> = new Map([
  ['min_p', '0.3.1'],
  ['draft_num_predict', '0.30.0'],
]);

export const TEMPLATE_FUNCTIONS_SINCE: ReadonlyMap<string, string> = new Map([
  ['json', '0.2.6'],
  ['currentDate', '0.11.1'],
  ['toTypeScriptType', '0.11.3'],
  ['yesterdayDate', '0.13.3'],
]);

/** Fields of the template's values that are younger than the format. */
export const TEMPLATE_FIELDS_SINCE: ReadonlyMap<string, string> = new Map([
  ['Suffix', '0.2.6'],
  ['Think', '0.9.0'],
  ['IsThinkSet', '0.9.0'],
  ['ThinkLevel', '0.11.1'],
]);

/** The command line refuses adapter folders from this version on (github.com/ollama/ollama/issues/13314). */
export const ADAPTER_FOLDERS_REFUSED_SINCE = '0.12.11';

/** Architectures that Ollama 0.32.15 renders by itself unless both RENDERER and PARSER are given, with the name it takes for what is missing. */
export const AUTOMATIC_RENDERERS: ReadonlyMap<string, string> = new Map([
  ['gemma4', 'gemma4'],
  ['laguna', 'laguna'],
  ['nemotron_h', 'nemotron-3-nano'],
  ['nemotron_h_moe', 'nemotron-3-nano'],
  ['nemotron_h_omni', 'nemotron-3-nano'],
  // The classes of folders that convert to them.
  ['Gemma4ForCausalLM', 'gemma4'],
  ['Gemma4ForConditionalGeneration', 'gemma4'],
  ['LagunaForCausalLM', 'laguna'],
  ['NemotronHForCausalLM', 'nemotron-3-nano'],
  ['NemotronH_Nano_VL_V2', 'nemotron-3-nano'],
  ['NemotronH_Nano_Omni_Reasoning_V3', 'nemotron-3-nano'],
]);

/** Class names (first of `architectures`) whose safetensors folders Ollama 0.32.15 converts. */
export const CONVERTIBLE_ARCHITECTURES: ReadonlySet<string> = new Set([
  'LlamaForCausalLM',
  'MllamaForConditionalGeneration',
  'Llama4ForConditionalGeneration',
  'Mistral3ForConditionalGeneration',
  'Ministral3ForCausalLM',
  'MixtralForCausalLM',
  'GemmaForCausalLM',
  'Gemma2ForCausalLM',
  'Gemma3ForCausalLM',
  'Gemma3ForConditionalGeneration',
  'Gemma3TextModel',
  'Gemma3nForConditionalGeneration',
  'Gemma4ForCausalLM',
  'Gemma4ForConditionalGeneration',
  'Phi3ForCausalLM',
  'Qwen2ForCausalLM',
  'Qwen2_5_VLForConditionalGeneration',
  'Qwen3VLForConditionalGeneration',
  'Qwen3VLMoeForConditionalGeneration',
  'Olmo3ForCausalLM',
  'BertModel',
  'NomicBertModel',
  'NomicBertMoEModel',
  'CohereForCausalLM',
  'GptOssForCausalLM',
  'DeepseekOCRForCausalLM',
  'DeepseekV3ForCausalLM',
  'Glm4MoeLiteForCausalLM',
  'LagunaForCausalLM',
  'GlmOcrForConditionalGeneration',
  'Lfm2ForCausalLM',
  'Lfm2MoeForCausalLM',
  'Lfm2VlForConditionalGeneration',
  'Qwen3NextForCausalLM',
  'Qwen3_5ForConditionalGeneration',
  'Qwen3_5MoeForConditionalGeneration',
  'NemotronH_Nano_VL_V2',
  'NemotronH_Nano_Omni_Reasoning_V3',
  'NemotronHForCausalLM',
]);

/** What Ollama sets when the file names none: 4096 on small GPUs and the CPU (more with more memory). */
export const DEFAULT_CONTEXT = 4096;
