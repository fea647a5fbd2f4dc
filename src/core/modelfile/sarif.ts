import type { Diagnostic } from './diagnostic';
import { DIAGNOSTICS } from './diagnosticCodes';
import { type Severity } from './diagnostics/diagnosticInfo';
import { LineIndex } from './lineIndex';

/** A file with what was found in it. */
export interface LintedFile {
  /** As the user gave it. */
  readonly path: string;
  readonly text: string;
  readonly diagnostics: readonly Diagnostic[];
  /** Why the file could not be looked at. */
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

const LEVELS: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = {
  error: 'error',
  warning: 'warning',
  information: 'note',
  hint: 'note',
};

/**
 * The findings as a SARIF 2.1.0 log with one run; rules are the codes of the table, fixes are replacements.
 * @param judged the words about which Ollama the files were judged for
 */
export function sarifLog(files: readonly LintedFile[], judged: string): unknown {
  const codes = Object.keys(DIAGNOSTICS) as (keyof typeof DIAGNOSTICS)[];
  const index = new Map(codes.map((code, i) => [code, i]));
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'modelfile-studio',
            rules: codes.map((code) => ({
              id: code,
              defaultConfiguration: { level: LEVELS[DIAGNOSTICS[code].severity] },
              shortDescription: { text: DIAGNOSTICS[code].message },
              fullDescription: { text: DIAGNOSTICS[code].documentation },
              help: { text: DIAGNOSTICS[code].documentation, markdown: DIAGNOSTICS[code].documentation },
            })),
          },
        },
        invocations: [
          {
            executionSuccessful: files.every(({ error }) => error === undefined),
            toolExecutionNotifications: files.flatMap(({ path, error }) =>
              error === undefined ? [] : [notification(path, error)],
            ),
          },
        ],
        columnKind: 'utf16CodeUnits',
        properties: { ollama: judged },
        artifacts: files.map(({ path }) => ({ location: { uri: toUri(path) } })),
        results: files.flatMap((file) => fileResults(file, index)),
      },
    ],
  };
}

/** A file that was not looked at is no finding, and must not be taken for a clean one. */
function notification(path: string, { code, message }: { readonly code: string; readonly message: string }): unknown {
  return {
    level: 'error',
    descriptor: { id: code },
    message: { text: message },
    locations: [{ physicalLocation: { artifactLocation: { uri: toUri(path) } } }],
  };
}

/** A relative reference, or a file URI for an absolute path. */
function toUri(path: string): string {
  const plain = path.replaceAll('\\', '/');
  const encoded = plain.split('/').map(encodeURIComponent).join('/');
  if (plain.startsWith('/')) {
    return `file://${encoded}`;
  }
  return /^[A-Za-z]:\//.test(plain) ? `file:///${encoded.replace('%3A', ':')}` : encoded;
}

function fileResults({ path, text, diagnostics }: LintedFile, index: ReadonlyMap<string, number>): unknown[] {
  const lines = new LineIndex(text);
  const region = ({ start, end }: { readonly start: number; readonly end: number }): unknown => {
    const range = lines.range(start, end);
    return {
      startLine: range.start.line + 1,
      startColumn: range.start.character + 1,
      endLine: range.end.line + 1,
      endColumn: range.end.character + 1,
    };
  };
  const artifactLocation = { uri: toUri(path) };
  return diagnostics
    .map(({ code, severity, message, span, fixes: all }) => ({
      code,
      severity,
      message,
      span,
      fixes: all.filter(({ build }) => build === undefined),
    }))
    .map(({ code, severity, message, span, fixes }) => ({
      ruleId: code,
      ruleIndex: index.get(code) ?? -1,
      level: LEVELS[severity],
      message: { text: message },
      locations: [{ physicalLocation: { artifactLocation, region: region(span) } }],
      ...(fixes.length === 0
        ? {}
        : {
            fixes: fixes.map((fix) => ({
              description: { text: fix.title },
              artifactChanges: [
                {
                  artifactLocation,
                  replacements: fix.edits.map((edit) => ({
                    deletedRegion: region(edit.span),
                    ...(edit.newText === '' ? {} : { insertedContent: { text: edit.newText } }),
                  })),
                },
              ],
            })),
          }),
    }));
}
