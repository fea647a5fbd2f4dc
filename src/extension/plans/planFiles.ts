import * as vscode from 'vscode';

/**
 * Pages of plans as files that cannot be written: unlike documents that a provider makes up, VS Code opens files again after a
 * reload of the window.
 */
export class PlanFiles implements vscode.FileSystemProvider, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly onDidChangeFile = this.#changed.event;
  readonly #times = new Map<string, number>();

  /** @param textOf the page of an address; undefined where there is none */
  constructor(private readonly textOf: (uri: vscode.Uri) => string | undefined) {}

  /** Says that a page reads differently now. */
  changed(uri: vscode.Uri): void {
    const key = uri.toString();
    this.#times.set(key, Math.max(Date.now(), (this.#times.get(key) ?? 0) + 1));
    this.#changed.fire([{ type: vscode.FileChangeType.Changed, uri }]);
  }

  stat(uri: vscode.Uri): vscode.FileStat {
    if (!uri.path.slice(1).includes('/')) {
      return { type: vscode.FileType.Directory, ctime: 0, mtime: 0, size: 0 };
    }
    const size = this.readFile(uri).byteLength;
    return { type: vscode.FileType.File, ctime: 0, mtime: this.#times.get(uri.toString()) ?? 1, size };
  }

  readFile(uri: vscode.Uri): Uint8Array {
    const text = this.textOf(uri);
    if (text === undefined) {
      throw vscode.FileSystemError.FileNotFound(uri);
    }
    return new TextEncoder().encode(text);
  }

  watch(): vscode.Disposable {
    return new vscode.Disposable(() => undefined);
  }

  readDirectory(): [string, vscode.FileType][] {
    return [];
  }

  createDirectory(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  writeFile(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  delete(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  rename(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  dispose(): void {
    this.#changed.dispose();
  }
}
