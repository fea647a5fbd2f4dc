/** Bytes a second over the last few seconds, and what they say of the time left. */
export class RateMeter {
  readonly #points: { readonly time: number; readonly bytes: number }[];

  constructor(bytes: number) {
    this.#points = [{ time: performance.now(), bytes }];
  }

  /** Takes a reading; the rate is 0 and the time unknown until something moved. */
  measure(bytes: number, total: number): { readonly rate: number; readonly secondsLeft: number | undefined } {
    const now = performance.now();
    this.#points.push({ time: now, bytes });
    while (this.#points.length > 2 && now - this.#points[0]!.time > 8000) {
      this.#points.shift();
    }
    const first = this.#points[0]!;
    const seconds = (now - first.time) / 1000;
    const rate = seconds > 0 ? (bytes - first.bytes) / seconds : 0;
    return { rate, secondsLeft: rate > 0 && seconds > 0.5 ? (total - bytes) / rate : undefined };
  }
}
