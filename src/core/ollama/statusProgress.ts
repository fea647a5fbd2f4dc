import type { EngineEvent, OllamaPhase } from '../progress';

/** Blobs of one model; a server that announces new ones without end fills no memory. */
const MAX_BLOBS = 10_000;

/** Measures a rate from readings of bytes done and in all. */
export interface Meter {
  measure(bytes: number, total: number): { readonly rate: number; readonly secondsLeft: number | undefined };
}

/** A status line of `create`, `pull` or `push`. */
export interface StatusLine {
  readonly status: string;
  readonly digest?: string | undefined;
  readonly total?: number | undefined;
  readonly completed?: number | undefined;
}

/** Status lines as events: a phase for every new status, and progress over all blobs seen so far. */
export class StatusProgress {
  private readonly blobs = new Map<string, { readonly total: number; readonly completed: number }>();
  private last = '';

  constructor(
    private readonly phase: OllamaPhase,
    private readonly meter: Meter,
  ) {}

  *events({ status, digest, total, completed }: StatusLine): Generator<EngineEvent> {
    if (status !== this.last) {
      this.last = status;
      yield { event: 'phase', phase: this.phase, detail: status };
    }
    const key = digest ?? status;
    if (total === undefined || total === 0 || (this.blobs.size >= MAX_BLOBS && !this.blobs.has(key))) {
      return;
    }
    this.blobs.set(key, { total, completed: Math.min(completed ?? 0, total) });
    let bytesTotal = 0;
    let bytesDone = 0;
    for (const blob of this.blobs.values()) {
      bytesTotal += blob.total;
      bytesDone += blob.completed;
    }
    const { rate, secondsLeft } = this.meter.measure(bytesDone, bytesTotal);
    yield {
      event: 'progress',
      bytesDone,
      bytesTotal,
      tensorsDone: 0,
      tensorsTotal: 0,
      tensor: status,
      rate,
      ...(secondsLeft === undefined ? {} : { secondsLeft }),
    };
  }
}
