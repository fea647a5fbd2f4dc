import { ERROR_CODES, type ErrorCode } from './errorCodes';

/** Where an error happened; all fields are optional and shown to the user as given. */
export interface ErrorContext {
  /** The path as the user gave it, or of the file inside a folder that the user gave. */
  readonly path?: string | undefined;
  /** 1-based line of a text file. */
  readonly line?: number | undefined;
  /** Facts for machines: offsets, expected and found values. Must survive JSON.stringify. */
  readonly detail?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
}

/** The shape of an error in every `--json` answer and in every message between processes. */
export interface ErrorJson {
  readonly code: string;
  readonly message: string;
  readonly path?: string;
  readonly line?: number;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/**
 * The one error family of the product. `code` is stable and listed in {@link ERROR_CODES};
 * `message` says what happened and what to do next, in that order.
 */
export class StudioError extends Error {
  readonly code: ErrorCode;
  readonly path: string | undefined;
  readonly line: number | undefined;
  readonly detail: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.name = 'StudioError';
    this.code = code;
    this.path = context.path;
    this.line = context.line;
    this.detail = context.detail;
  }

  /** The same error, told to be about `path` unless it already names one. */
  at(path: string): StudioError {
    if (this.path !== undefined) {
      return this;
    }
    return new StudioError(this.code, this.message, { path, line: this.line, detail: this.detail, cause: this.cause });
  }

  toJSON(): ErrorJson {
    return {
      code: this.code,
      message: this.message,
      ...(this.path === undefined ? {} : { path: this.path }),
      ...(this.line === undefined ? {} : { line: this.line }),
      ...(this.detail === undefined ? {} : { detail: this.detail }),
    };
  }

  /** Rebuilds an error that crossed a process or worker boundary as JSON. */
  static fromJSON(json: ErrorJson): StudioError {
    const code = Object.hasOwn(ERROR_CODES, json.code) ? (json.code as ErrorCode) : 'internal/unexpected';
    return new StudioError(code, json.message, { path: json.path, line: json.line, detail: json.detail });
  }
}

/** Any thrown value as a StudioError; what is not ours becomes `internal/unexpected` and counts as a bug. */
export function toStudioError(thrown: unknown): StudioError {
  if (thrown instanceof StudioError) {
    return thrown;
  }
  if (thrown instanceof Error && thrown.name === 'AbortError') {
    return new StudioError('run/cancelled', 'Cancelled. Nothing was left under the final name.', { cause: thrown });
  }
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new StudioError(
    'internal/unexpected',
    `Something unforeseen happened: ${text}. Please report it with the command that led here.`,
    {
      cause: thrown,
    },
  );
}

/** Throws `run/cancelled` if the signal was aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new StudioError('run/cancelled', 'Cancelled. Nothing was left under the final name.');
  }
}
