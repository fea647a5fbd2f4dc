import { escapeControls } from '../core/escapeControls';
import type { EngineEvent } from '../core/progress';
import type { CommandContext } from './command';

/** Drives a long run to its end and hands every event on. */
export async function follow<Result>(
  run: AsyncGenerator<EngineEvent, Result>,
  context: CommandContext,
): Promise<Result> {
  for (;;) {
    const step = await run.next();
    if (step.done === true) {
      context.status?.('');
      return step.value;
    }
    context.onEvent(step.value);
    if (step.value.event === 'warning') {
      // What has to be known before the run is over.
      context.status?.('');
      context.say(`${context.palette.warning('!')} ${escapeControls(step.value.message)}`);
    }
  }
}
