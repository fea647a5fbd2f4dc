import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { NO_FACTS, type WorkspaceFacts } from '../../../src/core/modelfile/workspaceFacts';
import { expandModelfilePath } from '../../../src/node/modelfile/modelfileFiles';
import type { TemplateComparer } from '../../../src/node/jinja/templateComparer';
import { OllamaFacts } from '../../../src/node/modelfile/ollamaFacts';
import { isUntouchable, NodeWorkspaceFacts } from '../../../src/node/modelfile/workspaceFacts';
import { ModelfileDocument } from '../service/languageService';
import { readSettings, type ServerSettings } from './settings';

/** What the server knows between requests: settings, trust, and one parsed form of every open document. */
export class ServerState {
  isTrusted = true;
  /** The editor has a command that shows a TEMPLATE beside the model's own. */
  canCompare = false;
  /** The editor has a command that builds a GGUF for a Modelfile. */
  canBuild = false;
  /** Where each diagnostic is explained, by its code. */
  pages: ReadonlyMap<string, string> = new Map();
  private current: ServerSettings;
  private ollama: OllamaFacts | undefined;
  private readonly documents = new WeakMap<TextDocument, ModelfileDocument>();

  /**
   * @param environmentHost the value of `OLLAMA_HOST`
   * @param comparer compares TEMPLATEs with models' own; without it none is compared
   */
  constructor(
    private readonly environmentHost: string | undefined,
    readonly comparer?: TemplateComparer,
  ) {
    this.current = readSettings(undefined, environmentHost);
    this.ollama = this.connect();
  }

  get settings(): ServerSettings {
    return this.current;
  }

  configure(value: unknown): void {
    const before = this.current.ollamaHost;
    this.current = readSettings(value, this.environmentHost);
    if (this.current.ollamaHost !== before) {
      this.ollama = this.connect();
    }
  }

  private connect(): OllamaFacts | undefined {
    const { ollamaHost } = this.current;
    return ollamaHost === undefined ? undefined : new OllamaFacts(ollamaHost);
  }

  /** The parsed form of this version of a document. */
  parsed(document: TextDocument): ModelfileDocument {
    const known = this.documents.get(document);
    if (known?.version === document.version) {
      return known;
    }
    const parsed = new ModelfileDocument(document.uri, document.version, document.getText());
    this.documents.set(document, parsed);
    return parsed;
  }

  /**
   * The world around a document; nothing is known of one that is no local file.
   * @param waits a comparison of templates is waited for, where else it is told of later
   */
  facts(uri: string, waits?: true): WorkspaceFacts {
    const path = localPath(uri);
    const { ollamaVersion } = this.current;
    return path === undefined
      ? NO_FACTS
      : new NodeWorkspaceFacts({
          directory: dirname(path),
          isTrusted: this.isTrusted,
          ollama: this.ollama,
          ollamaVersion,
          comparer: this.comparer,
          waits,
        });
  }

  /** Where a path of a document leads, as a link; undefined for what is not to be opened. */
  async linkTarget(uri: string, path: string): Promise<string | undefined> {
    const file = localPath(uri);
    if (file === undefined || !this.isTrusted || isUntouchable(path)) {
      return undefined;
    }
    const { kind } = await this.facts(uri).path(path);
    return kind === 'absent' || kind === 'unknown'
      ? undefined
      : pathToFileURL(await expandModelfilePath(path, dirname(file))).href;
  }
}

/** The path of a `file:` URI on this machine. */
export function localPath(uri: string): string | undefined {
  try {
    const url = new URL(uri);
    return url.protocol === 'file:' && url.hostname === '' ? fileURLToPath(url) : undefined;
  } catch {
    return undefined;
  }
}
