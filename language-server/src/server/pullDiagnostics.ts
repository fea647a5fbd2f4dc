import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import {
  DocumentDiagnosticReportKind,
  LSPErrorCodes,
  ResponseError,
  type Connection,
  type Diagnostic,
  type TextDocuments,
  type WorkspaceDocumentDiagnosticReport,
} from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { decodeModelfile } from '../../../src/core/modelfile/decodeModelfile';
import { LIMITS } from '../../../src/core/limits';
import { computeDiagnostics, ModelfileDocument, withPages } from '../service/languageService';
import { signalOf } from './requestSignal';
import type { ServerState } from './serverState';
import type { WorkspaceModelfiles } from './workspaceModelfiles';

/** Answers editors that ask for diagnostics, of a document or of the whole workspace. */
export function registerPullDiagnostics(
  connection: Connection,
  documents: TextDocuments<TextDocument>,
  state: ServerState,
  workspace: WorkspaceModelfiles,
): void {
  const results = new ResultIds();
  connection.languages.diagnostics.on(async ({ textDocument }, token) => {
    const document = documents.get(textDocument.uri);
    const signal = signalOf(token);
    try {
      const items =
        document === undefined
          ? []
          : withPages(
              await computeDiagnostics(
                state.parsed(document),
                state.facts(textDocument.uri),
                state.settings.severities,
                signal,
              ),
              state.pages,
            );
      return { kind: DocumentDiagnosticReportKind.Full, items };
    } catch (thrown) {
      throw signal.aborted ? new ResponseError(LSPErrorCodes.RequestCancelled, 'cancelled') : thrown;
    }
  });
  connection.languages.diagnostics.onWorkspace(async ({ previousResultIds }, token) => {
    const signal = signalOf(token);
    const before = new Map(previousResultIds.map(({ uri, value }) => [uri, value]));
    const items: WorkspaceDocumentDiagnosticReport[] = [];
    try {
      for (const path of state.isTrusted ? await workspace.files(signal) : []) {
        const found = await checkFile(path, documents, state, signal);
        if (found !== undefined) {
          items.push(results.report(found, before.get(found.uri)));
        }
      }
    } catch (thrown) {
      throw signal.aborted ? new ResponseError(LSPErrorCodes.RequestCancelled, 'cancelled') : thrown;
    }
    return { items: [...items, ...goneReports(before, items)] };
  });
}

interface CheckedFile {
  readonly uri: string;
  readonly version: number | null;
  readonly items: Diagnostic[];
}

async function checkFile(
  path: string,
  documents: TextDocuments<TextDocument>,
  state: ServerState,
  signal: AbortSignal,
): Promise<CheckedFile | undefined> {
  const uri = pathToFileURL(path).href;
  const open = documents.get(uri);
  const bytes = open === undefined ? await readFile(path).catch(() => undefined) : undefined;
  if (open === undefined && (bytes === undefined || bytes.length > LIMITS.modelfileBytes)) {
    return undefined;
  }
  const document =
    open === undefined ? new ModelfileDocument(uri, 0, decodeModelfile(bytes ?? new Uint8Array())) : state.parsed(open);
  return {
    uri,
    version: open?.version ?? null,
    items: withPages(
      await computeDiagnostics(document, state.facts(uri), state.settings.severities, signal),
      state.pages,
    ),
  };
}

/** Files that were there and no longer are: what is shown of them goes. */
function goneReports(
  before: ReadonlyMap<string, string>,
  items: readonly WorkspaceDocumentDiagnosticReport[],
): WorkspaceDocumentDiagnosticReport[] {
  const there = new Set(items.map(({ uri }) => uri));
  return [...before.keys()]
    .filter((uri) => !there.has(uri))
    .map((uri) => ({ kind: DocumentDiagnosticReportKind.Full, uri, version: null, items: [] }));
}

/** Editors ask for the workspace every few seconds: a file whose findings stayed as they were is told in one word. */
class ResultIds {
  private readonly last = new Map<string, { readonly id: string; readonly text: string }>();
  private count = 0;

  report({ uri, version, items }: CheckedFile, before: string | undefined): WorkspaceDocumentDiagnosticReport {
    const text = JSON.stringify(items);
    const known = this.last.get(uri);
    if (known?.text === text && known.id === before) {
      return { kind: DocumentDiagnosticReportKind.Unchanged, uri, version, resultId: known.id };
    }
    const id = known?.text === text ? known.id : String((this.count += 1));
    this.last.set(uri, { id, text });
    return { kind: DocumentDiagnosticReportKind.Full, uri, version, resultId: id, items };
  }
}
