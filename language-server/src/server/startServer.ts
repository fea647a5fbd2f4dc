import {
  CodeActionKind,
  DidChangeConfigurationNotification,
  DidChangeWatchedFilesNotification,
  TextDocuments,
  TextDocumentSyncKind,
  type ClientCapabilities,
  type Connection,
  type InitializeParams,
  type InitializeResult,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { TemplateComparer } from '../../../src/node/jinja/templateComparer';
import { FIX_ALL_KIND, TOKEN_TYPES } from '../service/languageService';
import { diagnosticPages } from './diagnosticPages';
import { DiagnosticsPublisher } from './diagnosticsPublisher';
import { registerPullDiagnostics } from './pullDiagnostics';
import { registerFeatures } from './registerFeatures';
import { ServerState } from './serverState';
import { SETTINGS_SECTION } from './settings';
import { WorkspaceModelfiles } from './workspaceModelfiles';
import { registerStudioRequests } from './studioRequests';

export interface ServerOptions {
  /** The value of `OLLAMA_HOST`. */
  readonly ollamaHost?: string | undefined;
  readonly version?: string | undefined;
  /** Folder of the running bundle, where `jinja.js` lies; without it no TEMPLATE is compared with the model's own. */
  readonly bundleFolder?: string | undefined;
}

/** Sent by an editor when its user comes to trust the workspace, or no longer does: `{ isTrusted }`. */
export const TRUST_NOTIFICATION = 'modelfile/trust';

/** What `initializationOptions` may say. */
interface InitializationOptions {
  /** False where the workspace is not trusted: no file is looked at, no server asked. Default true. */
  readonly isTrusted?: boolean;
  /** True where the editor has the command `modelfileStudio.buildForModelfile`, which fixes may then call. */
  readonly canBuild?: boolean;
  /** True where the editor has the command `modelfileStudio.showTemplateDifferences`. */
  readonly canCompare?: boolean;
  /** The settings, for editors that are not asked for them. */
  readonly settings?: unknown;
}

/** Wires the language server to a connection and starts to listen. */
export function startServer(connection: Connection, options: ServerOptions = {}): void {
  const documents = new TextDocuments(TextDocument);
  let recheckAll = (): void => undefined;
  const { bundleFolder } = options;
  // What a comparison finds comes later than the diagnostics of a keystroke: they are told anew then.
  const comparer =
    bundleFolder === undefined ? undefined : new TemplateComparer({ bundleFolder, onReady: () => recheckAll() });
  const state = new ServerState(options.ollamaHost, comparer);
  const publisher = new DiagnosticsPublisher(connection, documents, state);
  let capabilities: ClientCapabilities = {};
  const workspace = new WorkspaceModelfiles((text) => connection.console.warn(text));

  const pulls = (): boolean => capabilities.textDocument?.diagnostic !== undefined;
  const recheck = (): void => {
    if (!pulls()) {
      publisher.scheduleAll();
    } else if (capabilities.workspace?.diagnostics?.refreshSupport === true) {
      void connection.languages.diagnostics.refresh();
    }
  };
  recheckAll = recheck;
  const fetchSettings = async (): Promise<void> => {
    if (capabilities.workspace?.configuration === true) {
      state.configure(await connection.workspace.getConfiguration(SETTINGS_SECTION));
      recheck();
    }
  };

  connection.onInitialize(async (params) => {
    capabilities = params.capabilities;
    if (bundleFolder !== undefined && capabilities.textDocument?.publishDiagnostics?.codeDescriptionSupport === true) {
      state.pages = await diagnosticPages(bundleFolder);
    }
    workspace.setFolders(foldersOf(params));
    const initial = (params.initializationOptions ?? {}) as InitializationOptions;
    state.isTrusted = initial.isTrusted !== false;
    state.canBuild = initial.canBuild === true;
    state.canCompare = initial.canCompare === true;
    state.configure(initial.settings);
    return initializeResult(options.version, pulls());
  });
  connection.onInitialized(async () => {
    if (capabilities.workspace?.didChangeConfiguration?.dynamicRegistration === true) {
      await connection.client.register(DidChangeConfigurationNotification.type, { section: SETTINGS_SECTION });
    }
    if (capabilities.workspace?.didChangeWatchedFiles?.dynamicRegistration === true) {
      await connection.client.register(DidChangeWatchedFilesNotification.type, {
        watchers: [{ globPattern: '**/*.{gguf,safetensors,json,jinja}' }, { globPattern: '**/[Mm]odelfile*' }],
      });
    }
    if (capabilities.workspace?.workspaceFolders === true) {
      connection.workspace.onDidChangeWorkspaceFolders(({ added, removed }) => {
        workspace.changeFolders(
          added.map(({ uri }) => uri),
          removed.map(({ uri }) => uri),
        );
        recheck();
      });
    }
    await fetchSettings();
  });
  connection.onDidChangeConfiguration(({ settings }) => {
    if (capabilities.workspace?.configuration === true) {
      void fetchSettings();
    } else {
      const all = (settings ?? {}) as Readonly<Record<string, unknown>>;
      state.configure(all[SETTINGS_SECTION] ?? all);
      recheck();
    }
  });
  connection.onDidChangeWatchedFiles(() => {
    workspace.forget();
    recheck();
  });
  connection.onNotification(TRUST_NOTIFICATION, ({ isTrusted }: { readonly isTrusted?: boolean }) => {
    state.isTrusted = isTrusted === true;
    recheck();
  });

  documents.onDidChangeContent(({ document }) => {
    if (!pulls()) {
      publisher.schedule(document);
    }
  });
  documents.onDidClose(({ document }) => {
    if (!pulls()) {
      publisher.clear(document.uri);
    }
  });
  registerFeatures(connection, documents, state);
  registerStudioRequests(connection, documents, state);
  registerPullDiagnostics(connection, documents, state, workspace);
  documents.listen(connection);
  connection.listen();
}

function foldersOf(params: InitializeParams): string[] {
  const named = params.workspaceFolders?.map(({ uri }) => uri) ?? [];
  // Older editors name one folder only.
  const { rootUri } = params as { readonly rootUri?: string | null };
  return named.length > 0 || typeof rootUri !== 'string' ? named : [rootUri];
}

function initializeResult(version: string | undefined, pulls: boolean): InitializeResult {
  return {
    serverInfo: { name: 'modelfile-language-server', ...(version === undefined ? {} : { version }) },
    capabilities: {
      textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental },
      completionProvider: { triggerCharacters: [' ', '.', '$', '{', '/', '"'] },
      hoverProvider: true,
      signatureHelpProvider: { triggerCharacters: [' '], retriggerCharacters: [' '] },
      documentSymbolProvider: true,
      foldingRangeProvider: true,
      documentLinkProvider: {},
      documentFormattingProvider: true,
      documentRangeFormattingProvider: true,
      codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix, FIX_ALL_KIND] },
      semanticTokensProvider: { legend: { tokenTypes: [...TOKEN_TYPES], tokenModifiers: [] }, full: true, range: true },
      workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
      ...(pulls
        ? { diagnosticProvider: { identifier: 'modelfile', interFileDependencies: false, workspaceDiagnostics: true } }
        : {}),
    },
  };
}
