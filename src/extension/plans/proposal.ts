import * as z from 'zod/mini';
import { JOB_SPEC } from '../jobs/job';

/** What can be chosen anew on the page of a plan, in the order of its buttons. */
export const CHANGE_FIELDS = ['base', 'adapters', 'type', 'name', 'out'] as const;
export type ChangeField = (typeof CHANGE_FIELDS)[number];

const TEXTS = z.array(z.string());

/** What a command would do once its plan is accepted. Survives a reload of the window. */
export const PROPOSAL = z.object({
  /** The job that *Run* begins; without `--force`, which *Run* adds when the user agrees to replace. */
  job: JOB_SPEC,
  /** The command line that answers with the plan: `text`, `warnings`. It writes nothing. */
  planArgs: TEXTS,
  /** For an answer that says little: what the engine is asked to plan for the rest. Its text comes first. */
  detail: z.optional(z.object({ base: z.string(), adapters: TEXTS, name: z.string() })),
  /** What it reads and writes, for the list of files: label and absolute path. */
  files: z.array(z.tuple([z.string(), z.string()])),
  /** What happens after the engine is done, one sentence a line. */
  then: TEXTS,
  /** The command that asks for one thing again, with everything else as it was chosen; without `fields` the type. */
  change: z.optional(
    z.object({
      command: z.string(),
      request: z.record(z.string(), z.unknown()),
      fields: z.optional(z.array(z.enum(CHANGE_FIELDS))),
    }),
  ),
  /** What keeps the files that are otherwise made for a time: arguments, and the Modelfile that they name. */
  keep: z.optional(z.object({ args: TEXTS, modelfile: z.string() })),
  /** True where the command takes `--force` to replace what exists. */
  canReplace: z.boolean(),
});

type Loose = z.infer<typeof PROPOSAL>;

export interface Proposal extends Readonly<Omit<Loose, 'files' | 'planArgs' | 'then'>> {
  readonly planArgs: readonly string[];
  readonly files: readonly (readonly [label: string, path: string])[];
  readonly then: readonly string[];
}

/** How far the plan of a proposal is. */
export const PLAN_STATE = z.union([
  z.object({ kind: z.literal('planning') }),
  z.object({ kind: z.literal('ready'), text: z.string(), exists: z.boolean() }),
  z.object({ kind: z.literal('refused'), code: z.string(), message: z.string() }),
  z.object({ kind: z.literal('started'), text: z.string(), jobId: z.string() }),
]);

export type PlanState = Readonly<z.infer<typeof PLAN_STATE>>;
