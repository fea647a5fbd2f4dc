import { append } from '../../core/append';
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { StudioError, throwIfAborted } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { JinjaAnswer, JinjaRenderer } from '../../core/chatTemplate/chatFormat';
import type { JinjaMessageFromWorker, JinjaWork } from './jinjaWorker';

/** What one rendering may take, in milliseconds; a second try has more, for a busy machine is not a hostile template. */
const DEADLINES = [500, 2_000] as const;
/** Starting a process is no work of the template's. */
const START_DEADLINE = 30_000;

/**
 * A renderer of models' Jinja templates that runs them in a process of their own, in a thread with little memory, and ends it when one
 * rendering takes too long. Templates are programs of strangers: none is ever evaluated here, and a thread alone would not do, for one
 * that takes much memory at once ends the process that it is in.
 * @param bundleFolder where `jinja.js` lies
 */
export function createJinjaRenderer(bundleFolder: string): JinjaRenderer {
  /** Templates that were stopped so often that they are not run any more. */
  const givenUp = new Set<string>();
  return async (jinja, requests, signal) => {
    if (jinja.length > LIMITS.chatTemplateBytes) {
      throw new StudioError(
        'template/jinja',
        `The chat template has ${jinja.length} characters, more than the ${LIMITS.chatTemplateBytes} that a template can have. Write the TEMPLATE by hand.`,
      );
    }
    const answers: JinjaAnswer[] = [];
    let attempt = 0;
    while (answers.length < requests.length) {
      throwIfAborted(signal);
      if (givenUp.has(jinja)) {
        return [
          ...answers,
          ...requests
            .slice(answers.length)
            .map((): JinjaAnswer => ({ ok: false, error: 'The template was stopped too often.' })),
        ];
      }
      const outcome = await runProcess(
        join(bundleFolder, 'jinja.js'),
        { jinja, requests: requests.slice(answers.length) },
        DEADLINES[attempt] ?? DEADLINES[0],
        signal,
      );
      append(answers, outcome.answers);
      if (outcome.ended === undefined) {
        continue;
      }
      if (outcome.ended === 'deadline' && attempt + 1 < DEADLINES.length) {
        attempt += 1;
        continue;
      }
      // One request stopped the process: it is answered, and the others have their turn.
      answers.push({
        ok: false,
        error:
          outcome.ended === 'deadline'
            ? 'The template ran too long and was stopped.'
            : `The template was stopped: ${outcome.ended}`,
      });
      if (++attempt >= DEADLINES.length + MAX_STOPS) {
        givenUp.add(jinja);
      }
    }
    return answers;
  };
}

/** A template that had to be stopped so often is not tried any more. */
const MAX_STOPS = 2;

interface Outcome {
  readonly answers: readonly JinjaAnswer[];
  /** Why it ended before all was answered. */
  readonly ended?: string | undefined;
}

async function runProcess(
  path: string,
  work: JinjaWork,
  deadline: number,
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  const answers: JinjaAnswer[] = [];
  const { SystemRoot } = process.env;
  // No environment of ours and no arguments: a template has no business with either. Windows starts nothing without its folder.
  const env = { ELECTRON_RUN_AS_NODE: '1', ...(SystemRoot === undefined ? {} : { SystemRoot }) };
  const child = fork(path, [], {
    env,
    execArgv: [],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    windowsHide: true,
  } as Parameters<typeof fork>[2]);
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let timer: NodeJS.Timeout | undefined;
  let stop: (() => void) | undefined;
  try {
    return await new Promise<Outcome>((resolve, reject) => {
      const wait = (milliseconds: number): void => {
        clearTimeout(timer);
        timer = setTimeout(() => resolve({ answers, ended: 'deadline' }), milliseconds);
      };
      stop = (): void => resolve({ answers, ended: 'cancelled' });
      signal?.addEventListener('abort', stop, { once: true });
      wait(START_DEADLINE);
      child.on('message', (message) => {
        const told = message as JinjaMessageFromWorker;
        wait(deadline);
        if (told !== 'ready' && 'stopped' in told) {
          resolve({ answers, ended: told.stopped });
        } else if (told !== 'ready') {
          answers.push(told);
        }
        if (answers.length === work.requests.length) {
          resolve({ answers });
        }
      });
      child.once('error', (cause) =>
        reject(
          new StudioError(
            'internal/unexpected',
            `The process for chat templates did not start: ${cause.message}. Please report it.`,
            { cause },
          ),
        ),
      );
      child.once('exit', () => resolve({ answers, ended: 'it took too much memory or crashed.' }));
      child.send(work, (error) => {
        if (error !== null) {
          resolve({ answers, ended: 'its process ended.' });
        }
      });
    });
  } finally {
    clearTimeout(timer);
    if (stop !== undefined) {
      signal?.removeEventListener('abort', stop);
    }
    child.kill('SIGKILL');
    await gone;
    throwIfAborted(signal);
  }
}
