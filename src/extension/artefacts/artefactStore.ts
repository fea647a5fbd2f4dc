import type { Artefact } from '../../core/artefacts/artefact';
import { toStudioError, type StudioError } from '../../core/errors';

export type ArtefactState =
  | { readonly kind: 'idle' | 'scanning' }
  | { readonly kind: 'ready'; readonly artefacts: readonly Artefact[]; readonly scanned: number }
  | { readonly kind: 'error'; readonly error: StudioError };

/** Scans folders, all at once so that lineage crosses them. */
export type ScanFolders = (folders: readonly string[], signal: AbortSignal) => Promise<readonly Artefact[]>;

/** What the last scan found. One scan at a time: a wish that comes during one is met by another after it. */
export class ArtefactStore {
  #state: ArtefactState = { kind: 'idle' };
  #artefacts: readonly Artefact[] = [];
  #running: Promise<void> | undefined;
  #again = false;
  #abort = new AbortController();
  readonly #listeners = new Set<() => void>();

  /** @param folders absolute, the roots of the workspace first */
  constructor(
    private readonly scanFolders: ScanFolders,
    private readonly folders: () => Promise<readonly string[]>,
  ) {}

  get state(): ArtefactState {
    return this.#state;
  }

  /** Of the last scan that succeeded, also while the next one runs. */
  get artefacts(): readonly Artefact[] {
    return this.#artefacts;
  }

  find(path: string): Artefact | undefined {
    return this.#artefacts.find((artefact) => artefact.path === path);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when what is on the disk now has been looked at. */
  async scan(): Promise<void> {
    if (this.#running !== undefined) {
      this.#again = true;
      return await this.#running;
    }
    this.#running = this.#scanUntilQuiet();
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  /** Resolves when no scan runs. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** The artefacts, scanned first where that has not happened. */
  async ready(): Promise<readonly Artefact[]> {
    if (this.#state.kind === 'idle' || this.#state.kind === 'scanning') {
      await this.scan();
    }
    return this.#artefacts;
  }

  dispose(): void {
    this.#abort.abort();
    this.#listeners.clear();
  }

  async #scanUntilQuiet(): Promise<void> {
    this.#again = true;
    while (this.#takeWish() && !this.#abort.signal.aborted) {
      await this.#scanOnce();
    }
  }

  #takeWish(): boolean {
    const wished = this.#again;
    this.#again = false;
    return wished;
  }

  async #scanOnce(): Promise<void> {
    this.#set({ kind: 'scanning' });
    try {
      const folders = await this.folders();
      this.#artefacts = folders.length === 0 ? [] : await this.scanFolders(folders, this.#abort.signal);
      this.#set({ kind: 'ready', artefacts: this.#artefacts, scanned: Date.now() });
    } catch (thrown) {
      this.#set({ kind: 'error', error: toStudioError(thrown) });
    }
  }

  #set(state: ArtefactState): void {
    this.#state = state;
    this.#listeners.forEach((listener) => listener());
  }
}
