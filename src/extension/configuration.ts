import * as vscode from 'vscode';
import * as z from 'zod/mini';

export const SECTION = 'modelfileStudio';

const SCHEMAS = {
  'artefacts.folders': z.array(z.string()),
  'artefacts.huggingFaceCache': z.boolean(),
  'output.folder': z.string(),
  'ollama.enabled': z.boolean(),
  'ollama.host': z.string(),
  'ollama.version': z.string(),
  'engine.workers': z.int().check(z.minimum(0), z.maximum(64)),
} as const;

type Schemas = typeof SCHEMAS;

/** The settings that the extension itself reads, checked: what does not fit counts as not set, with one warning in the log. */
export class Configuration {
  readonly #warned = new Set<string>();

  constructor(private readonly log: vscode.LogOutputChannel) {}

  get<K extends keyof Schemas>(key: K): z.infer<Schemas[K]> {
    const section = vscode.workspace.getConfiguration(SECTION);
    const parsed = SCHEMAS[key].safeParse(section.get(key));
    if (parsed.success) {
      return parsed.data as z.infer<Schemas[K]>;
    }
    if (!this.#warned.has(key)) {
      this.#warned.add(key);
      this.log.warn(
        `The setting ${SECTION}.${key} is not what it should be and is not used: ${z.prettifyError(parsed.error)}`,
      );
    }
    return section.inspect(key)?.defaultValue as z.infer<Schemas[K]>;
  }

  /** Variables for a command line of ours: the address of Ollama, where the settings name one. */
  environment(): Record<string, string | undefined> {
    const host = this.get('ollama.host').trim();
    return host === '' ? {} : { OLLAMA_HOST: host };
  }

  /** Called when one of the keys that begin with `prefix` changes. */
  onChange(prefix: string, listener: () => void): vscode.Disposable {
    return vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(`${SECTION}.${prefix}`)) {
        listener();
      }
    });
  }
}
