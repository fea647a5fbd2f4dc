import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { BuildPlan } from '../../core/engine/buildPlan';
import { workerLayout } from '../../core/engine/workerLayout';
import { workUnits, type WorkUnit } from '../../core/engine/workUnits';
import { StudioError, throwIfAborted, toStudioError } from '../../core/errors';
import type { EngineEvent } from '../../core/progress';
import { CONTROL, HASH_REQUEST, type EngineWorkerData, type WorkerMessage } from './engineMessages';
import { shareBytes } from './shareBytes';
import { shareTensors } from './sharedTensors';
import { shareUnits } from './sharedUnits';
import { freeBytes, requireSpace } from '../files/freeSpace';
import { changedError, identify, identityText, sameIdentity, type InputIdentity } from '../files/inputIdentity';
import { acquireLock } from '../output/outputLock';
import { existsError, PartialOutput, recoverPublishing, unitSpan } from '../output/partialOutput';
import { planHash } from '../output/planHash';
import { RateMeter } from '../files/rateMeter';
import { requireReplaceable } from '../output/requireReplaceable';
import { writeError } from '../files/systemError';

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly workers: number;
  /** Replace an output that exists. */
  readonly force: boolean;
  /** The bundled worker script. */
  readonly workerScript: string;
  /** Called on the sealed partial output, before it gets its final name. */
  readonly verify?: ((partial: readonly string[]) => Promise<void>) | undefined;
}

export interface RunResult {
  readonly output: string;
  readonly bytes: number;
  readonly tensors: number;
  readonly seconds: number;
  /** By tensor, in the plan's order. */
  readonly hashes: readonly string[];
  /** Names of tensors with NaN or infinite values, which only float types keep. */
  readonly nonFinite: readonly string[];
  readonly resumedUnits: number;
  readonly inputs: readonly InputIdentity[];
  readonly planHash: string;
}

const TICK = 100;
/** Between two looks at the free space of a running build. */
const SPACE_CHECK = 5_000;
/** Output bytes after which what was written is sent on to the disk. */
const SYNC_BYTES = 32 * 1024 * 1024;
const LEAST_FREE = 64 * 1024 * 1024;
/** Bytes that a worker may have written without having said so: two units of a million f32 values. */
const IN_FLIGHT = 8 * 1024 * 1024;

/**
 * Carries a plan out. Nothing appears under the final name before everything is written, forced to the disk and
 * read again; a cancelled or failed run removes what it began, a killed one is resumed by the next.
 */
export async function* runPlan(plan: BuildPlan, options: RunOptions): AsyncGenerator<EngineEvent, RunResult> {
  throwIfAborted(options.signal);
  yield { event: 'phase', phase: 'checking' };
  requireFree(plan, options);
  const lock = await acquireLock(plan.output);
  try {
    await recoverPublishing(plan.output);
    // Another run may have ended between the first look and the lock.
    requireFree(plan, options);
    await (plan.kind === 'safetensors' && options.force ? requireReplaceable(plan.output) : undefined);
    return yield* runLocked(plan, options);
  } finally {
    await lock.release();
  }
}

function requireFree(plan: BuildPlan, options: RunOptions): void {
  if (existsSync(plan.output) && !options.force) {
    throw existsError(plan.output);
  }
}

async function* runLocked(plan: BuildPlan, options: RunOptions): AsyncGenerator<EngineEvent, RunResult> {
  const started = performance.now();
  const inputs = await Promise.all(plan.inputs.map((path) => identify(path)));
  const outdated = inputs.find(
    (input, index) => plan.inputStates !== undefined && plan.inputStates[index] !== identityText(input),
  );
  if (outdated !== undefined) {
    throw changedError(outdated.path);
  }
  const hash = planHash(plan, inputs);
  const units = workUnits(plan.tensors);
  const partial = await PartialOutput.begin(plan, hash, units, options.signal);
  try {
    if (partial.finished.size > 0) {
      yield {
        event: 'phase',
        phase: 'resuming',
        detail: `${partial.finished.size} of ${units.length} parts were finished before`,
      };
    }
    const left = units.reduce(
      (sum, unit, index) => sum + (partial.finished.has(index) ? 0 : unitSpan(plan.tensors[unit.tensor]!, unit).bytes),
      0,
    );
    await requireSpace(plan.output, left);
    const run = new ThreadedRun(plan, units, partial, options);
    const { hashes, nonFinite } = yield* run.events();
    for (const [index, before] of inputs.entries()) {
      if (!sameIdentity(before, await identify(plan.inputs[index]!))) {
        throw changedError(before.path);
      }
    }
    yield { event: 'phase', phase: 'finishing' };
    await partial.seal();
    await options.verify?.(partial.paths);
    throwIfAborted(options.signal);
    await partial.publish(options.force);
    const bytes = plan.outputs.reduce((sum, output) => sum + output.bytes, 0);
    return {
      output: plan.output,
      bytes,
      tensors: plan.tensors.length,
      seconds: (performance.now() - started) / 1000,
      hashes,
      nonFinite,
      resumedUnits: partial.finished.size,
      inputs,
      planHash: hash,
    };
  } catch (thrown) {
    await partial.discard();
    // Our own code reads inputs through typed errors: what the system says here is about writing.
    throw thrown instanceof Error && 'syscall' in thrown ? writeError(thrown, plan.output) : toStudioError(thrown);
  }
}

