/** Functions that Go's text/template always has. */
export const GO_FUNCTIONS = [
  'and',
  'call',
  'eq',
  'ge',
  'gt',
  'html',
  'index',
  'js',
  'le',
  'len',
  'lt',
  'ne',
  'not',
  'or',
  'print',
  'printf',
  'println',
  'slice',
  'urlquery',
] as const;

/** Functions that Ollama adds. */
export const OLLAMA_FUNCTIONS = ['currentDate', 'json', 'toTypeScriptType', 'yesterdayDate'] as const;

export type GoFunction = (typeof GO_FUNCTIONS)[number];
export type OllamaFunction = (typeof OLLAMA_FUNCTIONS)[number];

const ALL: ReadonlySet<string> = new Set([...GO_FUNCTIONS, ...OLLAMA_FUNCTIONS]);

/** Whether Ollama's templates know a function of this name. */
export function isTemplateFunction(name: string): boolean {
  return ALL.has(name);
}
