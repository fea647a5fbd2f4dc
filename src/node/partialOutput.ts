import { crc32 } from 'node:zlib';
import { existsSync } from 'node:fs';
import { mkdir, open, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildPlan, PlannedTensor } from '../core/engine/buildPlan';
import type { WorkUnit } from '../core/engine/workUnits';
import { rowBytes } from '../core/formats/gguf/ggmlTypes';
import { StudioError } from '../core/errors';
import { Journal } from './journal';
import { systemCode, writeError } from './systemError';

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
  readonly finished: ReadonlySet<number>;
  readonly #plan: BuildPlan;
  #syncing: Promise<void> | undefined;

  private constructor(plan: BuildPlan, journal: Journal, paths: readonly string[], finished: ReadonlySet<number>) {
    this.#plan = plan;
    this.journal = journal;
    this.paths = paths;
    this.finished = finished;
  }

  /** Resumes a fitting partial output, clears away one of ours that does not fit, and begins anew where there is none. */
  static async begin(plan: BuildPlan, planHash: string, units: readonly WorkUnit[]): Promise<PartialOutput> {
    const partial = partialPath(plan.output);
    const journalPath = `${partial}.journal`;
    const paths = plan.outputs.map((output) => (output.name === '' ? partial : join(partial, output.name)));
    const earlier = await Journal.read(journalPath);
    if (earlier === undefined && existsSync(partial)) {
      throw new StudioError('output/exists', `${partial} is in the way and was not left by this tool. Move it away, or choose another output name.`, { path: partial });
    }
    if (earlier?.planHash === planHash && (await sizesFit(plan, paths))) {
      const finished = await verifiedUnits(plan, paths, units, earlier.units);
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
    return new PartialOutput(plan, journal, paths, new Set());
  }

  /**
   * Begins to force what was written to the disk while the run goes on, so that little is left for the end. One at a time;
   * a failure shows again when the output is sealed.
   */
  syncBehind(): void {
    if (this.#syncing === undefined) {
      this.#syncing = Promise.all(this.paths.map((path) => withFile(path, 'r+', (file) => file.datasync())))
        .catch(() => undefined)
        .then(() => {
          this.#syncing = undefined;
        });
    }
  }

  /** Writes the headers and forces everything to the disk. */
  async seal(): Promise<void> {
    await this.#syncing;
    for (const [index, output] of this.#plan.outputs.entries()) {
      const path = this.paths[index]!;
      await withFile(path, 'r+', async (file) => {
        await writeFully(file, output.header, 0);
        await file.sync();
      });
    }
  }

  /** Gives the sealed output its final name, in the place of an older one where there is one. */
  async publish(replace: boolean): Promise<void> {
    const partial = partialPath(this.#plan.output);
    const { output } = this.#plan;
    let old: string | undefined;
    if (this.#plan.kind === 'safetensors' && existsSync(output)) {
      if (!replace) {
        throw existsError(output);
      }
      // A folder cannot be renamed over another: the old one steps aside until the new one is in place.
      old = `${output}.replaced`;
      await rm(old, { recursive: true, force: true });
      await renameStubbornly(output, old);
    }
    await renameStubbornly(partial, output);
    if (old !== undefined) {
      await rm(old, { recursive: true, force: true });
    }
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
  return new StudioError('output/exists', `${output} exists and was not touched. Pass --force to replace it, or choose another name.`, { path: output });
}

/** Deletes a partial output with our journal beside it; anything else is left alone. */
export async function removePartial(output: string): Promise<boolean> {
  const partial = partialPath(output);
  const journal = `${partial}.journal`;
  if ((await Journal.read(journal)) === undefined) {
    return false;
  }
  await rm(partial, { recursive: true, force: true });
  await unlink(journal).catch(() => undefined);
  return true;
}

async function create(plan: BuildPlan, partial: string, paths: readonly string[]): Promise<void> {
  if (plan.kind === 'safetensors') {
    await mkdir(partial);
  }
  for (const [index, output] of plan.outputs.entries()) {
    await withFile(paths[index]!, 'wx', (file) => file.truncate(output.bytes));
  }
}

async function sizesFit(plan: BuildPlan, paths: readonly string[]): Promise<boolean> {
  for (const [index, output] of plan.outputs.entries()) {
    const found = await stat(paths[index]!).catch(() => undefined);
    if (found?.isFile() !== true || found.size !== output.bytes) {
      return false;
    }
  }
  return true;
}

async function verifiedUnits(plan: BuildPlan, paths: readonly string[], units: readonly WorkUnit[], claimed: ReadonlyMap<number, number>): Promise<Set<number>> {
  const finished = new Set<number>();
  for (const [index, path] of paths.entries()) {
    await withFile(path, 'r', async (file) => {
      for (const [unitIndex, checksum] of claimed) {
        const unit = units[unitIndex];
        const tensor = unit === undefined ? undefined : plan.tensors[unit.tensor];
        if (unit === undefined || tensor?.output !== index) {
          continue;
        }
        const span = unitSpan(tensor, unit);
        const bytes = new Uint8Array(span.bytes);
        const { bytesRead } = await file.read(bytes, 0, span.bytes, span.offset);
        if (bytesRead === span.bytes && crc32(bytes) === checksum) {
          finished.add(unitIndex);
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
      throw new StudioError('disk/io', 'The disk accepted no more bytes without saying why. Check it and run the command again.');
    }
    done += bytesWritten;
  }
}

/** A rename that waits for virus scanners and indexers, which hold files open for a moment on Windows. */
async function renameStubbornly(from: string, to: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (let pause = 20; ; pause *= 2) {
    try {
      await rename(from, to);
      return;
    } catch (thrown) {
      const code = systemCode(thrown) ?? '';
      if (!['EPERM', 'EACCES', 'EBUSY'].includes(code) || Date.now() + pause > deadline || process.platform !== 'win32') {
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

/** For messages: the last part of an output's path. */
export function outputName(output: string): string {
  return basename(output);
}
