import type { Value } from '../reflect/value';

/** The variables of one executing template, innermost last; names are found without a search. */
export class VariableStack {
  private readonly names: string[] = [];
  private readonly values: (Value | undefined)[] = [];
  private readonly places = new Map<string, number[]>();

  /** @param dollar the value of `$` */
  constructor(dollar: Value | undefined) {
    this.push('$', dollar);
  }

  get mark(): number {
    return this.names.length;
  }

  push(name: string, value: Value | undefined): void {
    const places = this.places.get(name);
    if (places === undefined) {
      this.places.set(name, [this.names.length]);
    } else {
      places.push(this.names.length);
    }
    this.names.push(name);
    this.values.push(value);
  }

  popTo(mark: number): void {
    while (this.names.length > mark) {
      this.places.get(this.names.pop() ?? '')?.pop();
      this.values.pop();
    }
  }

  private place(name: string): number {
    return this.places.get(name)?.at(-1) ?? -1;
  }

  /** Sets the innermost variable of the name; false if there is none. */
  set(name: string, value: Value | undefined): boolean {
    const place = this.place(name);
    this.values[place] = value;
    return place >= 0;
  }

  /** Sets the variable that is the nth from the top, 1 being the top. */
  setFromTop(n: number, value: Value | undefined): void {
    this.values[this.values.length - n] = value;
  }

  has(name: string): boolean {
    return this.place(name) >= 0;
  }

  get(name: string): Value | undefined {
    return this.values[this.place(name)];
  }
}
