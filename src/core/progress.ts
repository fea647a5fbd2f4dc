/** Long work is an `AsyncGenerator<EngineEvent, Result>`: events while it runs, one result at its end. */
export type EngineEvent =
  | { readonly event: 'phase'; readonly phase: EnginePhase; readonly detail?: string }
  | {
      readonly event: 'progress';
      /** Bytes of output made so far, and in all. */
      readonly bytesDone: number;
      readonly bytesTotal: number;
      readonly tensorsDone: number;
      readonly tensorsTotal: number;
      /** The tensor at work. */
      readonly tensor: string;
      /** Output bytes a second over the last seconds; 0 until known. */
      readonly rate: number;
      /** Seconds; undefined until known. */
      readonly secondsLeft?: number;
    }
  | { readonly event: 'warning'; readonly code: string; readonly message: string };

export type EnginePhase = 'planning' | 'checking' | 'resuming' | 'running' | 'verifying' | 'finishing' | OllamaPhase;

/** What happens between here and an Ollama server. */
export type OllamaPhase = 'hashing' | 'uploading' | 'creating' | 'downloading' | 'answering';
