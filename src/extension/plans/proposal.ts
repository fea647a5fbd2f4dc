import type { JobSpec } from '../jobs/job';

/** What a command would do once its plan is accepted. */
export interface Proposal {
  /** The job that *Run* begins; without `--force`, which *Run* adds when the user agrees to replace. */
  readonly job: JobSpec;
  /** The command line that answers with the plan: `text`, `warnings`. It writes nothing. */
  readonly planArgs: readonly string[];
  /** For an answer that says little: the command line whose plan tells the rest. Its text comes first. */
  readonly detail?: ((answer: unknown) => readonly string[] | undefined) | undefined;
  /** What it reads and writes, for the list of files: label and absolute path. */
  readonly files: readonly (readonly [label: string, path: string])[];
  /** What happens after the engine is done, one sentence a line. */
  readonly then: readonly string[];
  /** The command that asks again for the type, with everything else as it was chosen. */
  readonly change?: { readonly command: string; readonly request: unknown } | undefined;
  /** True where the command takes `--force` to replace what exists. */
  readonly canReplace: boolean;
}

/** How far the plan of a proposal is. */
export type PlanState =
  | { readonly kind: 'planning' }
  | { readonly kind: 'ready'; readonly text: string; readonly exists: boolean }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'started'; readonly text: string; readonly jobId: string };
