import type { DiagnosticInfo } from './diagnostics/diagnosticInfo';
import { PROMPT_DIAGNOSTICS } from './diagnostics/promptDiagnostics';
import { SOURCE_DIAGNOSTICS } from './diagnostics/sourceDiagnostics';
import { TEMPLATE_DIAGNOSTICS } from './diagnostics/templateDiagnostics';
import { TEXT_DIAGNOSTICS } from './diagnostics/textDiagnostics';

/**
 * Every diagnostic of the language server and of `lint`. An error is what Ollama 0.32.15 refuses from the text alone
 * (`parser.ParseFile`, the value checks of `CreateRequest`, `template.Parse`), or what makes its server panic.
 * `language-server/VALIDATOR.md` is generated from this table.
 */
export const DIAGNOSTICS = {
  ...TEXT_DIAGNOSTICS,
  ...SOURCE_DIAGNOSTICS,
  ...PROMPT_DIAGNOSTICS,
  ...TEMPLATE_DIAGNOSTICS,
} as const satisfies Record<string, DiagnosticInfo>;

export type DiagnosticCode = keyof typeof DIAGNOSTICS;

export function isDiagnosticCode(text: string): text is DiagnosticCode {
  return Object.hasOwn(DIAGNOSTICS, text);
}
