import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { Kernels } from '../../core/engine/kernels/kernels';
import type { StagedUnit } from '../../core/engine/stagedUnit';
import { UnitRunner } from '../../core/engine/unitRunner';
import { StudioError, toStudioError } from '../../core/errors';
import { CONTROL, HASH_REQUEST, type EngineWorkerData, type WorkerMessage } from './engineMessages';
import { TensorReader } from './sharedTensors';
import { unitAt } from './sharedUnits';
import { openFileSource, type FileSource } from '../files/fileSource';
import { unitSpan, writeFully } from '../output/partialOutput';
import { writeError } from '../files/systemError';

const HASH_CHUNK = 1024 * 1024;
/** Output bytes, or units, after which is told what was written: a message for each of 200,000 small units would cost more than its work. */
const REPORT_BYTES = 512 * 1024;
const REPORT_UNITS = 64;

/** One thread of a run: takes units until none are left, reading ahead and writing behind, then hashes tensors. */
class EngineWorker {
  readonly #data: EngineWorkerData;
  readonly #tensors: TensorReader;
  readonly #control: Int32Array;
  readonly #finished: Uint8Array;
  readonly #post: (message: WorkerMessage) => void;
  readonly #inputs = new Map<number, Promise<FileSource>>();
  readonly #outputs = new Map<number, Promise<FileHandle>>();
  #written: number[] = [];
  #writtenBytes = 0;

  constructor(data: EngineWorkerData, post: (message: WorkerMessage) => void) {
    this.#data = data;
    this.#tensors = new TensorReader(data.tensors);
    this.#post = post;
    this.#control = new Int32Array(data.control);
    this.#finished = new Uint8Array(data.finished);
  }

