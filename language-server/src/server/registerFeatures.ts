import {
  LSPErrorCodes,
  ResponseError,
  type CancellationToken,
  type Connection,
  type DocumentLink,
  type TextDocuments,
} from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import {
  computeCodeActions,
  computeCompletions,
  computeDocumentLinks,
  computeDocumentSymbols,
  computeFoldingRanges,
  computeFormatting,
  computeHover,
  computeSemanticTokens,
  computeSignatureHelp,
  type ModelfileDocument,
} from '../service/languageService';
import { signalOf } from './requestSignal';
import type { ServerState } from './serverState';

interface DocumentParams {
  readonly textDocument: { readonly uri: string };
}

/** Connects every feature of the service: the document is looked up, cancelled work ends as the protocol wants. */
export function registerFeatures(
  connection: Connection,
  documents: TextDocuments<TextDocument>,
  state: ServerState,
): void {
  const handle =
    <P extends DocumentParams, R>(
      work: (document: ModelfileDocument, params: P, signal: AbortSignal) => R | Promise<R>,
      none: R,
    ) =>
    async (params: P, token: CancellationToken): Promise<R | ResponseError> => {
      const document = documents.get(params.textDocument.uri);
      const signal = signalOf(token);
      try {
        return document === undefined ? none : await work(state.parsed(document), params, signal);
      } catch (thrown) {
        if (signal.aborted) {
          return new ResponseError(LSPErrorCodes.RequestCancelled, 'cancelled');
        }
        throw thrown;
      }
    };
  connection.onCompletion(
    handle(
      (document, { position }, signal) => computeCompletions(document, position, state.facts(document.uri), signal),
      [],
    ),
  );
  connection.onHover(
    handle(
      async (document, { position }, signal) =>
        (await computeHover(document, position, state.facts(document.uri), signal)) ?? null,
      null,
    ),
  );
  connection.onSignatureHelp(
    handle((document, { position }) => computeSignatureHelp(document, position) ?? null, null),
  );
  connection.onDocumentSymbol(handle((document) => computeDocumentSymbols(document), []));
  connection.onFoldingRanges(handle((document) => computeFoldingRanges(document), []));
  connection.onDocumentLinks(handle((document) => links(document, state), []));
  connection.onDocumentFormatting(handle((document) => computeFormatting(document), []));
  connection.onDocumentRangeFormatting(handle((document, { range }) => computeFormatting(document, range), []));
  connection.onCodeAction(
    handle((document, { range, context }, signal) => {
      const request = {
        range,
        diagnostics: context.diagnostics,
        only: context.only,
        canBuild: state.canBuild,
        canCompare: state.canCompare,
      };
      return computeCodeActions(document, request, state.facts(document.uri), state.settings.severities, signal);
    }, []),
  );
  connection.languages.semanticTokens.on(handle((document) => computeSemanticTokens(document), { data: [] }));
  connection.languages.semanticTokens.onRange(
    handle((document, { range }) => computeSemanticTokens(document, range), { data: [] }),
  );
}

/** Paths that exist lead to their file, names of models to their page; others are no links. */
async function links(document: ModelfileDocument, state: ServerState): Promise<DocumentLink[]> {
  const found = await Promise.all(
    computeDocumentLinks(document).map(async ({ link, path }) => {
      const file = path === undefined ? undefined : await state.linkTarget(document.uri, path);
      return file === undefined ? link : { ...link, target: file };
    }),
  );
  return found.filter(({ target }) => target !== undefined);
}
