import { crc32 } from 'node:zlib';
import { lstatSync } from 'node:fs';
import { mkdir, open, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildPlan, PlannedTensor } from '../../core/engine/buildPlan';
import type { WorkUnit } from '../../core/engine/workUnits';
import { rowBytes } from '../../core/formats/gguf/ggmlTypes';
import { StudioError, throwIfAborted } from '../../core/errors';
import { Journal, type FinishedUnit } from './journal';
import { systemCode, writeError } from '../files/systemError';

/** What of a plan its unfinished output needs. */
export type PartialPlan = Pick<BuildPlan, 'kind' | 'output' | 'outputs'> & {
  readonly tensors: readonly PlannedTensor[];
};

/** Where the output of a unit lies: an output file of the plan, and a span in it. */
export function unitSpan(tensor: PlannedTensor, unit: WorkUnit): { readonly offset: number; readonly bytes: number } {
  const row = rowBytes(tensor.type, tensor.columns)!;
  const before = tensor.slices.slice(0, unit.slice).reduce((rows, slice) => rows + slice.rows, 0);
  return { offset: tensor.offset + (before + unit.row) * row, bytes: unit.rows * row };
}

/**
 * The unfinished output of a run, `NAME.partial` (a folder for several files), with its journal beside it.
 * Headers are written last, so that it is never taken for a model; the final name appears by a rename.
 */
export class PartialOutput {
  readonly journal: Journal;
  /** Paths of the files, by output index. */
  readonly paths: readonly string[];
  /** Units that an earlier run finished, verified by their checksums. */
  readonly finished: ReadonlyMap<number, FinishedUnit>;
  readonly #plan: PartialPlan;
  #syncing: Promise<void> | undefined;
  #syncFailure: unknown;

  private constructor(
    plan: PartialPlan,
    journal: Journal,
    paths: readonly string[],
    finished: ReadonlyMap<number, FinishedUnit>,
  ) {
    this.#plan = plan;
    this.journal = journal;
    this.paths = paths;
    this.finished = finished;
  }

  /** Resumes a fitting partial output, clears away one of ours that does not fit, and begins anew where there is none. */
  static async begin(
    plan: PartialPlan,
    planHash: string,
    units: readonly WorkUnit[],
    signal?: AbortSignal,
  ): Promise<PartialOutput> {
    const partial = partialPath(plan.output);
    const journalPath = journalOf(partial);
    const paths = plan.outputs.map((output) => (output.name === '' ? partial : join(partial, output.name)));
    const earlier = await Journal.read(journalPath);
    if (earlier === 'foreign') {
      throw foreignOutputError(journalPath);
    }
    if ((earlier === undefined || earlier === 'unfinished') && pathExists(partial)) {
      throw foreignOutputError(partial);
    }
    if (
      earlier !== undefined &&
      earlier !== 'unfinished' &&
      earlier.planHash === planHash &&
      (await sizesFit(plan, paths))
    ) {
      await wipeHeaders(plan, paths);
      const finished = await verifiedUnits(plan, paths, units, earlier.units, signal);
      return new PartialOutput(plan, await Journal.open(journalPath, planHash, 'append'), paths, finished);
    }
    if (earlier !== undefined) {
      await rm(partial, { recursive: true, force: true });
      await unlink(journalPath);
    }
    const journal = await Journal.open(journalPath, planHash, 'new');
    try {
      await create(plan, partial, paths);
    } catch (thrown) {
      await journal.close();
      await removePartial(plan.output);
      throw writeError(thrown, partial);
    }
    return new PartialOutput(plan, journal, paths, new Map());
  }

  /**
   * Begins to force what was written to the disk while the run goes on, so that little is left for the end. One at a time;
   * a failure is kept for the end: the system tells of it once only.
   */
  syncBehind(): void {
    if (this.#syncing === undefined) {
      this.#syncing = Promise.all(this.paths.map((path) => withFile(path, 'r+', (file) => file.datasync())))
        .catch((thrown: unknown) => {
          this.#syncFailure ??= thrown;
        })
        .then(() => {
          this.#syncing = undefined;
        });
    }
  }

