import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { noGgufForm } from '../../core/engine/adapterGgufRefusals';
import type { AdapterTarget } from '../../core/engine/adapterTarget';
import type { PlanNote } from '../../core/engine/buildPlan';
import { planAdapterGguf, type AdapterGgufPlan, type AdapterType } from '../../core/engine/planAdapterGguf';
import { StudioError, throwIfAborted, toStudioError } from '../../core/errors';
import { readGguf } from '../../core/formats/gguf/readGguf';
import type { EngineEvent } from '../../core/progress';
import { checkOutput } from '../output/checkOutput';
import { sameWeight } from './compareWeights';
import { FactorWriter } from './factorWriter';
import { openFileSource } from '../files/fileSource';
import { requireSpace } from '../files/freeSpace';
import { changedError, identify, identityText } from '../files/inputIdentity';
import { loadAdapter } from '../inputs/loadAdapter';
import { loadAdapterTarget, type LoadedTarget } from '../inputs/loadAdapterTarget';
import { acquireLock } from '../output/outputLock';
import { existsError, PartialOutput, recoverPublishing, writeFully, type PartialPlan } from '../output/partialOutput';
import type { AdapterRequest } from './prepareBuild';
import { RateMeter } from '../files/rateMeter';
import { writeError } from '../files/systemError';
import { withoutZeroParts } from './zeroParts';

export interface ConvertAdapterRequest {
  readonly adapter: AdapterRequest;
  /** A Hugging Face folder, a GGUF of the base, or what is already known of it (an installed model). */
  readonly base: string | AdapterTarget;
  readonly type: AdapterType;
  readonly output: string;
  readonly signal?: AbortSignal | undefined;
}

/** A plan with the state of the adapter's file when it was read. */
export interface PreparedAdapter extends AdapterGgufPlan {
  readonly inputState: string;
}

export interface ConvertAdapterReport {
  readonly output: string;
  readonly bytes: number;
  readonly tensors: number;
  readonly seconds: number;
  readonly alpha: number;
  readonly warnings: readonly PlanNote[];
}

/**
 * Reads what a GGUF adapter needs and plans it; nothing is written.
 * @throws StudioError adapter/no-gguf-form with the route that works, adapter/…, model/…, output/…
 */
export async function prepareConvertAdapter(request: ConvertAdapterRequest): Promise<PreparedAdapter> {
  const loaded: LoadedTarget =
    typeof request.base === 'string'
      ? await loadAdapterTarget(request.base)
      : { target: request.base, folders: [], files: [] };
  const adapter = await loadAdapter(
    request.adapter.path,
    request.signal === undefined ? {} : { signal: request.signal },
  );
  if (adapter.format === 'gguf') {
    throw new StudioError(
      'adapter/unsupported',
      `${request.adapter.path} is a GGUF adapter already. Use it as it is (ADAPTER in a Modelfile), or merge it with build.`,
      { path: request.adapter.path },
    );
  }
  const inputState = identityText(await identify(adapter.weightsFile));
  const [trained] = await withoutZeroParts([{ adapter, weight: request.adapter.weight }], request.signal);
  const plan = planAdapterGguf({
    ...trained!,
    target: loaded.target,
    type: request.type,
    output: request.output,
  });
  await checkOutput(request.output, 'gguf', {
    files: [adapter.weightsFile, ...loaded.files],
    folders: [adapter.directory, ...loaded.folders],
  });
  await requireOwnWeights(plan, request.signal);
  return { ...plan, inputState };
}

/**
 * A base weight that the adapter carries along must be the base's own, or it would be lost without a word.
 * @throws StudioError adapter/no-gguf-form
 */
export async function requireOwnWeights(plan: AdapterGgufPlan, signal: AbortSignal | undefined): Promise<void> {
  for (const { target, source } of plan.carried) {
    const own = plan.target.stored(target);
    if (own === undefined || !(await sameWeight(source, own, signal))) {
      throw noGgufForm(
        plan.adapter.path,
        'changed-base',
        `it carries its own ${target}, ${own === undefined ? "and whether that is the base's cannot be seen from here" : "which is not the base's"}`,
        target,
      );
    }
  }
}