  async runUnits(): Promise<void> {
    const { layout } = this.#data;
    const units = new Float64Array(this.#data.units);
    const count = this.#finished.length;
    const kernels = await Kernels.instantiate(layout.memoryBytes);
    const importance = this.#data.importance === undefined ? undefined : new Float32Array(this.#data.importance);
    const runner = new UnitRunner({
      kernels,
      layout,
      tensorAt: (index) => this.#tensors.at(index),
      readAt: (file, offset, target) => this.#readAt(file, offset, target),
      importance,
    });
    const writes: [Promise<void>, Promise<void>] = [Promise.resolve(), Promise.resolve()];
    // A staging buffer is free as soon as its unit is made, unless the unit leaves as it came, and is written from there.
    const stagings: [Promise<void>, Promise<void>] = [Promise.resolve(), Promise.resolve()];
    const stage = (index: number, buffer: 0 | 1): Promise<StagedUnit> => {
      const staged = stagings[buffer].then(() => runner.stage(unitAt(units, index), buffer));
      staged.catch(() => undefined);
      return staged;
    };
    let index = this.#take(count);
    let buffer: 0 | 1 = 0;
    let staged = index < 0 ? undefined : stage(index, buffer);
    while (staged !== undefined) {
      const ready: StagedUnit = await staged;
      const other: 0 | 1 = buffer === 0 ? 1 : 0;
      const following = this.#take(count);
      staged = following < 0 ? undefined : stage(following, other);
      Atomics.store(this.#control, CONTROL.currentTensor, ready.unit.tensor);
      await writes[buffer];
      const result = await runner.run(ready, buffer);
      const write = this.#write(index, ready, result.bytes, result.nonFinite);
      write.catch(() => undefined);
      writes[buffer] = write;
      stagings[buffer] = result.bytes.byteOffset < layout.output[0] ? write : Promise.resolve();
      index = following;
      buffer = other;
    }
    await Promise.all(writes);
    this.#reportWritten();
  }

  /** The next unit that is still to be made; -1 when there is none or the run was cancelled. */
  #take(count: number): number {
    for (;;) {
      if (Atomics.load(this.#control, CONTROL.cancelled) !== 0) {
        return -1;
      }
      const index = Atomics.add(this.#control, CONTROL.nextUnit, 1);
      if (index >= count) {
        return -1;
      }
      if (this.#finished[index] === 0) {
        return index;
      }
    }
  }

  async #readAt(file: number, offset: number, target: Uint8Array): Promise<void> {
    const path = this.#data.inputs[file]!;
    let source = this.#inputs.get(file);
    if (source === undefined) {
      source = openFileSource(path);
      this.#inputs.set(file, source);
    }
    const opened = await source;
    let done = 0;
    while (done < target.length) {
      const bytesRead = await opened.read(offset + done, target.subarray(done));
      if (bytesRead === 0) {
        throw new StudioError(
          'input/changed',
          `${path} became shorter while it was read. Run the command again when nothing writes to it.`,
          { path },
        );
      }
      done += bytesRead;
    }
  }

  async #write(index: number, staged: StagedUnit, bytes: Uint8Array, nonFinite: number): Promise<void> {
    const tensor = this.#tensors.at(staged.unit.tensor);
    const span = unitSpan(tensor, staged.unit);
    const checksum = crc32(bytes);
    await writeFully(await this.#output(tensor.output), bytes, span.offset);
    this.#written.push(index, checksum, nonFinite);
    this.#writtenBytes += span.bytes;
    if (this.#writtenBytes >= REPORT_BYTES || this.#written.length >= 3 * REPORT_UNITS) {
      this.#reportWritten();
    }
  }

  #reportWritten(): void {
    this.#post({ kind: 'units', finished: this.#written });
    this.#written = [];
    this.#writtenBytes = 0;
  }

  async #output(index: number): Promise<FileHandle> {
    let handle = this.#outputs.get(index);
    if (handle === undefined) {
      handle = open(this.#data.outputs[index]!, 'r+');
      this.#outputs.set(index, handle);
    }
    return await handle;
  }

  /** SHA-256 of finished tensors as they stand in the output. */
  async hashTensors(): Promise<void> {
    const chunk = new Uint8Array(HASH_CHUNK);
    let hashes: [number, string][] = [];
    let hashedBytes = 0;
    for (;;) {
      const index = Atomics.add(this.#control, CONTROL.nextTensor, 1);
      if (index >= this.#tensors.count || Atomics.load(this.#control, CONTROL.cancelled) !== 0) {
        this.#post({ kind: 'hashes', hashes });
        return;
      }
      const tensor = this.#tensors.at(index);
      const file = await this.#output(tensor.output);
      const hash = createHash('sha256');
      for (let done = 0; done < tensor.bytes;) {
        const { bytesRead } = await file.read(
          chunk,
          0,
          Math.min(chunk.length, tensor.bytes - done),
          tensor.offset + done,
        );
        if (bytesRead === 0) {
          throw new StudioError(
            'disk/io',
            `${this.#data.outputs[tensor.output]!} is shorter than what was written to it. Check the disk and run the command again.`,
          );
        }
        hash.update(chunk.subarray(0, bytesRead));
        done += bytesRead;
      }
      hashes.push([index, hash.digest('hex')]);
      hashedBytes += tensor.bytes;
      if (hashedBytes >= REPORT_BYTES || hashes.length >= REPORT_UNITS) {
        this.#post({ kind: 'hashes', hashes });
        hashes = [];
        hashedBytes = 0;
      }
    }
  }

  async close(): Promise<void> {
    const handles = await Promise.allSettled([...this.#inputs.values(), ...this.#outputs.values()]);
    await Promise.allSettled(
      handles.flatMap((handle) => (handle.status === 'fulfilled' ? [handle.value.close()] : [])),
    );
  }

  /** The output path that a failed write was about, for its message. */
  get outputPath(): string {
    return this.#data.outputs[0] ?? '';
  }
}

/** Serves one run on this thread. */
export async function serveEngineWorker(): Promise<void> {
  const port = parentPort!;
  const post = (message: WorkerMessage): void => {
    port.postMessage(message);
  };
  const worker = new EngineWorker(workerData as EngineWorkerData, post);
  const fail = (thrown: unknown): void => {
    const isSystem = thrown instanceof Error && 'syscall' in thrown;
    post({
      kind: 'failed',
      error: (isSystem ? writeError(thrown, worker.outputPath) : toStudioError(thrown)).toJSON(),
    });
  };
  const hashing = new Promise<void>((resolve) => {
    port.on('message', (message) => {
      if (message === HASH_REQUEST) {
        resolve();
      }
    });
  });
  try {
    await worker.runUnits();
    post({ kind: 'unitsDone' });
    await hashing;
    await worker.hashTensors();
    post({ kind: 'hashesDone' });
  } catch (thrown) {
    fail(thrown);
  } finally {
    await worker.close();
    port.close();
  }
}
