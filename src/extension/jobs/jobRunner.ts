import { randomUUID } from 'node:crypto';
import type { EngineEvent } from '../../core/progress';
import { escapeControls } from '../../core/escapeControls';
import { toStudioError } from '../../core/errors';
import { errorOf, type CliResult } from '../../node/process/forkCli';
import { failure } from '../commandLine';
import type * as z from 'zod/mini';
import { isOver, STORED_JOB, type Job, type JobSpec } from './job';
import { briefResult } from './jobText';

/** Runs one command line to its end; never rejects. */
export type RunCommandLine = (
  args: readonly string[],
  options: {
    readonly cwd: string | undefined;
    readonly signal: AbortSignal;
    readonly onEvent: (event: EngineEvent) => void;
  },
) => Promise<CliResult>;

/** Where jobs outlive a reload of the window. */
export interface JobStorage {
  read(): unknown;
  write(value: unknown): void;
}

/** Finished jobs that are kept. */
const MAX_FINISHED = 30;

/** Lines of a job's log. */
const MAX_LINES = 500;

/**
 * Runs jobs one after the other, because each of them uses all cores and much of the disk. Every change is told to all
 * listeners; nothing here knows the editor.
 */
export class JobRunner {
  #jobs: readonly Job[];
  /** What ran or waited when the window before ended, newest first. */
  readonly interrupted: readonly string[];
  readonly #running = new Map<string, AbortController>();
  readonly #listeners = new Set<(job: Job | undefined) => void>();

  constructor(
    private readonly run: RunCommandLine,
    private readonly storage: JobStorage,
  ) {
    const before = storage.read();
    this.#jobs = restore(before);
    const ended = new Set(endedBefore(before));
    this.interrupted = this.#jobs
      .filter(({ id, state }) => state === 'interrupted' && !ended.has(id))
      .map(({ id }) => id);
    this.#store();
  }

  /** Newest first. */
  get jobs(): readonly Job[] {
    return this.#jobs;
  }

  find(id: string): Job | undefined {
    return this.#jobs.find((job) => job.id === id);
  }

  /** Calls `listener` with each job that changes, and with undefined where the list does. Returns what ends that. */
  onChange(listener: (job: Job | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Puts a job into the queue, and begins it when its turn comes. A job with the same output that waits or runs is returned in its place. */
  start(spec: JobSpec): Job {
    const same = this.#jobs.find((job) => !isOver(job) && job.spec.args.join('\0') === spec.args.join('\0'));
    if (same !== undefined) {
      return same;
    }
    const job: Job = { id: randomUUID(), spec, state: 'queued', created: Date.now(), log: [] };
    this.#jobs = [job, ...this.#jobs];
    this.#changed(undefined);
    void this.#next();
    return job;
  }

  /** Resolves when the job has ended, however it did; undefined when there is none of that id. */
  async finished(id: string): Promise<Job | undefined> {
    const job = this.find(id);
    if (job === undefined || isOver(job)) {
      return job;
    }
    return await new Promise((resolve) => {
      const stop = this.onChange(() => {
        const now = this.find(id);
        if (now === undefined || isOver(now)) {
          stop();
          resolve(now);
        }
      });
    });
  }

  /** Stops a job that waits or runs. A running one is `cancelled` when its process has cleaned up and ended. */
  cancel(id: string): void {
    const job = this.find(id);
    if (job?.state === 'queued') {
      this.#update(id, { state: 'cancelled', ended: Date.now() }, 'Cancelled before it began');
    } else if (job?.state === 'running') {
      this.#update(id, { phase: 'cancelling' }, 'Cancelling');
      this.#running.get(id)?.abort();
    }
  }

  /** Runs the command line of an ended job again, in its place; a partial output of an interrupted one is gone on with. */
  again(id: string): Job | undefined {
    const job = this.find(id);
    if (job === undefined || !isOver(job)) {
      return undefined;
    }
    this.#jobs = this.#jobs.filter((other) => other !== job);
    return this.start(job.spec);
  }

  /** Takes ended jobs off the list: one, or all. Their results stay. */
  remove(id?: string): void {
    this.#jobs = this.#jobs.filter((job) => !isOver(job) || (id !== undefined && job.id !== id));
    this.#changed(undefined);
  }

  async #next(): Promise<void> {
    const job = this.#jobs.findLast(({ state }) => state === 'queued');
    if (job === undefined || this.#running.size > 0) {
      return;
    }
    const abort = new AbortController();
    this.#running.set(job.id, abort);
    this.#update(job.id, { state: 'running', started: Date.now() });
    const result = await this.#runAll(job, abort.signal);
    this.#running.delete(job.id);
    this.#end(job.id, result);
    void this.#next();
  }

  /** The job's command lines one after the other; the first answer of a job that succeeds, else that of the one that did not. */
  async #runAll({ id, spec }: Job, signal: AbortSignal): Promise<CliResult> {
    let first: CliResult | undefined;
    for (const args of [spec.args, ...(spec.next ?? [])]) {
      this.#update(id, {}, `modelfile-studio ${args.join(' ')}`);
      const result = await this.run(args, { cwd: spec.cwd, signal, onEvent: (event) => this.#onEvent(id, event) });
      if (result.exitCode !== 0) {
        return result;
      }
      first ??= result;
    }
    return first!;
  }

  #onEvent(id: string, event: EngineEvent): void {
    if (event.event === 'progress') {
      const { bytesDone, bytesTotal, rate, secondsLeft, tensor } = event;
      this.#update(id, { progress: { bytesDone, bytesTotal, rate, secondsLeft, at: tensor } });
    } else if (event.event === 'phase') {
      this.#update(
        id,
        { phase: event.phase },
        `${event.phase}${event.detail === undefined ? '' : `: ${event.detail}`}`,
      );
    } else {
      this.#update(id, {}, `warning ${event.code}: ${event.message}`);
    }
  }

