import { setTimeout as sleep } from 'node:timers/promises';
import { StudioError, throwIfAborted } from '../../core/errors';

/**
 * What a server says of its names while another creation copies or deletes one: it walks its manifests and finds that one has gone, or reads
 * one that is being written.
 */
const UNSETTLED =
  /manifests[\\/].*(?:no such file|cannot find)|\bmodel is required|\bmodel ['"]?[^'"\s]+['"]? not found|unexpected end of JSON input|unexpected EOF/i;
/** Milliseconds between tries; together they outlast any copy of a manifest. */
export const PAUSES: readonly number[] = [50, 100, 200, 400, 800, 1600];

/**
 * Asks again for a while where a server's names are in motion, before its answer counts.
 * @param call one request; one that the server may have carried out in spite of its answer must not mind being sent twice
 */
export async function whileUnsettled<Result>(call: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
  for (const pause of PAUSES) {
    try {
      return await call();
    } catch (thrown) {
      throwIfAborted(signal);
      if (!isUnsettled(thrown)) {
        throw thrown;
      }
      await sleep(pause);
      throwIfAborted(signal);
    }
  }
  return await call();
}

/** Whether an answer may be of the moment only. */
export function isUnsettled(thrown: unknown): boolean {
  if (!(thrown instanceof StudioError) || !thrown.code.startsWith('ollama/')) {
    return false;
  }
  const said = thrown.detail?.['server'];
  return typeof said === 'string' && UNSETTLED.test(said);
}
