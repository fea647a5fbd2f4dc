import { StudioError, throwIfAborted, toStudioError } from '../errors';
import { LIMITS } from '../limits';
import { addOrigins } from './addOrigins';
import type { Artefact } from './artefact';
import type { ArtefactFiles, ListedEntry } from './artefactFiles';
import { describeAdapter, describeMlxCheckpoints } from './describeAdapter';
import { describeFile } from './describeFile';
import type { Finding } from './finding';
import { errorOf, type FolderFacts } from './folderFacts';
import { detailsOf, inspectionOf, type Inspection } from './inspection';
import { openFileFacts, readingOf, type FileFacts } from './readFileFacts';
import { scanFolders } from './scanFolders';
import { ADAPTER_CONFIG, mlxIteration, MLX_WEIGHTS, PEFT_WEIGHTS } from './trainingFolders';

export interface InspectOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A run's folder, ms-swift's version of it, and the checkpoints in that. */
const FOLDER_DEPTH = 2;

/** Files that speak for their whole folder. */
const FOLDER_FILES = new Set([
  ADAPTER_CONFIG,
  'config.json',
  'trainer_state.json',
  'model.safetensors.index.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'generation_config.json',
]);
/** Of the files beside an adapter's weights, those that describe it. */
const BESIDE_ADAPTER = new Set([
  ADAPTER_CONFIG,
  'README.md',
  'tokenizer_config.json',
  'chat_template.jinja',
  'trainer_state.json',
  'training_args.bin',
]);

/**
 * Says what a file or folder is, by its header, whatever it is called. Never throws but when cancelled: what is missing or
 * damaged is an answer with its error.
 */
export async function inspectPath(
  files: ArtefactFiles,
  path: string,
  options: InspectOptions = {},
): Promise<Inspection> {
  try {
    throwIfAborted(options.signal);
    const entry = await files.stat(path);
    return entry?.kind === 'folder'
      ? await inspectFolder(files, path, options)
      : await inspectFile(files, path, entry, options);
  } catch (thrown) {
    const error = toStudioError(thrown);
    if (error.code === 'run/cancelled') {
      throw error;
    }
    return { path, ok: false, error: error.at(path).toJSON() };
  }
}

async function inspectFolder(
  files: ArtefactFiles,
  path: string,
  options: InspectOptions,
  answerFor = path,
): Promise<Inspection> {
  const artefacts = await finish(
    scanFolders(files, [path], { ...options, depth: FOLDER_DEPTH, headerLimit: LIMITS.safetensors.headerBytes }),
  );
  const [own, ...others] = artefacts.filter((artefact) => artefact.path === path && artefact.kind !== 'unreadable');
  const unreadable = artefacts.find((artefact) => artefact.path === path && artefact.kind === 'unreadable');
  const inside = artefacts.filter((artefact) => artefact.path !== path);
  if (own !== undefined) {
    const rest = [...others, ...inside];
    return inspectionOf({ ...own, path: answerFor }, rest.length === 0 ? {} : { artefacts: rest });
  }
  if (unreadable !== undefined) {
    return inspectionOf({ ...unreadable, path: answerFor }, {});
  }
  if (inside.length === 0 || answerFor !== path) {
    throw new StudioError(
      'input/unrecognised',
      `${answerFor} is nothing that is known here: no adapter, model, checkpoint, GGUF or safetensors. Pass the folder that training wrote, or a model.`,
      { path: answerFor },
    );
  }
  return { path, ok: true, kind: 'folder', artefacts: inside };
}

async function inspectFile(
  files: ArtefactFiles,
  path: string,
  entry: ListedEntry | undefined,
  options: InspectOptions,
): Promise<Inspection> {
  const name = files.baseName(path);
  const facts = await openFileFacts(files, path, name, 'header', { signal: options.signal });
  if (entry?.kind !== 'file') {
    throw (
      errorOf(facts) ??
      new StudioError('input/not-regular', `${path} is a pipe or a device, where a file or a folder is needed.`, {
        path,
      })
    );
  }
  if (facts.format === 'unknown' && FOLDER_FILES.has(name)) {
    return await inspectFolder(files, files.parent(path), options, path);
  }
  const finding = await describeOne(files, path, name, entry, facts, options);
  if (finding === undefined) {
    throw (
      errorOf(facts) ??
      new StudioError(
        'input/unrecognised',
        `${path} is nothing that is known here: no GGUF, safetensors, pickle or importance matrix. Check that it is the file that its name says.`,
        { path },
      )
    );
  }
  const [artefact] = await addOrigins(files, [finding], [finding.artefact]);
  return inspectionOf(artefact!, detailsOf(facts));
}

async function describeOne(
  files: ArtefactFiles,
  path: string,
  name: string,
  entry: ListedEntry,
  facts: FileFacts,
  options: InspectOptions,
): Promise<Finding | undefined> {
  const isWhole = facts.format === 'safetensors' && facts.description.problems.length === 0;
  if (isWhole && (name === PEFT_WEIGHTS || name === MLX_WEIGHTS || mlxIteration(name) !== undefined)) {
    return describeWeights(await folderOf(files, path, new Map([[name, facts]]), options), path, name, entry);
  }
  const factsByName = new Map<string, FileFacts>([[name, facts]]);
  if (facts.format === 'gguf') {
    const record = `${name}.build.json`;
    factsByName.set(record, await openFileFacts(files, `${path}.build.json`, record, 'json', options));
  }
  const folder: FolderFacts = {
    path: files.parent(path),
    name: '',
    identity: '',
    files: new Map([[name, entry]]),
    folders: [],
    facts: factsByName,
    pathOf: (below) => (below === name ? path : files.join(files.parent(path), below)),
  };
  return describeFile(folder, name, undefined);
}

/** The adapter whose weights a file is, under the file's own path. */
function describeWeights(folder: FolderFacts, path: string, name: string, entry: ListedEntry): Finding | undefined {
  const whole = describeAdapter(folder);
  const finding =
    mlxIteration(name) === undefined
      ? whole
      : describeMlxCheckpoints(folder, whole.artefact).find(({ artefact }) => artefact.weightsFile === name);
  return finding === undefined
    ? undefined
    : { ...finding, artefact: { ...finding.artefact, path, partOf: folder.path, bytes: entry.bytes } };
}

async function folderOf(
  files: ArtefactFiles,
  path: string,
  known: ReadonlyMap<string, FileFacts>,
  options: InspectOptions,
): Promise<FolderFacts> {
  const folder = files.parent(path);
  const name = files.baseName(path);
  const entries = (await files.list(folder)).filter(
    (entry) => entry.kind === 'file' && (entry.name === name || ![PEFT_WEIGHTS, MLX_WEIGHTS].includes(entry.name)),
  );
  const facts = new Map(known);
  for (const entry of entries.filter((one) => BESIDE_ADAPTER.has(one.name))) {
    facts.set(
      entry.name,
      await openFileFacts(
        files,
        files.join(folder, entry.name),
        entry.name,
        readingOf(entry.name, entry.bytes) ?? 'pointer',
        options,
      ),
    );
  }
  return {
    path: folder,
    name: files.baseName(folder),
    identity: '',
    files: new Map(entries.map((entry) => [entry.name, entry])),
    folders: [],
    facts,
    pathOf: (one) => (one === name ? path : files.join(folder, one)),
  };
}

async function finish(scan: AsyncGenerator<unknown, Artefact[]>): Promise<Artefact[]> {
  for (;;) {
    const step = await scan.next();
    if (step.done === true) {
      return step.value;
    }
  }
}
