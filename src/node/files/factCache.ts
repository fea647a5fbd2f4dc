interface Entry<T> {
  readonly state: string;
  readonly facts: Promise<T>;
}

/** What is known of files, for as long as they stay the same. */
export class FactCache<T> {
  private readonly entries = new Map<string, Entry<T>>();

  /** @param capacity entries that are kept; the one that was put in first goes */
  constructor(private readonly capacity: number) {}

  /**
   * The facts of `key` in this state, found out once. The work is not tied to who asks first: an editor gives up its
   * requests at every keystroke, and the next one wants the same answer.
   * @throws what `find` throws (nothing is remembered then), or the reason of an aborted `signal`
   */
  get(key: string, state: string, find: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const known = this.entries.get(key);
    if (known?.state === state) {
      return abortable(known.facts, signal);
    }
    this.entries.delete(key);
    const oldest = this.entries.keys().next();
    if (this.entries.size >= this.capacity && oldest.done !== true) {
      this.entries.delete(oldest.value);
    }
    const facts = find();
    this.entries.set(key, { state, facts });
    facts.catch(() => {
      if (this.entries.get(key)?.facts === facts) {
        this.entries.delete(key);
      }
    });
    return abortable(facts, signal);
  }
}

/** Waits for work that goes on even when the one who waits gives up. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) {
    return work;
  }
  signal.throwIfAborted();
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
