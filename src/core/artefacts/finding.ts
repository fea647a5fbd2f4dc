import type { Adapter } from '../formats/adapters/adapter';
import type { BaseTensorShape } from '../formats/adapters/baseTensorShape';
import type { Artefact } from './artefact';
import type { BuildRecord } from './buildRecordFacts';
import type { FolderFacts } from './folderFacts';
import type { TrainerState } from './trainerState';

/** An artefact on its way, with what its lineage is told from. */
export interface Finding {
  readonly artefact: Artefact;
  readonly adapter?: Adapter | undefined;
  readonly model?: ModelShapes | undefined;
  readonly record?: BuildRecord | undefined;
  /** Tensor shapes of a GGUF model or adapter, by name, fastest dimension first. */
  readonly ggufShapes?: ReadonlyMap<string, readonly number[]> | undefined;
  /** Of its folder. */
  readonly identity?: string | undefined;
}

/** The weights of a model folder as an adapter is held against them. */
export interface ModelShapes {
  /** By canonical name, dequantised. */
  readonly tensors: ReadonlyMap<string, BaseTensorShape>;
  /** Canonical names of weights whose shard is missing. */
  readonly absent: ReadonlySet<string>;
  readonly isPacked: boolean;
}

/** What a folder holds: its own artefacts, and (for its parent) the state that its training had reached. */
export interface FolderFindings {
  readonly folder: FolderFacts;
  readonly findings: readonly Finding[];
  readonly state?: TrainerState | undefined;
}
