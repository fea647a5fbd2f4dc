import { Worker } from 'node:worker_threads';
import { StudioError } from '../../core/errors';
import type { ViewerQuestion } from '../../core/viewer/viewerProtocol';
import type { ViewerReply, ViewerRequest } from './viewerWorker';

export interface ViewerSessionOptions {
  /** The file that is looked at. */
  readonly path: string;
  /** `dist/viewerWorker.js`. */
  readonly workerScript: string;
  /** Milliseconds that one answer may take; default one minute. */
  readonly deadline?: number | undefined;
}

export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds; comparing the values of large tensors takes as long as reading them. */
  readonly deadline?: number | undefined;
}

const DEADLINE = 60_000;
/** A header of 99 MB with 1.4 million tensors takes some 600 MB. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 2048, maxYoungGenerationSizeMb: 64, stackSizeMb: 4 } as const;

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: StudioError) => void;
  readonly release: () => void;
}

/**
 * One file, read in a thread of its own: it has bounded memory, every answer a deadline, and the thread ends with the session. A
 * thread that was stopped is started anew by the next question.
 */
export class ViewerSession {
  readonly #options: ViewerSessionOptions;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #nextId = 0;
  #closed = false;

  constructor(options: ViewerSessionOptions) {
    this.#options = options;
  }

  /** Asks and waits. Rejects with what the thread threw, `viewer/deadline`, `viewer/memory`, or `run/cancelled`. */
  ask(question: ViewerQuestion, options: AskOptions = {}): Promise<unknown> {
    if (this.#closed || options.signal?.aborted === true) {
      return Promise.reject(cancelled());
    }
    const worker = this.#started();
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const milliseconds = options.deadline ?? this.#options.deadline ?? DEADLINE;
      const timer = setTimeout(() => this.#stop(worker, tooLate(milliseconds)), milliseconds);
      const abort = (): void => {
        worker.postMessage({ kind: 'cancel', id } satisfies ViewerRequest);
        this.#settle(id)?.reject(cancelled());
      };
      options.signal?.addEventListener('abort', abort, { once: true });
      const release = (): void => {
        clearTimeout(timer);
        options.signal?.removeEventListener('abort', abort);
      };
      this.#pending.set(id, { resolve, reject, release });
      worker.postMessage({ kind: 'ask', id, question } satisfies ViewerRequest);
    });
  }

  /** Ends the thread; what is under way rejects with `run/cancelled`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#restart();
  }

  /** Forgets what was read: the next question reads the file anew. */
  async reload(): Promise<void> {
    await this.#restart();
  }

  async #restart(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#rejectAll(cancelled());
    await worker?.terminate();
  }

  #started(): Worker {
    if (this.#worker !== undefined) {
      return this.#worker;
    }
    const worker = new Worker(this.#options.workerScript, {
      workerData: { path: this.#options.path },
      resourceLimits: RESOURCE_LIMITS,
      argv: [],
      execArgv: [],
      stdin: false,
      stdout: true,
      stderr: true,
    });
    worker.on('message', (reply: ViewerReply) => {
      const pending = this.#settle(reply.id);
      if ('error' in reply) {
        pending?.reject(StudioError.fromJSON(reply.error));
      } else {
        pending?.resolve(reply.answer);
      }
    });
    worker.on('error', (error: NodeJS.ErrnoException) => {
      this.#stop(
        worker,
        error.code === 'ERR_WORKER_OUT_OF_MEMORY'
          ? outOfMemory()
          : new StudioError(
              'internal/unexpected',
              `The reader of the file stopped: ${error.message}. Please report it with the file that led here.`,
              { cause: error },
            ),
      );
    });
    worker.on('exit', () => {
      this.#stop(
        worker,
        new StudioError('viewer/memory', 'The reader of the file ended before it answered. Open the file again.'),
      );
    });
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    pending?.release();
    this.#pending.delete(id);
    return pending;
  }

  #stop(worker: Worker, reason: StudioError): void {
    if (this.#worker !== worker) {
      return;
    }
    this.#worker = undefined;
    this.#rejectAll(reason);
    void worker.terminate();
  }

  #rejectAll(reason: StudioError): void {
    for (const id of [...this.#pending.keys()]) {
      this.#settle(id)?.reject(reason);
    }
  }
}

function cancelled(): StudioError {
  return new StudioError('run/cancelled', 'Cancelled.');
}

function tooLate(milliseconds: number): StudioError {
  return new StudioError(
    'viewer/deadline',
    `The file was not read within ${milliseconds / 1000} s, so reading it was stopped. Try again when the disk is less busy; a file that is made to take long stays unread.`,
  );
}

function outOfMemory(): StudioError {
  return new StudioError(
    'viewer/memory',
    'Reading the header took more memory than the viewer may have. Look at it in a terminal: modelfile-studio inspect FILE.',
  );
}
