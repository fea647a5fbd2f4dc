/** What stands where bytes of a name are no UTF-8: the path that is made of it leads to nothing. */
const REPLACEMENT = '\ufffd';

/** What is said of such a name. */
export const UNSPEAKABLE =
  'has bytes in its name (or in that of a folder on the way) that are no UTF-8 text, and cannot be opened by it. Rename it.';

export function isUnspeakable(name: string): boolean {
  return name.includes(REPLACEMENT);
}
