import { isUnspeakable, UNSPEAKABLE } from '../unspeakableName';
import { append } from '../append';
import { throwIfAborted, toStudioError, type StudioError } from '../errors';
import { addOrigins } from './addOrigins';
import type { Artefact } from './artefact';
import type { ArtefactFiles, ListedEntry } from './artefactFiles';
import { describeFolder } from './describeFolder';
import { recordOf } from './describeFile';
import type { Finding, FolderFindings } from './finding';
import { asProblem, type FolderFacts } from './folderFacts';
import { Semaphore } from './semaphore';
import { linkLineage } from './lineage';
import { FIRST_BYTES, openFileFacts, readingOf, type FileFacts, type Reading } from './readFileFacts';

export interface ScanProgress {
  readonly event: 'scanning';
  readonly folders: number;
  readonly files: number;
  /** The folder at work. */
  readonly folder: string;
}

export interface ScanOptions {
  readonly signal?: AbortSignal | undefined;
  /** Levels below each given folder; no limit unless given. */
  readonly depth?: number | undefined;
  /** Longest safetensors header that is read, in bytes. */
  readonly headerLimit?: number | undefined;
}

/** Folders that hold no artefacts, and often very many files. */
const SKIPPED = new Set([
  'node_modules',
  '.git',
  '.hg',
  '.svn',
  '__pycache__',
  '.venv',
  'venv',
  'site-packages',
  '.ipynb_checkpoints',
  'wandb',
]);
/** Files open at once, over all folders. */
const OPEN_FILES = 16;
/** Folders read at once. */
const FOLDERS = 16;
/** Deeper nesting is a loop that links could not tell, or nothing that training wrote. */
const DEEPEST = 64;
const HEADER_LIMIT = 32 * 1024 * 1024;

interface Node {
  readonly path: string;
  readonly depth: number;
  readonly children: Node[];
  facts?: FolderFacts;
  broken: Finding[];
}

/**
 * Finds the artefacts in folders and below them, reading at most each file's header. Links are followed, each folder
 * once. What cannot be read is an artefact with its problem; the only error is cancellation.
 */
export async function* scanFolders(
  files: ArtefactFiles,
  folders: readonly string[],
  options: ScanOptions = {},
): AsyncGenerator<ScanProgress, Artefact[]> {
  const scan = new Scan(files, options);
  const roots = folders.map((path): Node => ({ path, depth: 0, children: [], broken: [] }));
  let queue = [...roots];
  while (queue.length > 0) {
    throwIfAborted(options.signal);
    const wave = queue.splice(0, FOLDERS);
    await Promise.all(wave.map((node) => scan.read(node)));
    queue = [...queue, ...wave.flatMap((node) => node.children)];
    yield { event: 'scanning', folders: scan.folders, files: scan.files, folder: wave[0]!.path };
  }
  const findings = roots.flatMap((root) => judge(root));
  const linked = linkLineage(findings);
  return await addOrigins(files, findings, linked);
}

class Scan {
  folders = 0;
  files = 0;
  private readonly seen = new Set<string>();
  private readonly openFiles = new Semaphore(OPEN_FILES);
  private readonly buffers: Uint8Array[] = [];

  constructor(
    private readonly port: ArtefactFiles,
    private readonly options: ScanOptions,
  ) {}

  /** Lists one folder, reads what is of interest in it, and hangs its sub-folders below it. */
  async read(node: Node): Promise<void> {
    let entries: readonly ListedEntry[];
    let identity: string;
    try {
      identity = (await this.port.stat(node.path))?.identity ?? node.path;
      if (this.seen.has(identity)) {
        return;
      }
      this.seen.add(identity);
      entries = await this.port.list(node.path);
    } catch (thrown) {
      node.broken.push(unreadable(node.path, toStudioError(thrown)));
      return;
    }
    this.folders++;
    const files = new Map(entries.filter((entry) => entry.kind === 'file').map((entry) => [entry.name, entry]));
    this.files += files.size;
    const facts = await this.readFiles(node.path, [...files.values()]);
    const folders = entries.filter((entry) => entry.kind === 'folder').map((entry) => entry.name);
    node.facts = {
      path: node.path,
      name: this.port.baseName(node.path),
      identity,
      files,
      folders,
      facts,
      pathOf: (name) => this.port.join(node.path, name),
    };
    append(node.broken, this.otherEntries(node.path, entries));
    if (node.depth < Math.min(this.options.depth ?? DEEPEST, DEEPEST)) {
      const isCache = folders.includes('snapshots') && folders.includes('blobs');
      const inside = folders.filter((name) => !SKIPPED.has(name) && !(isCache && name === 'blobs'));
      for (const name of inside) {
        node.children.push({
          path: this.port.join(node.path, name),
          depth: node.depth + 1,
          children: [],
          broken: [],
        });
      }
    }
  }

