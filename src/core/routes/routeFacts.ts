import type { FileTypeName } from '../engine/fileTypes';
import type { ErrorJson } from '../errors';

/** What the planner knows of an adapter. */
export interface RouteAdapter {
  readonly path: string;
  /** The folder of the file that was taken for it. */
  readonly directory: string;
  readonly format: 'peft' | 'mlx' | 'gguf';
  readonly method: 'lora' | 'rslora' | 'dora' | 'full';
  readonly weight: number;
  readonly bytes: number;
  /** Its scale is not one alpha over the rank for all modules. */
  readonly hasPatterns: boolean;
  /** Last names of the modules that it changes. */
  readonly targets: readonly string[];
  /** `general.architecture` of an adapter that is a GGUF already. */
  readonly architecture?: string | undefined;
  /** Why it cannot become a GGUF adapter for this base; undefined where it can. */
  readonly ggufProblem?: ErrorJson | undefined;
  /** Bytes of the GGUF adapter that it becomes. */
  readonly ggufBytes?: number | undefined;
  /** It is a layer of the installed base, not a file of the user's. */
  readonly isInstalled?: boolean | undefined;
}

/** What one build of this base and these adapters costs; from the plan of the build itself. */
export interface RouteBuild {
  readonly type: FileTypeName;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly memoryBytes: number;
  readonly seconds: number;
}

export interface RouteBase {
  /** As the user gave it. */
  readonly path: string;
  readonly kind: 'huggingface' | 'gguf' | 'installed';
  /** `general.architecture`. */
  readonly architecture: string;
  /** The class that config.json names, of a folder. */
  readonly className?: string | undefined;
  readonly label: string;
  readonly parameters: number;
  /** The 16-bit type that loses nothing of it: BF16, or F16 for a base that is stored so. */
  readonly sixteenBit: FileTypeName;
  /** Of a GGUF or an installed model: what it is stored as, and its bytes. */
  readonly stored?: { readonly type: string; readonly bytes: number; readonly isQuantised: boolean } | undefined;
}

export interface RouteFacts {
  readonly base: RouteBase;
  readonly adapters: readonly RouteAdapter[];
  /** Undefined where no server answered: the newest is assumed, and the answer says so. */
  readonly ollamaVersion?: string | undefined;
  /** Builds of base and adapters together, by type; where fusing is refused, the reason. */
  readonly fused: { readonly builds: readonly RouteBuild[]; readonly problem?: ErrorJson | undefined };
  /** Builds of the base alone, for the routes that keep the adapter apart. */
  readonly plain: { readonly builds: readonly RouteBuild[]; readonly problem?: ErrorJson | undefined };
  /** The type that the user asks for; undefined to let the planner choose. */
  readonly wantedType?: FileTypeName | undefined;
}
