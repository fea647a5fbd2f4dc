export const SEVERITIES = ['error', 'warning', 'information', 'hint'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** One kind of finding. */
export interface DiagnosticInfo {
  readonly severity: Severity;
  /** The message, with `{name}` where facts are filled in. It says what is wrong and what to do. */
  readonly message: string;
  /** Why it matters, in Markdown. */
  readonly documentation: string;
}

export const error = (message: string, documentation: string): DiagnosticInfo => ({
  severity: 'error',
  message,
  documentation,
});
export const warning = (message: string, documentation: string): DiagnosticInfo => ({
  severity: 'warning',
  message,
  documentation,
});
export const information = (message: string, documentation: string): DiagnosticInfo => ({
  severity: 'information',
  message,
  documentation,
});
export const hint = (message: string, documentation: string): DiagnosticInfo => ({
  severity: 'hint',
  message,
  documentation,
});
