/** Decides what differs between Ollama's executions of a template. */
export interface EvaluationOptions {
  /** `missingkey=zero`: a key that a map lacks is the zero of its type, not the invalid value. */
  readonly missingKeyIsZero: boolean;
  /** Whether a function of this name exists. */
  readonly isDefined: (name: string) => boolean;
}
