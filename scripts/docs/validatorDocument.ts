import { DIAGNOSTICS, type DiagnosticCode } from '../../src/core/modelfile/diagnosticCodes';
import { SEVERITIES, type DiagnosticInfo, type Severity } from '../../src/core/modelfile/diagnostics/diagnosticInfo';
import { availabilityText } from '../../src/core/ollama/ollamaProfile';
import { KNOWN_VERSIONS, NEWEST_KNOWN } from '../../src/core/ollama/ollamaTable';
import { FINDING_VERSIONS, versionTables } from './findingVersions';
import { DIAGNOSTIC_EXAMPLES } from './diagnosticExamples';

const TITLES: Readonly<Record<Severity, string>> = {
  error: 'Errors',
  warning: 'Warnings',
  information: 'Information',
  hint: 'Hints',
};

const HEAD = `# What is checked in a Modelfile

<!-- Generated from src/core/modelfile/diagnosticCodes.ts by scripts/docs/write-validator.mjs. Do not edit. -->

## The contract

Ollama is the oracle: the version that counts, up to ${NEWEST_KNOWN}. The parser and the templates of 0.32.15 and of ${NEWEST_KNOWN}, built with Go 1.26,
are held against theirs.

- **An error that is reported on a text that Ollama accepts is a bug, and so is silence on a text that it rejects.** Errors are what
  \`parser.ParseFile\`, the value checks of \`CreateRequest\` and \`template.Parse\` refuse from the text alone.
- One more thing is an error: a template that Ollama accepts and that makes its server panic at every chat.
- What depends on files, on the base model or on the server is a warning that names a way that works.
- Warnings, information and hints are ours. They can be wrong; tell us.

## Which Ollama

The version that counts is the one of \`--ollama-version\` or the setting \`ollama.version\`; else that of the running server; else that of the
installed program (\`ollama --version\`); else ${NEWEST_KNOWN}, the newest that is known. Every finding that depends on it says which. What \`ollama create\` of
that version refuses and \`modelfile-studio create\` makes all the same (ADAPTER, folders) is a warning on every version. An empty field: as long as
the releases were read, back to ${KNOWN_VERSIONS[0] ?? ''} and farther where its release notes say so.

${versionTables()}

The same rules run in the editor, in \`modelfile-language-server --stdio\` and in \`modelfile-studio lint\`.

## Silencing

\`# modelfile-studio: ignore CODE\` on the line above silences a code on that line, and within the value of the instruction that begins
there. Several codes are separated by spaces or commas, and \`modelfile/\` may be left out. The setting
\`modelfileStudio.diagnostics.severity\` maps codes to \`error\`, \`warning\`, \`information\`, \`hint\` or \`off\`.

## Settings

The language server asks for the section \`modelfileStudio\` (\`workspace/configuration\`), takes it from \`workspace/didChangeConfiguration\`, or once from \`initializationOptions.settings\`:

| setting | value |
|---|---|
| \`diagnostics.severity\` | an object: code to \`error\`, \`warning\`, \`information\`, \`hint\` or \`off\`; \`modelfile/\` may be left out |
| \`ollama.enabled\` | \`false\`: no Ollama is asked for installed models and its version. Default \`true\` |
| \`ollama.host\` | the Ollama to ask. Default: \`OLLAMA_HOST\`, else \`127.0.0.1:11434\` |
| \`ollama.version\` | the version to check against (\`0.20.0\`), whatever the server says |

\`initializationOptions.isTrusted: false\` keeps the server from looking at any file and from asking any Ollama; the notification \`modelfile/trust\` with \`{ "isTrusted": true }\` changes that later.
On the command line: \`lint --ollama-version V\`, and \`lint --ollama\` to ask the Ollama of \`OLLAMA_HOST\`; without it no server is asked.

## Fixes

A *sure* fix is right beyond doubt; \`lint --fix\` and "fix all" (\`source.fixAll.modelfile\`) apply it. The others are offered one by one.
`;

/** The text of language-server/VALIDATOR.md. */
export function validatorDocument(): string {
  const sections = SEVERITIES.map((severity) => {
    const entries = Object.entries<DiagnosticInfo>(DIAGNOSTICS).filter(([, info]) => info.severity === severity);
    return [
      `## ${TITLES[severity]}`,
      ...entries.map(
        ([code, info]) =>
          `### \`${code}\`\n\n> ${escape(info.message)}\n\n${info.documentation}${example(code as DiagnosticCode)}`,
      ),
    ].join('\n\n');
  });
  return `${HEAD}\n${sections.join('\n\n')}\n`;
}

/** A Modelfile with the finding, one without it, and since and until when it is so. */
function example(code: DiagnosticCode): string {
  const versions = availabilityText(FINDING_VERSIONS[code] ?? {});
  const version = versions === undefined ? '' : `\n\n${versions[0]?.toUpperCase() ?? ''}${versions.slice(1)}.`;
  const found = DIAGNOSTIC_EXAMPLES[code];
  if (found === undefined) {
    return version;
  }
  const { before, after, files } = found;
  const block = (text: string): string => `\n\n\`\`\`\`modelfile\n${text}\n\`\`\`\``;
  const beside = files === undefined ? '' : ` (beside it: ${files.replaceAll('<', '&lt;')})`;
  return `\n\nBefore${beside}:${block(before)}\n\nAfter:${block(after)}${version}`;
}

/** Braces are places for facts; angle brackets would be taken for HTML. */
function escape(message: string): string {
  return message.replace(/\{(\w+)\}/g, '*$1*').replaceAll('<', '&lt;');
}

/** The codes of `diagnostics.severity` as a JSON schema, for completion in the settings: each with what it says and its own severity. */
export function severityProperties(): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries<DiagnosticInfo>(DIAGNOSTICS).map(([code, { severity, documentation }]) => [
      code,
      {
        type: 'string',
        enum: [...SEVERITIES, 'off'],
        description: `${documentation} Without this setting: ${severity}.`,
      },
    ]),
  );
}
