import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { JinjaAnswer, JinjaRequest } from '../../core/chatTemplate/chatFormat';
import { evaluateJinja, jinjaError, parseJinja, type JinjaProgram } from './jinjaEvaluation';

/** What the process is sent. */
export interface JinjaWork {
  readonly jinja: string;
  readonly requests: readonly JinjaRequest[];
}

/** `ready` before anything of the template is looked at; then one answer after the other. */
export type JinjaMessageFromWorker = 'ready' | JinjaAnswer | { readonly stopped: string };

/** Memory of the thread, in MiB. A template that takes more at once ends the whole process: that is what it is a process of its own for. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16, stackSizeMb: 2 } as const;

/** Renders what it was given, one answer at a time, so that whoever waits sees where it stands still. */
function render({ jinja, requests }: JinjaWork, post: (message: JinjaMessageFromWorker) => void): void {
  post('ready');
  let program: JinjaProgram | undefined;
  let failure = '';
  try {
    program = parseJinja(jinja);
  } catch (thrown) {
    failure = jinjaError(thrown);
  }
  for (const request of requests) {
    post(program === undefined ? { ok: false, error: failure } : evaluateJinja(program, request));
  }
}

/** The process: its main thread stays free, so that it ends when whoever started it is gone, whatever the template does. */
function serve(): void {
  process.once('disconnect', () => process.exit());
  process.once('message', (work: JinjaWork) => {
    const thread = new Worker(__filename, {
      workerData: work,
      resourceLimits: RESOURCE_LIMITS,
      env: {},
      argv: [],
      execArgv: [],
    });
    const send = (message: JinjaMessageFromWorker): void => {
      process.send?.(message);
    };
    thread.on('message', send);
    thread.once('error', (error: Error & { code?: string }) =>
      send({ stopped: error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'it took too much memory.' : error.message }),
    );
  });
}

if (isMainThread) {
  serve();
} else {
  render(workerData as JinjaWork, (message) => parentPort?.postMessage(message));
}
