/** The files of a plan, each once, numbered in the order of their first use. */
export class InputFiles {
  readonly #numbers = new Map<string, number>();

  /** The number of a file, given on first use. */
  number(path: string): number {
    let number = this.#numbers.get(path);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(path, number);
    }
    return number;
  }

  get paths(): readonly string[] {
    return [...this.#numbers.keys()];
  }
}
