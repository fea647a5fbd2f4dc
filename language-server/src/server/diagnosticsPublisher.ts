import type { Connection, TextDocuments } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { computeDiagnostics, computeTextDiagnostics, withPages } from '../service/languageService';
import type { ServerState } from './serverState';

/** Facts that take longer than this (a server that does not answer) do not hold back what the text tells. */
const PATIENCE = 80;

/** Pushes diagnostics to editors that do not ask for them. */
export class DiagnosticsPublisher {
  private readonly running = new Map<string, AbortController>();

  constructor(
    private readonly connection: Connection,
    private readonly documents: TextDocuments<TextDocument>,
    private readonly state: ServerState,
  ) {}

  /** Checks a document anew; an older check of it that still runs is given up. */
  schedule(document: TextDocument): void {
    this.running.get(document.uri)?.abort();
    const controller = new AbortController();
    this.running.set(document.uri, controller);
    void this.check(document, controller.signal)
      .catch((thrown: unknown) => {
        if (!controller.signal.aborted) {
          this.connection.console.error(`Checking ${document.uri} failed: ${String(thrown)}`);
        }
      })
      .finally(() => {
        if (this.running.get(document.uri) === controller) {
          this.running.delete(document.uri);
        }
      });
  }

  scheduleAll(): void {
    this.documents.all().forEach((document) => this.schedule(document));
  }

  /** Nothing is shown for a document that was closed. */
  clear(uri: string): void {
    this.running.get(uri)?.abort();
    void this.connection.sendDiagnostics({ uri, diagnostics: [] });
  }

  private async check(document: TextDocument, signal: AbortSignal): Promise<void> {
    const { state } = this;
    const parsed = state.parsed(document);
    const { uri, version } = parsed;
    const { severities } = state.settings;
    let isDone = false;
    const early = setTimeout(() => {
      if (!isDone && !signal.aborted) {
        void this.connection.sendDiagnostics({
          uri,
          version,
          diagnostics: withPages(computeTextDiagnostics(parsed, severities), state.pages),
        });
      }
    }, PATIENCE);
    try {
      const found = await computeDiagnostics(parsed, state.facts(uri), severities, signal);
      const diagnostics = withPages(found, state.pages);
      isDone = true;
      if (!signal.aborted) {
        await this.connection.sendDiagnostics({ uri, version, diagnostics });
      }
    } finally {
      clearTimeout(early);
    }
  }
}
