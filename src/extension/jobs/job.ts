import * as z from 'zod/mini';

export const JOB_KINDS = [
  'build',
  'create',
  'fuse',
  'convert',
  'convert-adapter',
  'quantize',
  'verify',
  'compare',
  'pull',
  'push',
  'other',
] as const;

/** What a job runs: a command line of ours, and what is said about it. Survives a reload of the window. */
export const JOB_SPEC = z.object({
  kind: z.enum(JOB_KINDS),
  /** Verb and object: `Build rugby.Q4_K_M.gguf`. */
  title: z.string().check(z.minLength(1), z.maxLength(400)),
  /** The command line without `--json`; paths are absolute. */
  args: z.array(z.string()).check(z.minLength(1), z.maxLength(1000)),
  /** Command lines that follow when the one before succeeded; part of the same job. */
  next: z.optional(z.array(z.array(z.string())).check(z.maxLength(4))),
  cwd: z.optional(z.string()),
  /** Absolute path of the file or folder that it makes. */
  output: z.optional(z.string()),
  /** Name of the model that it makes in Ollama. */
  model: z.optional(z.string()),
  /** Absolute path of the artefact that the model is made from. */
  from: z.optional(z.string()),
  /** The Modelfile that names the result once it is there, in the place of what FROM says now. */
  modelfile: z.optional(z.object({ path: z.string(), base: z.string() })),
});

export type JobSpec = Readonly<z.infer<typeof JOB_SPEC>>;
export type JobKind = JobSpec['kind'];

/** `interrupted`: the window was closed or reloaded while it ran; it can be resumed. */
export const JOB_STATES = ['queued', 'running', 'done', 'failed', 'cancelled', 'interrupted'] as const;
export type JobState = (typeof JOB_STATES)[number];

export interface JobProgress {
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Bytes a second; 0 until known. */
  readonly rate: number;
  readonly secondsLeft?: number | undefined;
  /** The tensor, layer or file at work. */
  readonly at?: string | undefined;
}

/** One job as it is now; a change makes a new object. Times are milliseconds since 1970. */
export interface Job {
  readonly id: string;
  readonly spec: JobSpec;
  readonly state: JobState;
  readonly created: number;
  readonly started?: number | undefined;
  readonly ended?: number | undefined;
  readonly phase?: string | undefined;
  readonly progress?: JobProgress | undefined;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  /** The command's JSON answer; after a reload only what its line says of it. */
  readonly result?: unknown;
  /** What happened, oldest first, each with its time. */
  readonly log: readonly string[];
}

/** What is kept of a job over a reload. */
export const STORED_JOB = z.object({
  id: z.string(),
  spec: JOB_SPEC,
  state: z.enum(JOB_STATES),
  created: z.number(),
  started: z.optional(z.number()),
  ended: z.optional(z.number()),
  error: z.optional(z.object({ code: z.string(), message: z.string() })),
  result: z.optional(z.object({ bytes: z.optional(z.number()), answer: z.optional(z.string()) })),
  log: z.array(z.string()),
});

/** True for a job that has come to an end, good or bad. */
export function isOver(job: Job): boolean {
  return job.state !== 'queued' && job.state !== 'running';
}