  /** Writes the headers and forces everything to the disk. */
  async seal(): Promise<void> {
    await this.#syncing;
    if (this.#syncFailure !== undefined) {
      throw writeError(this.#syncFailure, this.#plan.output);
    }
    for (const [index, output] of this.#plan.outputs.entries()) {
      const path = this.paths[index]!;
      await withFile(path, 'r+', async (file) => {
        await writeFully(file, output.header, 0);
        await file.sync();
      });
    }
  }

  /** Gives the sealed output its final name, in the place of an older one where there is one and `replace` allows it. */
  async publish(replace: boolean): Promise<void> {
    const partial = partialPath(this.#plan.output);
    const { output } = this.#plan;
    if (pathExists(output) && !replace) {
      throw existsError(output);
    }
    await (this.#plan.kind === 'safetensors' && pathExists(output)
      ? replaceFolder(partial, output)
      : renameWithRetry(partial, output));
    await this.journal.close();
    await unlink(this.journal.path).catch(() => undefined);
    await syncFolder(dirname(output));
  }

  /** Removes the unfinished output and its journal. */
  async discard(): Promise<void> {
    await this.#syncing;
    await this.journal.close();
    await removePartial(this.#plan.output);
  }
}

export function partialPath(output: string): string {
  return `${output}.partial`;
}

/** Refuses to go on where the output is already there. */
export function existsError(output: string): StudioError {
  return new StudioError(
    'output/exists',
    `${output} exists and was not touched. Pass --force to replace it, or choose another name.`,
    { path: output },
  );
}

function foreignOutputError(path: string): StudioError {
  return new StudioError(
    'output/exists',
    `${path} is in the way and was not left by this tool. Move it away, or choose another output name.`,
    { path },
  );
}

/** Also true for a link that leads nowhere. */
function pathExists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function journalOf(partial: string): string {
  return `${partial}.journal`;
}

/** Where the old folder stands while the new one takes its name. */
function replacedPath(output: string): string {
  return `${partialPath(output)}.replaced`;
}

/** Deletes a partial output with our journal beside it; anything else is left alone. */
export async function removePartial(output: string): Promise<boolean> {
  const partial = partialPath(output);
  const journal = await Journal.read(journalOf(partial));
  if (journal === undefined || journal === 'foreign') {
    return false;
  }
  if (journal !== 'unfinished') {
    await rm(partial, { recursive: true, force: true });
  }
  await unlink(journalOf(partial)).catch(() => undefined);
  return true;
}

/**
 * Puts right what a kill in the moment of publishing left: gives an old folder its name back if the new one did not get
 * it, else removes it, and removes the journal of an output that is published. Only under the output's lock.
 */
export async function recoverPublishing(output: string): Promise<void> {
  const journal = await Journal.read(journalOf(partialPath(output)));
  if (journal === undefined || journal === 'foreign' || journal === 'unfinished') {
    return;
  }
  const old = replacedPath(output);
  if (pathExists(old)) {
    await (pathExists(output) ? rm(old, { recursive: true, force: true }) : renameWithRetry(old, output));
  }
  if (pathExists(output) && !pathExists(partialPath(output))) {
    await unlink(journalOf(partialPath(output)));
  }
}

/** A folder cannot be renamed over another: the old one steps aside until the new one is in place. */
async function replaceFolder(partial: string, output: string): Promise<void> {
  const old = replacedPath(output);
  if (pathExists(old)) {
    throw foreignOutputError(old);
  }
  await renameWithRetry(output, old);
  try {
    await renameWithRetry(partial, output);
  } catch (thrown) {
    await rename(old, output);
    throw thrown;
  }
  await rm(old, { recursive: true, force: true });
}

async function create(plan: PartialPlan, partial: string, paths: readonly string[]): Promise<void> {
  if (plan.kind === 'safetensors') {
    await mkdir(partial);
  }
  for (const [index, output] of plan.outputs.entries()) {
    await withFile(paths[index]!, 'wx', (file) => file.truncate(output.bytes));
  }
}

async function sizesFit(plan: PartialPlan, paths: readonly string[]): Promise<boolean> {
  for (const [index, output] of plan.outputs.entries()) {
    const found = await stat(paths[index]!).catch(() => undefined);
    if (found?.isFile() !== true || found.size !== output.bytes) {
      return false;
    }
  }
  return true;
}

/** A sealed output that is gone on with must look unfinished again: both formats begin with a magic or a length that is not 0. */
async function wipeHeaders(plan: PartialPlan, paths: readonly string[]): Promise<void> {
  for (const [index, output] of plan.outputs.entries()) {
    await withFile(paths[index]!, 'r+', (file) =>
      writeFully(file, new Uint8Array(Math.min(8, output.header.length)), 0),
    );
  }
}

async function verifiedUnits(
  plan: PartialPlan,
  paths: readonly string[],
  units: readonly WorkUnit[],
  claimed: ReadonlyMap<number, FinishedUnit>,
  signal: AbortSignal | undefined,
): Promise<Map<number, FinishedUnit>> {
  const finished = new Map<number, FinishedUnit>();
  let buffer = new Uint8Array(0);
  for (const [index, path] of paths.entries()) {
    await withFile(path, 'r', async (file) => {
      for (const [unitIndex, noted] of claimed) {
        throwIfAborted(signal);
        const unit = units[unitIndex];
        const tensor = unit === undefined ? undefined : plan.tensors[unit.tensor];
        if (unit === undefined || tensor?.output !== index) {
          continue;
        }
        const span = unitSpan(tensor, unit);
        if (buffer.length < span.bytes) {
          buffer = new Uint8Array(span.bytes);
        }
        const bytes = buffer.subarray(0, span.bytes);
        const { bytesRead } = await file.read(bytes, 0, span.bytes, span.offset);
        if (bytesRead === span.bytes && crc32(bytes) === noted.checksum) {
          finished.set(unitIndex, noted);
        }
      }
    });
  }
  return finished;
}

async function withFile<T>(path: string, flags: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

/** Writes all of `bytes`, looping over short writes. */
export async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    if (bytesWritten === 0) {
      throw new StudioError(
        'disk/io',
        'The disk accepted no more bytes without saying why. Check it and run the command again.',
      );
    }
    done += bytesWritten;
  }
}

/** A rename that waits for virus scanners and indexers, which hold files open for a moment on Windows. */
async function renameWithRetry(from: string, to: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (let pause = 20; ; pause *= 2) {
    try {
      await rename(from, to);
      return;
    } catch (thrown) {
      const code = systemCode(thrown) ?? '';
      if (
        !['EPERM', 'EACCES', 'EBUSY'].includes(code) ||
        Date.now() + pause > deadline ||
        process.platform !== 'win32'
      ) {
        throw writeError(thrown, to);
      }
      await sleep(pause);
    }
  }
}

/** Makes a rename survive a power cut; not offered on Windows, and some network folders refuse it. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') {
    return;
  }
  await withFile(path === '' ? '.' : path, 'r', (folder) => folder.sync()).catch(() => undefined);
}
