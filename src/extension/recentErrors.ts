/** Errors that are remembered for a report. */
const MAX_ERRORS = 20;

const errors: { readonly time: string; readonly code: string; readonly message: string }[] = [];

/** Notes an error that was shown, for *Copy Diagnostics for an Issue*. */
export function noteError(code: string, message: string): void {
  errors.push({ time: new Date().toISOString(), code, message });
  errors.splice(0, Math.max(0, errors.length - MAX_ERRORS));
}

/** What was shown since the window began, oldest first. */
export function recentErrors(): readonly { readonly time: string; readonly code: string; readonly message: string }[] {
  return errors;
}
