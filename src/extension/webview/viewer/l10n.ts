let strings: Readonly<Record<string, string>> = {};

/** The texts of the editor's display language. */
export function setStrings(translated: Readonly<Record<string, string>>): void {
  strings = translated;
}

/** A text in the display language, with `{0}`, `{1}` … filled in. */
export function t(text: string, ...values: readonly (string | number)[]): string {
  return (strings[text] ?? text).replace(/\{(\d)\}/g, (_, index: string) => String(values[Number(index)] ?? ''));
}

/** A count with thousands separated. */
export function counted(count: number): string {
  return count.toLocaleString();
}