/** The worker threads of one run and what they report. */
class ThreadedRun {
  readonly #plan: BuildPlan;
  readonly #units: readonly WorkUnit[];
  readonly #partial: PartialOutput;
  readonly #options: RunOptions;
  readonly #control = new Int32Array(new SharedArrayBuffer(CONTROL.slots * 4));
  readonly #workers: Worker[] = [];
  readonly #hashes: string[] = [];
  readonly #nonFinite = new Set<string>();
  readonly #tensorUnitsLeft: number[] = [];
  #unitsDone = 0;
  #hashesDone = 0;
  #exited = 0;
  #failure: StudioError | undefined;
  #wake: () => void = () => undefined;
  readonly #bytesTotal: number;
  #bytesDone = 0;
  #bytesSynced = 0;
  #tensorsDone = 0;

  constructor(plan: BuildPlan, units: readonly WorkUnit[], partial: PartialOutput, options: RunOptions) {
    this.#plan = plan;
    this.#units = units;
    this.#partial = partial;
    this.#options = options;
    this.#bytesTotal = plan.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
    plan.tensors.forEach(() => this.#tensorUnitsLeft.push(0));
    units.forEach((unit, index) => {
      this.#tensorUnitsLeft[unit.tensor]! += 1;
      if (partial.finished.has(index)) {
        this.#finishUnit(index, partial.finished.get(index)?.nonFinite === true);
      }
    });
  }

  async *events(): AsyncGenerator<EngineEvent, { hashes: readonly string[]; nonFinite: readonly string[] }> {
    const abort = (): void =>
      this.#stop(
        new StudioError(
          'run/cancelled',
          `Cancelled. ${this.#plan.output} was not written, and nothing unfinished was left.`,
        ),
      );
    this.#options.signal?.addEventListener('abort', abort, { once: true });
    try {
      if (this.#options.signal?.aborted === true) {
        abort();
      }
      this.#start();
      yield { event: 'phase', phase: 'running' };
      yield* this.#untilAll(
        () => this.#unitsDone,
        () => 0,
      );
      await this.#partial.journal.flush();
      yield { event: 'phase', phase: 'verifying' };
      this.#workers.forEach((worker) => {
        worker.postMessage(HASH_REQUEST);
      });
      yield* this.#untilAll(
        () => this.#hashesDone,
        () => this.#hashesDone,
      );
      return { hashes: this.#hashes, nonFinite: [...this.#nonFinite] };
    } finally {
      this.#options.signal?.removeEventListener('abort', abort);
      await this.#end();
    }
  }

  #start(): void {
    const plan = this.#plan;
    const finished = new SharedArrayBuffer(this.#units.length);
    [...this.#partial.finished.keys()].forEach((index) => (new Uint8Array(finished)[index] = 1));
    const data: EngineWorkerData = {
      inputs: plan.inputs,
      outputs: this.#partial.paths,
      tensors: shareTensors(plan.tensors),
      units: shareUnits(this.#units),
      layout: workerLayout(plan.tensors),
      control: this.#control.buffer,
      finished,
      importance: plan.importance === undefined ? undefined : shareImportance(plan.importance),
    };
    const count = Math.max(1, Math.min(this.#options.workers, this.#units.length));
    for (let i = 0; i < count; i++) {
      const worker = new Worker(this.#options.workerScript, {
        workerData: data,
        resourceLimits: { maxOldGenerationSizeMb: 256 },
      });
      worker.on('message', (message: WorkerMessage) => this.#receive(message));
      worker.on('error', (thrown) =>
        this.#stop(
          new StudioError(
            'engine/worker',
            `A worker of the engine failed: ${thrown instanceof Error ? thrown.message : String(thrown)}. Run the command again with fewer workers (--workers 1); report it if it happens again.`,
            { cause: thrown },
          ),
        ),
      );
      worker.on('exit', () => {
        this.#exited++;
        this.#wake();
      });
      this.#workers.push(worker);
    }
  }

  #receive(message: WorkerMessage): void {
    switch (message.kind) {
      case 'units':
        this.#receiveUnits(message.finished);
        return;
      case 'hashes':
        for (const [tensor, sha256] of message.hashes) {
          this.#hashes[tensor] = sha256;
        }
        return;
      case 'unitsDone':
        this.#unitsDone++;
        break;
      case 'hashesDone':
        this.#hashesDone++;
        break;
      case 'failed':
        this.#stop(StudioError.fromJSON(message.error));
        break;
    }
    this.#wake();
  }

  #receiveUnits(finished: readonly number[]): void {
    for (let at = 0; at < finished.length; at += 3) {
      const unit = finished[at]!;
      const nonFinite = finished[at + 2]! > 0;
      this.#partial.journal.add(unit, { checksum: finished[at + 1]!, nonFinite });
      this.#finishUnit(unit, nonFinite);
    }
  }

  #finishUnit(index: number, nonFinite: boolean): void {
    const unit = this.#units[index]!;
    const tensor = this.#plan.tensors[unit.tensor]!;
    this.#bytesDone += unitSpan(tensor, unit).bytes;
    if (nonFinite) {
      this.#nonFinite.add(tensor.name);
    }
    if (--this.#tensorUnitsLeft[unit.tensor]! === 0) {
      this.#tensorsDone++;
    }
  }

  #stop(error: StudioError): void {
    this.#failure ??= error;
    Atomics.store(this.#control, CONTROL.cancelled, 1);
    this.#wake();
  }

  /** `exitsExpected` tells how many workers may have ended by now. */
  async *#untilAll(done: () => number, exitsExpected: () => number): AsyncGenerator<EngineEvent, void> {
    const meter = new RateMeter(this.#bytesDone);
    let spaceChecked = performance.now();
    while (done() < this.#workers.length) {
      if (this.#failure !== undefined) {
        throw this.#failure;
      }
      if (this.#exited > exitsExpected()) {
        throw new StudioError(
          'engine/worker',
          'A worker of the engine ended before its work did. Run the command again with fewer workers (--workers 1); report it if it happens again.',
        );
      }
      await this.#tick();
      await this.#partial.journal.flush();
      this.#syncBehind();
      if (performance.now() - spaceChecked > SPACE_CHECK) {
        spaceChecked = performance.now();
        await this.#checkSpace();
      }
      yield this.#progress(meter);
    }
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
  }

  #syncBehind(): void {
    if (this.#bytesDone - this.#bytesSynced > SYNC_BYTES) {
      this.#bytesSynced = this.#bytesDone;
      this.#partial.syncBehind();
    }
  }

  /** Preallocated files are sparse: a disk that others fill is noticed here, before a write fails. */
  async #checkSpace(): Promise<void> {
    const free = await freeBytes(this.#plan.output);
    // What is written but not yet reported takes space already and is still counted as left.
    const inFlight = this.#workers.length * IN_FLIGHT;
    if (free !== undefined && free < LEAST_FREE && free + inFlight < this.#plan.bytesWritten - this.#bytesDone) {
      this.#stop(
        new StudioError(
          'disk/full',
          `The disk has only ${Math.floor(free / 1e6)} MB left, and ${this.#plan.output} is not finished. What was written was removed: free some space and run the command again.`,
          { path: this.#plan.output, detail: { free } },
        ),
      );
    }
  }

  #progress(meter: RateMeter): EngineEvent {
    const total = this.#bytesTotal;
    const { rate, secondsLeft } = meter.measure(this.#bytesDone, total);
    const current = Atomics.load(this.#control, CONTROL.currentTensor);
    return {
      event: 'progress',
      bytesDone: this.#bytesDone,
      bytesTotal: total,
      tensorsDone: this.#tensorsDone,
      tensorsTotal: this.#plan.tensors.length,
      tensor: this.#plan.tensors[current]?.name ?? '',
      rate,
      ...(secondsLeft === undefined ? {} : { secondsLeft }),
    };
  }

  #tick(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, TICK);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Ends all workers; none writes after this. */
  async #end(): Promise<void> {
    Atomics.store(this.#control, CONTROL.cancelled, 1);
    this.#workers.forEach((worker) => {
      worker.postMessage(HASH_REQUEST);
    });
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

function shareImportance(values: Float32Array): SharedArrayBuffer {
  return shareBytes([new Uint8Array(values.buffer, values.byteOffset, values.byteLength)]);
}
