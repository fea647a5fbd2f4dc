import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { StudioError, throwIfAborted } from '../core/errors';
import { LIMITS } from '../core/limits';
import type { JinjaAnswer, JinjaRenderer, JinjaRequest } from '../core/templates/chatFormat';
import type { JinjaMessageFromWorker, JinjaWork } from './jinjaWorker';

/** What one rendering may take, in milliseconds; a second try has more, for a busy machine is not a hostile template. */
const DEADLINES = [500, 2_000] as const;
/** Starting a thread is no work of the template's. */
const START_DEADLINE = 20_000;
/** Memory of the thread, in MiB: what a template makes beyond it ends the thread, not the process. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16, stackSizeMb: 2 } as const;

/**
 * A renderer of models' Jinja templates that runs them in a thread of their own with little memory, and ends the thread when one
 * rendering takes too long. Templates are programs of strangers: none is ever evaluated in this thread.
 * @param bundleFolder where `jinja.js` lies
 */
export function createJinjaRenderer(bundleFolder: string): JinjaRenderer {
  return async (jinja, requests, signal) => {
    if (jinja.length > LIMITS.chatTemplateBytes) {
      throw new StudioError('template/jinja', `The chat template has ${jinja.length} characters, more than the ${LIMITS.chatTemplateBytes} that a template can have. Write the TEMPLATE by hand.`);
    }
    const answers: JinjaAnswer[] = [];
    let attempt = 0;
    while (answers.length < requests.length) {
      throwIfAborted(signal);
      const outcome = await runThread(join(bundleFolder, 'jinja.js'), { jinja, requests: requests.slice(answers.length) }, DEADLINES[attempt] ?? DEADLINES[0], signal);
      answers.push(...outcome.answers);
      if (outcome.ended === undefined) {
        continue;
      }
      if (outcome.ended === 'deadline' && attempt + 1 < DEADLINES.length) {
        attempt += 1;
        continue;
      }
      // One request stopped the thread: it is answered, and the others have their turn.
      answers.push({ ok: false, error: outcome.ended === 'deadline' ? 'The template ran too long and was stopped.' : `The template was stopped: ${outcome.ended}` });
      if (++attempt >= DEADLINES.length + MAX_STOPS) {
        answers.push(...requests.slice(answers.length).map((): JinjaAnswer => ({ ok: false, error: 'The template was stopped too often.' })));
      }
    }
    return answers;
  };
}

/** A template that had to be stopped so often is not tried any more. */
const MAX_STOPS = 2;

interface ThreadOutcome {
  readonly answers: readonly JinjaAnswer[];
  /** Why it ended before all was answered. */
  readonly ended?: string | undefined;
}

async function runThread(path: string, work: JinjaWork & { readonly requests: readonly JinjaRequest[] }, deadline: number, signal: AbortSignal | undefined): Promise<ThreadOutcome> {
  const answers: JinjaAnswer[] = [];
  // No environment and no arguments: the thread has no business with either.
  const worker = new Worker(path, { workerData: work, resourceLimits: RESOURCE_LIMITS, env: {}, argv: [], execArgv: [], stdin: false, stdout: true, stderr: true });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<ThreadOutcome>((resolve, reject) => {
      const wait = (milliseconds: number): void => {
        clearTimeout(timer);
        timer = setTimeout(() => resolve({ answers, ended: 'deadline' }), milliseconds);
      };
      wait(START_DEADLINE);
      worker.on('message', (message: JinjaMessageFromWorker) => {
        wait(deadline);
        if (message !== 'ready') {
          answers.push(message);
        }
        if (answers.length === work.requests.length) {
          resolve({ answers });
        }
      });
      worker.once('error', (error: Error & { code?: string }) => {
        if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
          resolve({ answers, ended: 'it took too much memory.' });
        } else {
          reject(new StudioError('internal/unexpected', `The thread for chat templates failed: ${error.message}. Please report it with the template.`, { cause: error }));
        }
      });
      worker.once('exit', () => resolve({ answers, ended: answers.length === work.requests.length ? undefined : 'its thread ended.' }));
      signal?.addEventListener('abort', () => resolve({ answers, ended: 'cancelled' }), { once: true });
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
    throwIfAborted(signal);
  }
}