  private async readFiles(folder: string, entries: readonly ListedEntry[]): Promise<Map<string, FileFacts>> {
    const read = await Promise.all(
      entries.map(async (entry): Promise<[string, FileFacts] | undefined> => {
        const reading = readingOf(entry.name, entry.bytes);
        if (reading === undefined) {
          return undefined;
        }
        const path = this.port.join(folder, entry.name);
        return await this.openFiles.run(async () => [entry.name, await this.readFile(path, entry, reading)]);
      }),
    );
    return new Map(read.filter((one) => one !== undefined));
  }

  private async readFile(path: string, listed: ListedEntry, reading: Reading): Promise<FileFacts> {
    const buffer = this.buffers.pop() ?? new Uint8Array(FIRST_BYTES);
    const { signal, headerLimit = HEADER_LIMIT } = this.options;
    const facts = await openFileFacts(this.port, path, listed.name, reading, { signal, headerLimit, listed, buffer });
    this.buffers.push(buffer);
    return facts;
  }

  /** Pipes, devices and dangling links under the names of artefacts: said to be there, never opened. */
  private otherEntries(folder: string, entries: readonly ListedEntry[]): Finding[] {
    const named = entries.filter(
      ({ kind, name, bytes }) =>
        kind === 'other' && (readingOf(name, bytes) === 'header' || (isUnspeakable(name) && !name.includes('.'))),
    );
    return named.map((entry) => ({
      artefact: {
        path: this.port.join(folder, entry.name),
        kind: 'unreadable',
        bytes: 0,
        problems: [
          isUnspeakable(entry.name)
            ? { code: 'input/unreadable', message: `${entry.name} ${UNSPEAKABLE}` }
            : {
                code: 'input/not-regular',
                message: `${entry.name} is a pipe, a device or a link that leads nowhere. If it is a link, check its target.`,
              },
        ],
      },
    }));
  }
}

/** Children before parents, so that a run knows its checkpoints. */
function judge(root: Node): Finding[] {
  const { own, broken } = judgeNode(root);
  return [...broken, ...flatten(own)];
}

interface Judged extends FolderFindings {
  readonly children: readonly Judged[];
}

function judgeNode(node: Node): { readonly own: Judged | undefined; readonly broken: readonly Finding[] } {
  const below = node.children.map(judgeNode);
  const broken = [...node.broken, ...below.flatMap((one) => one.broken)];
  if (node.facts === undefined) {
    return { own: undefined, broken };
  }
  const judged = below.map((one) => one.own).filter((one) => one !== undefined);
  const { facts } = node;
  const { own, children } = describeFolder(facts, judged);
  const marked = children.map((child, index): Judged => ({
    ...judged[index]!,
    findings: child.findings.map((finding) => withFolderRecord(finding, child.folder, facts)),
  }));
  return { own: { ...own, children: marked }, broken };
}

/** A merged folder's record lies beside it, in the folder above. */
function withFolderRecord(finding: Finding, folder: FolderFacts, above: FolderFacts): Finding {
  const record =
    finding.artefact.path === folder.path && finding.model !== undefined ? recordOf(above, folder.name) : undefined;
  return record === undefined ? finding : { ...finding, record };
}

function flatten(judged: Judged | undefined): Finding[] {
  return judged === undefined ? [] : [...judged.findings, ...judged.children.flatMap(flatten)];
}

function unreadable(path: string, error: StudioError): Finding {
  return { artefact: { path, kind: 'unreadable', bytes: 0, problems: [asProblem(error)] } };
}
