import type { CancellationToken, Connection, TextDocuments } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { SAMPLE_CONVERSATIONS, type SampleConversation } from '../../../src/core/goTemplate/sampleConversations';
import {
  computeBaseSummaries,
  computePromptPreview,
  computeTemplateDifferences,
  type BaseSummary,
  type PromptPreview,
  type TemplateDifferences,
} from '../service/languageService';
import { signalOf } from './requestSignal';
import type { ServerState } from './serverState';

/** Requests beyond the protocol, for editors that show more: `modelfile/preview`, `modelfile/differences` and `modelfile/summaries`. */
export interface PreviewParams {
  readonly uri: string;
  readonly conversation: string;
  /** One that fits the file where it is left out. */
  readonly question?: string | null;
}

/** All answer null for a document that is not open. */
export function registerStudioRequests(
  connection: Connection,
  documents: TextDocuments<TextDocument>,
  state: ServerState,
): void {
  connection.onRequest(
    'modelfile/preview',
    async ({ uri, conversation, question }: PreviewParams, token: CancellationToken): Promise<PromptPreview | null> => {
      const document = documents.get(uri);
      const known = SAMPLE_CONVERSATIONS.find((name): name is SampleConversation => name === conversation);
      return document === undefined || known === undefined
        ? null
        : await computePromptPreview(
            state.parsed(document),
            { conversation: known, question: question ?? undefined },
            state.facts(uri),
            signalOf(token),
          );
    },
  );
  connection.onRequest(
    'modelfile/differences',
    async ({ uri }: { readonly uri: string }, token: CancellationToken): Promise<TemplateDifferences | null> => {
      const document = documents.get(uri);
      return document === undefined
        ? null
        : await computeTemplateDifferences(state.parsed(document), state.facts(uri, true), signalOf(token));
    },
  );
  connection.onRequest(
    'modelfile/summaries',
    async ({ uri }: { readonly uri: string }, token: CancellationToken): Promise<readonly BaseSummary[] | null> => {
      const document = documents.get(uri);
      return document === undefined
        ? null
        : await computeBaseSummaries(state.parsed(document), state.facts(uri), signalOf(token));
    },
  );
}
