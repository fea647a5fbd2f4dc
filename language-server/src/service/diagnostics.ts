import { DiagnosticSeverity, DiagnosticTag, type Diagnostic } from 'vscode-languageserver-types';
import type { Diagnostic as Finding } from '../../../src/core/modelfile/diagnostic';
import type { DiagnosticCode } from '../../../src/core/modelfile/diagnosticCodes';
import type { Severity } from '../../../src/core/modelfile/diagnostics/diagnosticInfo';
import { lintModelfile, lintText } from '../../../src/core/modelfile/lintModelfile';
import type { WorkspaceFacts } from '../../../src/core/modelfile/workspaceFacts';
import type { ModelfileDocument } from './modelfileDocument';

export const DIAGNOSTIC_SOURCE = 'modelfile';

/** Severity by code, as the user set it. */
export type Severities = ReadonlyMap<DiagnosticCode, Severity | 'off'>;

const SEVERITIES: Readonly<Record<Severity, DiagnosticSeverity>> = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  information: DiagnosticSeverity.Information,
  hint: DiagnosticSeverity.Hint,
};

/** Everything that is found in a document, from its text and from what it names. */
export async function computeDiagnostics(
  document: ModelfileDocument,
  facts: WorkspaceFacts,
  severities?: Severities,
  signal?: AbortSignal,
): Promise<Diagnostic[]> {
  return (await lintModelfile(document.parsed, { facts, severities, signal })).map((finding) =>
    toDiagnostic(document, finding),
  );
}

/** What the text alone tells, at once. */
export function computeTextDiagnostics(document: ModelfileDocument, severities?: Severities): Diagnostic[] {
  return lintText(document.parsed, { severities }).map((finding) => toDiagnostic(document, finding));
}

function toDiagnostic(document: ModelfileDocument, { code, severity, message, span, tag }: Finding): Diagnostic {
  return {
    range: document.range(span),
    severity: SEVERITIES[severity],
    code,
    source: DIAGNOSTIC_SOURCE,
    message,
    ...(tag === undefined
      ? {}
      : { tags: [tag === 'deprecated' ? DiagnosticTag.Deprecated : DiagnosticTag.Unnecessary] }),
  };
}

/** The same diagnostics, each code with a link to the page that explains it. */
export function withPages(diagnostics: readonly Diagnostic[], pages: ReadonlyMap<string, string>): Diagnostic[] {
  return diagnostics.map((diagnostic) => {
    const href = pages.get(String(diagnostic.code));
    return href === undefined ? diagnostic : { ...diagnostic, codeDescription: { href } };
  });
}
