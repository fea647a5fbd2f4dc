/**
 * Puts all of `items` at the end of `list`. A spread into `push` takes as many arguments as there are items, and ends the call where a
 * file or a server decides how many that is.
 */
export function append<T>(list: T[], items: Iterable<T>): void {
  for (const item of items) {
    list.push(item);
  }
}
