import * as vscode from 'vscode';
import * as z from 'zod/mini';
import { TOOL_VARIABLES } from '../core/tools/toolVariables';

export const SECTION = 'modelfileStudio';

const SCHEMAS = {
  'artefacts.folders': z.array(z.string()),
  'artefacts.huggingFaceCache': z.boolean(),
  'output.folder': z.string(),
  'ollama.enabled': z.boolean(),
  'ollama.host': z.string(),
  'ollama.version': z.string(),
  'tools.python': z.string(),
  'tools.llamaCpp': z.string(),
  'tools.docker': z.string(),
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

  /** Variables for a command line of ours: the address of Ollama and the places of tools, where the settings name them. */
  environment(): Record<string, string | undefined> {
    const named = {
      OLLAMA_HOST: this.get('ollama.host').trim(),
      [TOOL_VARIABLES.python]: this.get('tools.python').trim(),
      [TOOL_VARIABLES.llamaCpp]: this.get('tools.llamaCpp').trim(),
      [TOOL_VARIABLES.docker]: this.get('tools.docker').trim(),
    };
    return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== ''));
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
