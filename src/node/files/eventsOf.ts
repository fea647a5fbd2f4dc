/**
 * Work that reports by calling back, as a generator of its events. The work goes on while its events are taken;
 * what it does must be ended by its own signal.
 */
export async function* eventsOf<Event, Result>(
  work: (emit: (event: Event) => void) => Promise<Result>,
): AsyncGenerator<Event, Result> {
  const state: { waiting: Event[]; isDone: boolean; wake: () => void } = {
    waiting: [],
    isDone: false,
    wake: () => undefined,
  };
  const result = work((event) => {
    state.waiting.push(event);
    state.wake();
  });
  const end = (): void => {
    state.isDone = true;
    state.wake();
  };
  result.then(end, end);
  for (;;) {
    yield* state.waiting.splice(0);
    if (state.waiting.length === 0 && state.isDone) {
      return await result;
    }
    if (state.waiting.length === 0) {
      await new Promise<void>((resolve) => {
        state.wake = resolve;
      });
    }
  }
}
