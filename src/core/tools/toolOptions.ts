/** Options of no tool are so many. */
const MAX_OPTIONS = 1000;

/**
 * The long options that a program's `--help` lists (`--leave-output-tensor`), sorted, each once. Names that stand inside a sentence
 * count only where a line or a choice begins with them, so that "see --help" in a description is no option.
 */
export function optionsOfHelp(help: string): string[] {
  const found = new Set<string>();
  for (const line of help.split('\n')) {
    const isUsage = /^\s*usage\b/i.test(line) || /^\s+\[/.test(line);
    const head = isUsage
      ? line
      : (/^\s*(-{1,2}[A-Za-z].*)/.exec(line)?.[1] ?? '').split(/\s{2,}(?![\s-])|\t|: /, 1)[0]!;
    for (const [name] of head.matchAll(/(?<![\w-])--[A-Za-z][\w-]*/g)) {
      if (found.size < MAX_OPTIONS) {
        found.add(name);
      }
    }
  }
  return [...found].sort();
}

/**
 * The long options that a Python program declares (`add_argument("-o", "--outfile", …)`), sorted, each once: what its `--help` would
 * offer, told from its text, because asking it would run Python and what it imports.
 */
export function optionsOfPythonSource(source: string): string[] {
  const found = new Set<string>();
  for (const [, declared] of source.matchAll(/\.add_argument\(((?:\s*["'][^"'\n]{1,80}["']\s*,?){1,8})/g)) {
    for (const [, name] of declared!.matchAll(/["'](--[A-Za-z][\w-]*)["']/g)) {
      if (found.size < MAX_OPTIONS) {
        found.add(name!);
      }
    }
  }
  return [...found].sort();
}

/** The version in what a program says of itself: `version: 0.7.0 (b1)`, `Docker version 28.1.1, build …`, `version: 8123 (ab12cd)`. */
export function versionIn(text: string): string | undefined {
  return /\bversion:? +v?(\d[\w.+-]{0,40})/i.exec(text)?.[1];
}
