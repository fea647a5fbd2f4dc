import type { StudioError } from '../../src/core/errors';

/** Runs a generator to its end: all events and the result. */
export async function collect<Event, Result>(
  run: AsyncGenerator<Event, Result>,
): Promise<{ readonly events: readonly Event[]; readonly result: Result }> {
  const events: Event[] = [];
  for (;;) {
    const step = await run.next();
    if (step.done === true) {
      return { events, result: step.value };
    }
    events.push(step.value);
  }
}

/** What a promise is rejected with; fails when it is not. */
export async function rejection(promise: Promise<unknown>): Promise<StudioError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (thrown) {
    return thrown as StudioError;
  }
  throw new Error(`was not refused: ${((JSON.stringify(value) as string | undefined) ?? '').slice(0, 200)}`);
}
