import { parentPort, workerData } from 'node:worker_threads';
import { Template } from '@huggingface/jinja';
import { LIMITS } from '../core/limits';
import type { JinjaAnswer, JinjaRequest } from '../core/templates/chatFormat';
import { formatDate } from '../core/templates/dateFormat';

/** What the thread is started with. */
export interface JinjaWork {
  readonly jinja: string;
  readonly requests: readonly JinjaRequest[];
}

/** `ready` before the first rendering; then one answer after the other. */
export type JinjaMessageFromWorker = 'ready' | JinjaAnswer;

/** Renders what it was given, one answer at a time, so that whoever waits sees where it stands still. */
function run({ jinja, requests }: JinjaWork, post: (message: JinjaMessageFromWorker) => void): void {
  let template: Template | undefined;
  let failure = '';
  post('ready');
  try {
    template = new Template(jinja);
  } catch (thrown) {
    failure = messageOf(thrown);
  }
  for (const request of requests) {
    post(template === undefined ? { ok: false, error: failure } : render(template, request));
  }
}

function render(template: Template, { variables, now }: JinjaRequest): JinjaAnswer {
  const strftime = (format: unknown): string => (typeof now === 'number' ? formatDate(new Date(now), String(format)) : `${now.before}${String(format)}${now.after}`);
  try {
    const text: unknown = template.render({ ...structuredClone(variables), strftime_now: strftime });
    if (typeof text !== 'string') {
      return { ok: false, error: 'The template gave no text.' };
    }
    return text.length > LIMITS.chatTemplateBytes ? { ok: false, error: `The text has ${text.length} characters, more than the ${LIMITS.chatTemplateBytes} that are looked at.` } : { ok: true, text };
  } catch (thrown) {
    return { ok: false, error: messageOf(thrown) };
  }
}

function messageOf(thrown: unknown): string {
  return (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, 500);
}

run(workerData as JinjaWork, (message) => parentPort?.postMessage(message));
