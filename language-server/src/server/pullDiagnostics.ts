import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { DocumentDiagnosticReportKind, LSPErrorCodes, ResponseError, type Connection, type TextDocuments, type WorkspaceDocumentDiagnosticReport } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { decodeModelfile } from '../../../src/core/modelfile/decodeModelfile';
import { LIMITS } from '../../../src/core/limits';
import { computeDiagnostics, ModelfileDocument } from '../service/languageService';
import { signalOf } from './requestSignal';
import { localPath, type ServerState } from './serverState';
import { findModelfiles } from './workspaceModelfiles';

/** Answers editors that ask for diagnostics, of a document or of the whole workspace. */
export function registerPullDiagnostics(connection: Connection, documents: TextDocuments<TextDocument>, state: ServerState, folders: () => readonly string[]): void {
  connection.languages.diagnostics.on(async ({ textDocument }, token) => {
    const document = documents.get(textDocument.uri);
    const signal = signalOf(token);
    try {
      const items = document === undefined ? [] : await computeDiagnostics(state.parsed(document), state.facts(textDocument.uri), state.settings.severities, signal);
      return { kind: DocumentDiagnosticReportKind.Full, items };
    } catch (thrown) {
      throw signal.aborted ? new ResponseError(LSPErrorCodes.RequestCancelled, 'cancelled') : thrown;
    }
  });
  connection.languages.diagnostics.onWorkspace(async (_params, token) => {
    const signal = signalOf(token);
    const items: WorkspaceDocumentDiagnosticReport[] = [];
    for (const folder of state.isTrusted ? folders() : []) {
      const root = localPath(folder);
      for (const path of root === undefined ? [] : await findModelfiles(root, signal)) {
        const report = await workspaceReport(path, documents, state, signal);
        if (report !== undefined) {
          items.push(report);
        }
      }
    }
    return { items };
  });
}

async function workspaceReport(path: string, documents: TextDocuments<TextDocument>, state: ServerState, signal: AbortSignal): Promise<WorkspaceDocumentDiagnosticReport | undefined> {
  const uri = pathToFileURL(path).href;
  const open = documents.get(uri);
  const bytes = open === undefined ? await readFile(path).catch(() => undefined) : undefined;
  if (open === undefined && (bytes === undefined || bytes.length > LIMITS.modelfileBytes)) {
    return undefined;
  }
  const document = open === undefined ? new ModelfileDocument(uri, 0, decodeModelfile(bytes ?? new Uint8Array())) : state.parsed(open);
  const items = await computeDiagnostics(document, state.facts(uri), state.settings.severities, signal);
  return { kind: DocumentDiagnosticReportKind.Full, uri, version: open?.version ?? null, items };
}
