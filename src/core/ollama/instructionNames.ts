/** The instructions of Ollama in upper case, as they are usually written. */
export const INSTRUCTION_NAMES = [
  'FROM',
  'LICENSE',
  'TEMPLATE',
  'SYSTEM',
  'ADAPTER',
  'DRAFT',
  'RENDERER',
  'PARSER',
  'PARAMETER',
  'MESSAGE',
  'REQUIRES',
] as const;

export type InstructionName = (typeof INSTRUCTION_NAMES)[number];
