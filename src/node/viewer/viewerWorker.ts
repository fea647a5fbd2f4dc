import { parentPort, workerData } from 'node:worker_threads';
import { toStudioError, type ErrorJson } from '../../core/errors';
import type { ViewerQuestion } from '../../core/viewer/viewerProtocol';
import { ViewerServer } from './viewerServer';

/** What the thread is asked. */
export type ViewerRequest =
  | { readonly kind: 'ask'; readonly id: number; readonly question: ViewerQuestion }
  | { readonly kind: 'cancel'; readonly id: number };

/** What it says. */
export type ViewerReply =
  { readonly id: number; readonly answer: unknown } | { readonly id: number; readonly error: ErrorJson };

/** The entry of `dist/viewerWorker.js`: answers questions about the file in `workerData.path` until its port closes. */
function serve(): void {
  const port = parentPort!;
  const server = new ViewerServer((workerData as { readonly path: string }).path, __dirname);
  const running = new Map<number, AbortController>();
  port.on('message', (request: ViewerRequest) => {
    if (request.kind === 'cancel') {
      running.get(request.id)?.abort();
      return;
    }
    const { id, question } = request;
    const abort = new AbortController();
    running.set(id, abort);
    server
      .answer(question, abort.signal)
      .then((answer) => port.postMessage({ id, answer } satisfies ViewerReply))
      .catch((thrown: unknown) => port.postMessage({ id, error: toStudioError(thrown).toJSON() } satisfies ViewerReply))
      .finally(() => running.delete(id));
  });
}

serve();
