/** What messages of the command line say with its options, in the words of commands and plans. The first that fits wins. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/\bPass --force to replace it\b/g, 'Run it from its plan, which asks before it replaces'],
  [/,? or --force: it is then kept as\b/g, ', or agree when the plan asks: it is then kept as'],
  [/\bpass --allow-requantize\b/g, 'choose Quantise All the Same when you are asked'],
  [/ \((?:--type )(\w+)\)/g, ' ($1)'],
  [/\b(?:Use|Take) --type (\w+)/g, 'Choose the type $1'],
  [/\bwith --type (\w+)/g, 'as $1'],
  [/ with --(?:out|base|adapter)(?: (?:DIR|FILE))?(?= each\b|[.,;)]|$| and\b)/g, ''],
  [/ \(--(?:out|base|adapter)(?: (?:DIR|FILE))?\)/g, ''],
  [/ with --(?:out|base|adapter)(?: (?:DIR|FILE))?/g, ''],
];

/** A message of the command line as it is said in the editor, where nobody types options. */
export function editorWords(message: string): string {
  return WORDS.reduce((text, [pattern, words]) => text.replace(pattern, words), message);
}
