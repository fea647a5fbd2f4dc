import { append } from '../../core/append';
import { rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { targetOfGguf } from '../../core/engine/adapterTarget';
import { StudioError, toStudioError } from '../../core/errors';
import type { LocalFiles } from '../../core/modelfile/createRequest';
import { announcedName } from '../../core/modelfile/createBody';
import type { ModelfileLines } from '../../core/modelfile/modelfileLines';
import type { EngineEvent } from '../../core/progress';
import { buildFromPlan } from '../engine/buildFromPlan';
import { convertAdapter, prepareConvertAdapter } from '../engine/convertAdapter';
import type { CreatePart } from './createPlanTypes';
import { eventsOf } from '../files/eventsOf';
import { freeBytes } from '../files/freeSpace';
import { hashFile } from '../files/hashFile';
import { localFileResolver } from '../modelfile/modelfileFiles';
import type { OllamaClient } from '../ollama/ollamaClient';
import { planFromInputs } from '../engine/prepareBuild';
import type { PartBuild } from './partBuild';
import { RateMeter } from '../files/rateMeter';
import { temporaryFolder } from '../files/temporaryFolder';

/** A file for the server, with the name under which it is announced. */
export interface CreateFile {
  readonly path: string;
  readonly name: string;
  readonly bytes: number;
}

export interface CreateFilesOptions {
  readonly signal: AbortSignal;
  readonly workers: number;
  readonly workerScript: string;
  readonly client: OllamaClient;
  /** What an adapter that is converted belongs to: a GGUF, or the name of a model that the server has. */
  readonly base?: { readonly path: string } | { readonly name: string } | undefined;
  /** What is built, by the keys of its parts: read and planned before anything was written. */
  readonly builds: ReadonlyMap<string, PartBuild>;
  readonly allowRequantize?: boolean | undefined;
  /** Where made files stay; undefined for a temporary folder. */
  readonly keepIn?: string | undefined;
  /** Of kept files, without an ending. */
  readonly stem: string;
  readonly force: boolean;
  /** For errors. */
  readonly lines: ModelfileLines;
  /** Another folder for temporary files, where the usual one has no room. */
  readonly roomyFolder: string;
}

/** The files that a creation sends; those that it makes lie in a folder of its own, or stay where `keepIn` says. */
export class CreateFiles {
  /** Paths of files that were made and stay. */
  readonly kept: string[] = [];
  readonly warnings: { readonly code: string; readonly message: string }[] = [];
  private readonly folders: string[] = [];
  private readonly names = new Set<string>();
  private readonly files = new Map<string, readonly CreateFile[]>();
  private readonly paths = new Map<string, string>();
  /** Digests that were found on the way. */
  private readonly known = new Map<string, string>();

  constructor(private readonly options: CreateFilesOptions) {}

  /** Makes what a part has to be made of, and takes note of what is to be sent. */
  async *add(key: string, part: CreatePart): AsyncGenerator<EngineEvent, void> {
    this.paths.set(key, part.path);
    try {
      this.files.set(key, yield* this.filesOf(key, part));
    } catch (thrown) {
      throw this.options.lines.at(toStudioError(thrown), part.line);
    }
  }

  private async *filesOf(key: string, part: CreatePart): AsyncGenerator<EngineEvent, readonly CreateFile[]> {
    switch (part.kind) {
      case 'file':
        return [await this.describe(part.path)];
      case 'split':
        return await Promise.all(part.paths.map((path) => this.describe(path)));
      case 'folder':
        yield { event: 'phase', phase: 'hashing', detail: part.path };
        return await this.folderFiles(part.path);
      case 'build':
        return yield* this.made(this.options.builds.get(key)!);
      case 'convert-adapter':
        return yield* this.adapter(part);
    }
  }

  private async *made({ inputs, plan: { fileType } }: PartBuild): AsyncGenerator<EngineEvent, readonly CreateFile[]> {
    const { signal, workers, workerScript, force, allowRequantize } = this.options;
    yield { event: 'phase', phase: 'planning' };
    const ending = `${fileType}.gguf`;
    const planned = async (output: string): ReturnType<typeof planFromInputs> =>
      await planFromInputs(inputs, { fileType, output, layout: 'quantised', allowRequantize, signal });
    let plan = await planned(await this.output(ending));
    const free = await freeBytes(plan.output);
    if (this.options.keepIn === undefined && free !== undefined && free < plan.bytesWritten * 1.05) {
      // The usual place for temporary files is often small.
      plan = await planned(await this.output(ending, this.options.roomyFolder));
    }
    append(
      this.warnings,
      plan.warnings.map(({ code, message }) => ({ code, message })),
    );
    const report = yield* buildFromPlan(plan, {
      force: force && this.options.keepIn !== undefined,
      workers,
      signal,
      workerScript,
    });
    append(
      this.warnings,
      report.warnings.map(({ code, message }) => ({ code, message })),
    );
    return [await this.result(report.output)];
  }

  private async *adapter(part: CreatePart): AsyncGenerator<EngineEvent, readonly CreateFile[]> {
    const { signal, client, base: given, force } = this.options;
    yield { event: 'phase', phase: 'planning' };
    if (given === undefined) {
      throw new StudioError(
        'ollama/adapter',
        'An adapter folder needs to know its base: name its Hugging Face folder, its GGUF or an installed model in FROM.',
      );
    }
    const base = 'path' in given ? given.path : await installedTarget(client, given.name, signal);
    const request = {
      adapter: { path: part.path, weight: 1 },
      base,
      type: 'F16' as const,
      output: await this.output('adapter.gguf'),
      signal,
    };
    const plan = await prepareConvertAdapter(request).catch((thrown: unknown) => {
      const error = toStudioError(thrown);
      // The installed model has layers of its own (template, parameters) that a merged file would lose: --base keeps them.
      throw error.code === 'adapter/no-gguf-form' && 'name' in given
        ? new StudioError(
            error.code,
            `${error.message} For this one: create NAME --base ollama:${given.name} --adapter ${part.path}.`,
            { path: error.path, detail: error.detail },
          )
        : error;
    });
    const report = yield* convertAdapter(plan, { force: force && this.options.keepIn !== undefined, signal });
    append(
      this.warnings,
      report.warnings.map(({ code, message }) => ({ code, message })),
    );
    return [await this.result(report.output)];
  }

  private async output(ending: string, inFolder?: string): Promise<string> {
    const { keepIn, stem } = this.options;
    if (keepIn !== undefined) {
      return join(keepIn, `${stem}-${ending}`);
    }
    const folder = await temporaryFolder(inFolder);
    this.folders.push(folder);
    return join(folder, `${stem}-${ending}`);
  }

  private async result(path: string): Promise<CreateFile> {
    if (this.options.keepIn !== undefined) {
      this.kept.push(path);
    }
    return await this.describe(path);
  }

  private async describe(path: string): Promise<CreateFile> {
    const { size } = await stat(path);
    return { path, bytes: size, name: announcedName(basename(path), this.names) };
  }

  /** What Ollama's command line sends of a folder, under paths relative to it. */
  private async folderFiles(folder: string): Promise<readonly CreateFile[]> {
    const found = await localFileResolver(dirname(folder), { signal: this.options.signal })(folder, false);
    if (found.status !== 'files') {
      throw new StudioError(
        /insecure path/.test(found.error) ? 'input/unreadable' : 'ollama/file',
        folderAdvice(folder, found.error),
        { path: folder },
      );
    }
    found.digests.forEach((digest, path) => this.known.set(path, digest));
    return await Promise.all(
      [...found.digests.keys()].map(async (path) => ({
        path,
        bytes: (await stat(path)).size,
        name: path.startsWith(folder) ? path.slice(folder.length + 1).replaceAll('\\', '/') : basename(path),
      })),
    );
  }

  get all(): readonly CreateFile[] {
    return [...this.files.values()].flat();
  }

  /** The digests of all files, told with progress. */
  async *hash(): AsyncGenerator<EngineEvent, ReadonlyMap<string, string>> {
    const files = this.all.filter(({ path }) => !this.known.has(path));
    const bytesTotal = files.reduce((sum, { bytes }) => sum + bytes, 0);
    yield { event: 'phase', phase: 'hashing' };
    return yield* eventsOf<EngineEvent, ReadonlyMap<string, string>>(async (emit) => {
      const digests = new Map(this.known);
      const report = reporter(bytesTotal, emit);
      for (const { path, name } of files) {
        digests.set(
          path,
          await hashFile(path, { signal: this.options.signal, onBytes: (bytes) => report.add(bytes, name) }),
        );
      }
      return digests;
    });
  }

  /** Sends what the server does not have; resolves to the bytes that were sent. */
  async *upload(digests: ReadonlyMap<string, string>): AsyncGenerator<EngineEvent, number> {
    const { client, signal } = this.options;
    yield { event: 'phase', phase: 'uploading' };
    const missing: CreateFile[] = [];
    for (const file of this.all) {
      if (!(await client.hasBlob(digests.get(file.path)!, { signal }))) {
        missing.push(file);
      }
    }
    const bytesTotal = missing.reduce((sum, { bytes }) => sum + bytes, 0);
    return yield* eventsOf<EngineEvent, number>(async (emit) => {
      const report = reporter(bytesTotal, emit);
      let sent = 0;
      for (const { path, name, bytes } of missing) {
        let before = 0;
        const onProgress = (done: number): void => {
          report.add(done - before, name);
          before = done;
        };
        sent += (await client.uploadBlob(path, digests.get(path)!, { signal, onProgress })) ? bytes : 0;
      }
      return sent;
    });
  }

  /** The files of a part for `toCreateRequest`. */
  local(key: string, digests: ReadonlyMap<string, string>): LocalFiles {
    const files = this.files.get(key);
    return files === undefined
      ? { status: 'absent', error: '' }
      : {
          status: 'files',
          paths: [{ path: this.paths.get(key)!, canonicalPath: this.paths.get(key)! }],
          digests: new Map(files.map(({ path, name }) => [name, digests.get(path)!])),
        };
  }

  /** Removes what was made and does not stay. */
  async dispose(): Promise<void> {
    await Promise.all(
      this.folders.map((folder) => rm(folder, { recursive: true, force: true }).catch(() => undefined)),
    );
  }
}

const TICK = 100;

/** Progress events at most ten times a second. */
function reporter(bytesTotal: number, emit: (event: EngineEvent) => void): { add(bytes: number, name: string): void } {
  const meter = new RateMeter(0);
  let bytesDone = 0;
  let last = 0;
  return {
    add(bytes, name) {
      bytesDone += bytes;
      const now = performance.now();
      if (now - last < TICK && bytesDone < bytesTotal) {
        return;
      }
      last = now;
      const { rate, secondsLeft } = meter.measure(bytesDone, bytesTotal);
      emit({
        event: 'progress',
        bytesDone,
        bytesTotal,
        tensorsDone: 0,
        tensorsTotal: 0,
        tensor: name,
        rate,
        ...(secondsLeft === undefined ? {} : { secondsLeft }),
      });
    },
  };
}

/** What an adapter must know of a model that a server has. */
async function installedTarget(
  client: OllamaClient,
  name: string,
  signal: AbortSignal,
): Promise<ReturnType<typeof targetOfGguf>> {
  const { info, tensors } = await client.tensors(name, { signal });
  return targetOfGguf({
    path: name,
    tensors,
    value: (key) => {
      const value = info[key];
      return typeof value === 'string' || typeof value === 'number' ? value : undefined;
    },
  });
}

function folderAdvice(folder: string, error: string): string {
  if (/insecure path/.test(error)) {
    return `${folder} holds links to files outside of it (${error.split('\n')[0] ?? error}), which is not followed for a folder that the server converts. Copy the files into one folder (huggingface-cli download --local-dir).`;
  }
  return `${folder} holds no model that Ollama takes (${error}). It needs a GGUF, or model*.safetensors with config.json and the tokenizer.`;
}
