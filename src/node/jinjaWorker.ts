import { parentPort, workerData } from 'node:worker_threads';
import type { JinjaAnswer, JinjaRequest } from '../core/templates/chatFormat';
import { evaluateJinja, jinjaError, parseJinja, type JinjaProgram } from './jinjaEvaluation';

/** What the thread is started with. */
export interface JinjaWork {
  readonly jinja: string;
  readonly requests: readonly JinjaRequest[];
}

/** `ready` before anything of the template is looked at; then one answer after the other. */
export type JinjaMessageFromWorker = 'ready' | JinjaAnswer;

/** Renders what it was given, one answer at a time, so that whoever waits sees where it stands still. */
function run({ jinja, requests }: JinjaWork, post: (message: JinjaMessageFromWorker) => void): void {
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

run(workerData as JinjaWork, (message) => parentPort?.postMessage(message));
