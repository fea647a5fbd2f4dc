import type { Diagnostic } from './diagnostic';
import { DIAGNOSTICS, type Severity } from './diagnosticCodes';
import { LineIndex } from './lineIndex';

/** A file with what was found in it. */
export interface LintedFile {
  /** As the user gave it. */
  readonly path: string;
  readonly text: string;
  readonly diagnostics: readonly Diagnostic[];
}

const LEVELS: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = { error: 'error', warning: 'warning', information: 'note', hint: 'note' };

/** The findings as a SARIF 2.1.0 log with one run; rules are the codes of the table, fixes are replacements. */
export function sarifLog(files: readonly LintedFile[]): unknown {
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
            })),
          },
        },
        columnKind: 'utf16CodeUnits',
        artifacts: files.map(({ path }) => ({ location: { uri: toUri(path) } })),
        results: files.flatMap((file) => fileResults(file, index)),
      },
    ],
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
    return { startLine: range.start.line + 1, startColumn: range.start.character + 1, endLine: range.end.line + 1, endColumn: range.end.character + 1 };
  };
  const artifactLocation = { uri: toUri(path) };
  return diagnostics.map(({ code, severity, message, span, fixes }) => ({
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
                replacements: fix.edits.map((edit) => ({ deletedRegion: region(edit.span), ...(edit.newText === '' ? {} : { insertedContent: { text: edit.newText } }) })),
              },
            ],
          })),
        }),
  }));
}
