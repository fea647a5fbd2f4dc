import {
  CodeActionKind,
  type CodeAction,
  type Command,
  type Diagnostic,
  type Range,
  type TextEdit,
} from 'vscode-languageserver-types';
import { fixAll } from '../../../src/core/modelfile/applyFixes';
import type { BuildRequest, Diagnostic as Finding, TextEdit as CoreEdit } from '../../../src/core/modelfile/diagnostic';
import { lintModelfile } from '../../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../../src/core/modelfile/parseModelfile';
import type { WorkspaceFacts } from '../../../src/core/modelfile/workspaceFacts';
import { DIAGNOSTIC_SOURCE, type Severities } from './diagnostics';
import type { ModelfileDocument } from './modelfileDocument';

export const FIX_ALL_KIND = `${CodeActionKind.SourceFixAll}.modelfile`;

export interface CodeActionRequest {
  readonly range: Range;
  /** What the editor shows there. */
  readonly diagnostics: readonly Diagnostic[];
  /** Kinds that are wanted; all when undefined. */
  readonly only?: readonly string[] | undefined;
  /** The editor knows `BUILD_COMMAND`: fixes that build are offered. */
  readonly canBuild?: boolean | undefined;
  /** The editor knows `COMPARE_COMMAND`: *Show Differences* is offered. */
  readonly canCompare?: boolean | undefined;
}

/** The command of an editor that shows the prompts of a TEMPLATE beside the model's own; its argument is the Modelfile's URI. */
export const COMPARE_COMMAND = 'modelfileStudio.showTemplateDifferences';

/** The command of an editor that builds a GGUF and puts it into a Modelfile; its argument is a `BuildArgument`. */
export const BUILD_COMMAND = 'modelfileStudio.buildForModelfile';

export interface BuildArgument extends BuildRequest {
  /** Of the Modelfile. */
  readonly uri: string;
}

function buildCommand(title: string, uri: string, build: BuildRequest): Command {
  const argument: BuildArgument = { uri, ...build };
  return { title, command: BUILD_COMMAND, arguments: [argument] };
}

/** Fixes for what is found in a range, all sure fixes of the file, and a comment that silences. */
export async function computeCodeActions(
  document: ModelfileDocument,
  request: CodeActionRequest,
  facts: WorkspaceFacts,
  severities?: Severities,
  signal?: AbortSignal,
): Promise<CodeAction[]> {
  const findings = await lintModelfile(document.parsed, { facts, severities, signal });
  const actions: CodeAction[] = [];
  if (isWanted(request, CodeActionKind.QuickFix)) {
    const start = document.offset(request.range.start);
    const end = document.offset(request.range.end);
    for (const finding of findings.filter(({ span }) => span.start <= end && start <= span.end)) {
      addActions(actions, quickFixes(document, finding, request));
    }
  }
  if (isWanted(request, FIX_ALL_KIND)) {
    const edits = await allSureEdits(document, findings, facts, severities, signal);
    if (edits.length > 0) {
      actions.push({ title: 'Apply all sure fixes', kind: FIX_ALL_KIND, edit: workspaceEdit(document, edits) });
    }
  }
  return actions;
}

/** What `lint --fix` does. One round stays as it is, several become one edit of what differs. */
async function allSureEdits(
  document: ModelfileDocument,
  findings: readonly Finding[],
  facts: WorkspaceFacts,
  severities: Severities | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly CoreEdit[]> {
  const { text } = document.parsed;
  const fixed = await fixAll(text, findings, (next) =>
    lintModelfile(parseModelfile(next), { facts, severities, signal }),
  );
  return fixed.text === text ? [] : (fixed.edits ?? [difference(text, fixed.text)]);
}

/** One edit of the lines that differ. */
function difference(from: string, to: string): CoreEdit {
  let start = 0;
  while (start < from.length && from[start] === to[start]) {
    start += 1;
  }
  start = Math.max(from.lastIndexOf('\n', start - 1) + 1, 0);
  let end = 0;
  while (end < Math.min(from.length, to.length) - start && from[from.length - 1 - end] === to[to.length - 1 - end]) {
    end += 1;
  }
  const lineEnd = from.indexOf('\n', from.length - end);
  end = lineEnd < 0 ? 0 : from.length - lineEnd - 1;
  return { span: { start, end: from.length - end }, newText: to.slice(start, to.length - end) };
}

function isWanted({ only }: CodeActionRequest, kind: string): boolean {
  return only === undefined || only.some((wanted) => kind === wanted || kind.startsWith(`${wanted}.`));
}

/** A build is offered once, whatever findings of a line it would mend. */
function addActions(actions: CodeAction[], more: readonly CodeAction[]): void {
  for (const action of more) {
    const known =
      action.command === undefined
        ? -1
        : actions.findIndex(({ command }) => command?.command === action.command?.command);
    const same = actions[known];
    if (same === undefined) {
      actions.push(action);
    } else {
      actions[known] = { ...same, diagnostics: [...(same.diagnostics ?? []), ...(action.diagnostics ?? [])] };
    }
  }
}

function quickFixes(document: ModelfileDocument, finding: Finding, request: CodeActionRequest): CodeAction[] {
  const range = document.range(finding.span);
  const shown = request.diagnostics.filter(
    ({ code, source, range: at }) =>
      source === DIAGNOSTIC_SOURCE && code === finding.code && at.start.line === range.start.line,
  );
  const common = { kind: CodeActionKind.QuickFix, diagnostics: shown };
  return [
    ...finding.fixes.flatMap((fix): CodeAction[] => {
      if (fix.build === undefined) {
        return [{ ...common, title: fix.title, isPreferred: fix.isSure, edit: workspaceEdit(document, fix.edits) }];
      }
      return request.canBuild === true
        ? // It opens a plan: nothing is done by it yet.
          [
            {
              ...common,
              title: fix.title,
              isPreferred: true,
              command: buildCommand(fix.title, document.uri, fix.build),
            },
          ]
        : [];
    }),
    ...(finding.isCompared === true && request.canCompare === true
      ? [
          {
            ...common,
            title: 'Show Differences',
            command: { title: 'Show Differences', command: COMPARE_COMMAND, arguments: [document.uri] },
          },
        ]
      : []),
    {
      ...common,
      title: `Ignore ${finding.code} here`,
      edit: workspaceEdit(document, [ignoreComment(document, finding)]),
    },
  ];
}

/** A comment above the instruction that the finding belongs to; within a value no comment can stand. */
function ignoreComment(document: ModelfileDocument, { code, span }: Finding): CoreEdit {
  const owner = document.parsed.instructions.find(
    (instruction) => instruction.span.start <= span.start && span.start <= instruction.span.end,
  );
  const at = document.lines.lineStart(document.lines.position(owner?.span.start ?? span.start).line);
  return { span: { start: at, end: at }, newText: `# modelfile-studio: ignore ${code}${document.context.newline}` };
}

function workspaceEdit(
  document: ModelfileDocument,
  edits: readonly CoreEdit[],
): { changes: Record<string, TextEdit[]> } {
  return { changes: { [document.uri]: edits.map(({ span, newText }) => ({ range: document.range(span), newText })) } };
}
