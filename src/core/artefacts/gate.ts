/** Lets so much work through at a time. */
export class Gate {
  private readonly waiting: (() => void)[] = [];
  constructor(private free: number) {}

  /** Runs `work` as soon as there is room for it. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.free === 0) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    } else {
      this.free--;
    }
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) {
        this.free++;
      } else {
        next();
      }
    }
  }
}
