/** Markers of chat formats, the telling ones first. */
const MARKS: readonly (readonly [string, string])[] = [
  ['<|start|>', 'Harmony'],
  ['<|im_start|>', 'ChatML'],
  ['<|start_header_id|>', 'Llama 3'],
  ['<|header_start|>', 'Llama 4'],
  ['<start_of_turn>', 'Gemma'],
  ['<|turn>', 'Gemma 4'],
  ['<<SYS>>', 'Llama 2'],
  ['[INST]', 'Mistral'],
  ['<|start_of_role|>', 'Granite'],
  ['<|START_OF_TURN_TOKEN|>', 'Command R'],
  ['<｜User｜>', 'DeepSeek'],
  ['[gMASK]', 'GLM'],
  ['<|user|>', 'Phi or Zephyr'],
  ['### Instruction', 'Alpaca'],
  ['USER:', 'Vicuna'],
];

/** The chat format whose markers stand in a Jinja template; `own` where none is known. The template is never run. */
export function chatTemplateName(template: string): string {
  return MARKS.find(([mark]) => template.includes(mark))?.[1] ?? 'own';
}
