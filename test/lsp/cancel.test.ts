import { describe, expect, it } from 'vitest';
import {
  CancellationTokenSource,
  CodeActionRequest,
  CompletionRequest,
  DocumentDiagnosticRequest,
  DocumentFormattingRequest,
  DocumentLinkRequest,
  DocumentRangeFormattingRequest,
  DocumentSymbolRequest,
  FoldingRangeRequest,
  HoverRequest,
  LSPErrorCodes,
  ResponseError,
  SemanticTokensRangeRequest,
  SemanticTokensRequest,
  SignatureHelpRequest,
  WorkspaceDiagnosticRequest,
  type CancellationToken,
  type Position,
} from 'vscode-languageserver-protocol';
import { mutate, randomModelfile } from '../support/modelfileGenerator';
import { Random } from '../support/random';
import { TestConnection } from './testConnection';

const URI = 'file:///nowhere/Modelfile';
const REQUESTS = Number(process.env['MODELFILE_STUDIO_LSP_REQUESTS'] ?? 10_000);
const options = { tabSize: 2, insertSpaces: true };

/** Within the document, behind its end, and where no position can be. */
function position(random: Random): Position {
  const odd = [-1, 0, 1e9, 2 ** 31 - 1];
  return random.chance(0.1)
    ? { line: random.pick(odd), character: random.pick(odd) }
    : { line: random.below(40), character: random.below(120) };
}

function ask({ client }: TestConnection, random: Random, token: CancellationToken): Promise<unknown> {
  const textDocument = { uri: random.chance(0.02) ? 'untitled:nothing' : URI };
  const at = { textDocument, position: position(random) };
  const range = { start: position(random), end: position(random) };
  const questions: (() => Promise<unknown>)[] = [
    () => client.sendRequest(CompletionRequest.type, at, token),
    () => client.sendRequest(HoverRequest.type, at, token),
    () => client.sendRequest(SignatureHelpRequest.type, at, token),
    () => client.sendRequest(DocumentSymbolRequest.type, { textDocument }, token),
    () => client.sendRequest(FoldingRangeRequest.type, { textDocument }, token),
    () => client.sendRequest(DocumentLinkRequest.type, { textDocument }, token),
    () => client.sendRequest(DocumentFormattingRequest.type, { textDocument, options }, token),
    () => client.sendRequest(DocumentRangeFormattingRequest.type, { textDocument, range, options }, token),
    () => client.sendRequest(CodeActionRequest.type, { textDocument, range, context: { diagnostics: [] } }, token),
    () => client.sendRequest(SemanticTokensRequest.type, { textDocument }, token),
    () => client.sendRequest(SemanticTokensRangeRequest.type, { textDocument, range }, token),
    () => client.sendRequest(DocumentDiagnosticRequest.type, { textDocument }, token),
    () => client.sendRequest(WorkspaceDiagnosticRequest.type, { previousResultIds: [] }, token),
  ];
  return random.pick(questions)();
}

describe('the server', () => {
  it(
    `answers ${REQUESTS} requests at random positions, edited and cancelled in between`,
    { timeout: 300_000 },
    async () => {
      const seed = Number(process.env['MODELFILE_STUDIO_FUZZ_SEED'] ?? Date.now() % 1_000_000_000);
      const random = new Random(seed);
      const server = await TestConnection.start({ capabilities: { textDocument: { diagnostic: {} } } });
      let text = randomModelfile(random);
      await server.open(URI, text, 0);
      const counts = { answered: 0, cancelled: 0 };
      for (let sent = 0, version = 1; sent < REQUESTS; version += 1) {
        text = text.length > 3000 ? randomModelfile(random) : mutate(random, text);
        await server.change(URI, version, { text });
        const batch = Array.from({ length: 10 }, () => {
          const source = new CancellationTokenSource();
          const answer = ask(server, random, source.token).catch((thrown: unknown) => thrown);
          if (random.chance(0.4)) {
            setTimeout(() => source.cancel(), random.below(4));
          }
          return answer;
        });
        for (const answer of await Promise.all(batch)) {
          expect(answer instanceof Error && !(answer instanceof ResponseError), String(answer)).toBe(false);
          const note = `seed ${seed}: ${answer instanceof Error ? answer.message : ''} ${JSON.stringify(text)}`;
          // A cancelled request ends as cancelled; nothing ends in another error.
          expect(answer instanceof ResponseError ? answer.code : LSPErrorCodes.RequestCancelled, note).toBe(
            LSPErrorCodes.RequestCancelled,
          );
          counts[answer instanceof Error ? 'cancelled' : 'answered'] += 1;
        }
        sent += batch.length;
      }
      expect(counts.answered).toBeGreaterThan(REQUESTS / 4);
      expect(counts.cancelled).toBeGreaterThan(0);
      await server.stop();
    },
  );
});
