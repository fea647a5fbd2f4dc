/** Architectures that Ollama renders by itself unless both RENDERER and PARSER are given, with the name it takes for what is missing. */
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
