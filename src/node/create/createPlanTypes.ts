// The plan of a creation: what becomes of every file and name in a Modelfile.
import type { FileTypeName } from '../../core/engine/fileTypes';
import type { ModelfileCommand } from '../../core/modelfile/modelfileTypes';
import type { RouteName } from '../../core/routes/planRoutes';
import type { InstalledModel } from '../inputs/installedModel';
import type { OllamaClient } from '../ollama/ollamaClient';
import type { AdapterRequest } from '../inputs/loadBuildInputs';

/** What becomes of one FROM, ADAPTER or DRAFT. */
export type CreatePart = { readonly line: number; readonly role: 'model' | 'adapter' | 'draft' } & (
  | { readonly kind: 'file'; readonly path: string }
  /** The parts of a split GGUF. */
  | { readonly kind: 'split'; readonly path: string; readonly paths: readonly string[] }
  /** A folder whose files are sent as Ollama's command line sends them; the server converts. */
  | { readonly kind: 'folder'; readonly path: string }
  /** A folder, a GGUF or an installed model (`ollama:NAME`) that our engine makes a GGUF of, with adapters fused into it. */
  | {
      readonly kind: 'build';
      readonly path: string;
      readonly fileType: FileTypeName;
      readonly adapters: readonly AdapterRequest[];
      /** Adapter layers of the installed model, which come before the others. */
      readonly installed?: InstalledModel | undefined;
    }
  /** An adapter folder that becomes a GGUF adapter. */
  | { readonly kind: 'convert-adapter'; readonly path: string }
);

/**
 * How a model comes about: files sent as they are, alone or with an adapter; a folder that the server converts; a GGUF that
 * is built here, of a model alone or fused with adapters (16-bit or quantised); an adapter folder converted to a GGUF.
 */
export type CreateRoute = 'direct' | 'server' | 'build' | RouteName;

export interface CreatePlan {
  /** The Modelfile's commands, without fused adapters and with what an installed base hands on; local paths are the keys of `parts`. */
  readonly commands: readonly ModelfileCommand[];
  readonly parts: ReadonlyMap<string, CreatePart>;
  /** A model of the server, or of a registry, that goes in as it is. */
  readonly from?: { readonly name: string; readonly line: number } | undefined;
  /** A model that the server has to get first; what else becomes of it is planned when it is there. */
  readonly pull?: { readonly name: string; readonly line: number } | undefined;
  /** The server itself quantises `from` to this. */
  readonly serverType?: FileTypeName | undefined;
  readonly route: CreateRoute;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

export interface PlanCreateOptions {
  readonly fileType?: FileTypeName | undefined;
  /** Of the server that the model is for; undefined for the newest. */
  readonly ollamaVersion?: string | undefined;
  /** The server that the model is for; undefined to look at the folders of this machine alone. */
  readonly server?:
    | {
        readonly client: OllamaClient;
        /** Its model of that name; undefined where it has none. */
        readonly find: (name: string) => { readonly digest?: string | undefined } | undefined;
      }
    | undefined;
  readonly signal?: AbortSignal | undefined;
}
