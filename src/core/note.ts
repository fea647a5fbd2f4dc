/** What a person should know of a file, a plan or a model, beside what is refused. */
export interface Note {
  /** Stable, for programs: `adapter/tied-embedding`. */
  readonly code: string;
  /** A sentence or two, for people. */
  readonly message: string;
}
