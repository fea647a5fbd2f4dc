import { BAD_PATTERN } from '../../golang/pathPattern';
import { behaviour } from '../../ollama/ollamaBehaviours';
import { judgedFor, lastBefore } from '../../ollama/ollamaProfile';
import { edit, fix } from '../diagnostic';
import type { Entry, LintContext } from '../lintContext';

/** FROM or DRAFT is a pattern that Go finds malformed: an error where the version is known. */
export function badPattern(context: LintContext, entry: Entry, inFolder: boolean): void {
  const { profile } = context;
  const { args } = entry.command;
  const { span } = entry.value;
  const where = span.start < span.end ? span : entry.instruction.keywordSpan;
  const what = inFolder ? 'the folder of this file, with the path,' : args;
  const escaped = args.replace(/[[\\]/g, '\\$&');
  const fixes = inFolder || escaped === args ? [] : [fix(`Write ${escaped}`, false, edit(span, escaped))];
  context.report(
    'modelfile/from-pattern',
    where,
    {
      instruction: entry.instruction.keyword ?? 'FROM',
      what,
      says: BAD_PATTERN,
      since: behaviour('fromGlobs').since,
      advice: inFolder
        ? 'Move the file to a folder without brackets in its name.'
        : 'Write a backslash before each bracket and backslash (not on Windows).',
      judged: judgedFor(profile),
    },
    { fixes, severity: profile.isAssumed ? 'warning' : 'error' },
  );
}

/** What Ollama would make of a path that nothing is at: why a pattern does not help. Undefined for what is none. */
export function patternReason(context: LintContext, args: string): string | undefined {
  if (!/[*?[]/.test(args)) {
    return undefined;
  }
  const { since = '' } = behaviour('fromGlobs');
  return context.profile.does('fromGlobs')
    ? 'No file matches this pattern, and Ollama then takes it for the name of a model.'
    : `Ollama takes paths for patterns since ${since} only; ${lastBefore(since) ?? 'an older one'} and before take * ? and [ as they stand (${judgedFor(context.profile)}). Write one FROM for each file.`;
}