  #end(id: string, result: CliResult): void {
    const ended = Date.now();
    if (result.exitCode === 0) {
      this.#update(id, { state: 'done', ended, phase: undefined, result: result.json }, 'Done');
    } else if (result.exitCode === 130) {
      this.#update(id, { state: 'cancelled', ended, phase: undefined }, 'Cancelled');
    } else {
      const { code, message } =
        errorOf(result.json) ?? (result.json === undefined ? failure(result, 'The command') : undeclared(result));
      const tail = result.errorText
        .trim()
        .split('\n')
        .slice(-20)
        .filter((line) => line !== '');
      this.#update(
        id,
        { state: 'failed', ended, phase: undefined, error: { code, message }, result: result.json },
        ...tail,
        `${code}: ${message}`,
      );
    }
  }

  #update(id: string, change: Partial<Job>, ...lines: readonly string[]): void {
    const time = new Date().toISOString().slice(11, 19);
    let updated: Job | undefined;
    this.#jobs = this.#jobs.map((job) => {
      if (job.id !== id) {
        return job;
      }
      updated = {
        ...job,
        ...change,
        log: [...job.log, ...lines.map((line) => `${time} ${escapeControls(line)}`)].slice(-MAX_LINES),
      };
      return updated;
    });
    this.#changed(updated, change.state !== undefined);
  }

  #changed(job: Job | undefined, store = true): void {
    if (store) {
      this.#store();
    }
    this.#listeners.forEach((listener) => listener(job));
  }

  #store(): void {
    const over = this.#jobs.filter(isOver).slice(MAX_FINISHED);
    this.#jobs = this.#jobs.filter((job) => !over.includes(job));
    this.storage.write(this.#jobs.map((job) => stored(job)));
  }
}

function stored(job: Job): z.infer<typeof STORED_JOB> {
  const { id, spec, state, created, started, ended, error, log } = job;
  return { id, spec, state, created, started, ended, error, result: briefResult(job), log: log.slice(-50) };
}

/** A command that answered, and failed, without an error of its own: one input of several was bad. */
function undeclared(result: CliResult): { readonly code: string; readonly message: string } {
  const files =
    typeof result.json === 'object' &&
    result.json !== null &&
    'files' in result.json &&
    Array.isArray(result.json.files)
      ? (result.json.files as unknown[])
      : [];
  return (
    files.map(errorOf).find((error) => error !== undefined) ??
    toStudioError(new Error(`the command ended with exit ${result.exitCode ?? 'killed'}`))
  );
}

/** Jobs that were over already when the window before ended. */
function endedBefore(stored: unknown): readonly string[] {
  return (Array.isArray(stored) ? (stored as readonly unknown[]) : []).flatMap((one) => {
    const parsed = STORED_JOB.safeParse(one);
    return parsed.success && isOver(parsed.data) ? [parsed.data.id] : [];
  });
}

/** The jobs of the window before; what ran or waited then was interrupted. */
function restore(stored: unknown): readonly Job[] {
  const jobs = Array.isArray(stored) ? (stored as readonly unknown[]) : [];
  return jobs.flatMap((one): Job[] => {
    const parsed = STORED_JOB.safeParse(one);
    if (!parsed.success) {
      return [];
    }
    const job = parsed.data as Job;
    return [
      isOver(job)
        ? job
        : {
            ...job,
            state: 'interrupted',
            ended: Date.now(),
            log: [...job.log, 'The window was closed or reloaded while this ran'],
          },
    ];
  });
}