export interface ConvertAdapterOptions {
  readonly force: boolean;
  readonly signal: AbortSignal;
}

/**
 * Writes the adapter: nothing appears under the final name before all of it is written, forced to the disk and read again.
 * @throws StudioError adapter/values, quantize/values, output/…, disk/…
 */
export async function* convertAdapter(
  plan: PreparedAdapter,
  options: ConvertAdapterOptions,
): AsyncGenerator<EngineEvent, ConvertAdapterReport> {
  throwIfAborted(options.signal);
  yield { event: 'phase', phase: 'checking' };
  requireFree(plan.output, options.force);
  const lock = await acquireLock(plan.output);
  try {
    await recoverPublishing(plan.output);
    requireFree(plan.output, options.force);
    return yield* writeLocked(plan, options);
  } finally {
    await lock.release();
  }
}

function requireFree(output: string, force: boolean): void {
  if (existsSync(output) && !force) {
    throw existsError(output);
  }
}

async function* writeLocked(
  plan: PreparedAdapter,
  options: ConvertAdapterOptions,
): AsyncGenerator<EngineEvent, ConvertAdapterReport> {
  const started = performance.now();
  await requireUnchanged(plan);
  await requireSpace(plan.output, plan.bytesWritten);
  // An adapter is written in seconds: a killed run is begun anew, so no two runs share a hash, and no unit is ever noted.
  const partialPlan: PartialPlan = { kind: 'gguf', output: plan.output, outputs: plan.outputs, tensors: [] };
  const partial = await PartialOutput.begin(partialPlan, randomBytes(32).toString('hex'), [], options.signal);
  try {
    const warnings = yield* writeTensors(plan, partial.paths[0]!, options.signal);
    await requireUnchanged(plan);
    yield { event: 'phase', phase: 'finishing' };
    await partial.seal();
    await verify(partial.paths[0]!);
    throwIfAborted(options.signal);
    await partial.publish(options.force);
    return {
      output: plan.output,
      bytes: plan.bytesWritten,
      tensors: plan.tensors.length,
      seconds: (performance.now() - started) / 1000,
      alpha: plan.scales.alpha,
      warnings,
    };
  } catch (thrown) {
    await partial.discard();
    throw thrown instanceof Error && 'syscall' in thrown ? writeError(thrown, plan.output) : toStudioError(thrown);
  }
}

async function requireUnchanged(plan: PreparedAdapter): Promise<void> {
  if (identityText(await identify(plan.adapter.weightsFile)) !== plan.inputState) {
    throw changedError(plan.adapter.weightsFile);
  }
}

async function* writeTensors(
  plan: PreparedAdapter,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent, PlanNote[]> {
  const bytesTotal = plan.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const meter = new RateMeter(0);
  const source = await openFileSource(plan.adapter.weightsFile, { signal });
  let file: FileHandle | undefined;
  try {
    const writer = await FactorWriter.open(plan.largestFactor, source);
    file = await open(path, 'r+');
    let bytesDone = 0;
    for (const [index, tensor] of plan.tensors.entries()) {
      throwIfAborted(signal);
      let at = tensor.offset;
      for (const slice of tensor.slices) {
        const bytes = await writer.slice(tensor, slice);
        await writeFully(file, bytes, at);
        at += bytes.length;
        bytesDone += bytes.length;
      }
      const { rate, secondsLeft } = meter.measure(bytesDone, bytesTotal);
      yield {
        event: 'progress',
        bytesDone,
        bytesTotal,
        tensorsDone: index + 1,
        tensorsTotal: plan.tensors.length,
        tensor: tensor.name,
        rate,
        ...(secondsLeft === undefined ? {} : { secondsLeft }),
      };
    }
    return writer.warnings(plan.type);
  } finally {
    await file?.close();
    await source.close();
  }
}

async function verify(path: string): Promise<void> {
  const source = await openFileSource(path);
  try {
    await readGguf(source, { path });
  } catch (thrown) {
    throw toStudioError(thrown).at(path);
  } finally {
    await source.close();
  }
}
