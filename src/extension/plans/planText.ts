import { escapeControls } from '../../core/escapeControls';
import { commandText } from './commandText';
import type { PlanState, Proposal } from './proposal';

const INDENT = ' '.repeat(10);

/** A plan as a page to read: what is done with what, the files, and the same as a command. Lines end in `\n`. */
export function planText(proposal: Proposal, state: PlanState, platform: NodeJS.Platform): string {
  const { job, files, then } = proposal;
  const width = Math.max(0, ...files.map(([label]) => label.length)) + 2;
  const exists = state.kind === 'ready' && state.exists;
  const named = files.map(
    ([label, path]) =>
      `  ${label.padEnd(width)}${escapeControls(path)}${exists && path === job.output ? '  (exists: Run asks before it is replaced)' : ''}`,
  );
  return [
    escapeControls(job.title),
    '',
    ...body(state),
    ...then.map((sentence, index) => `${(index === 0 ? 'Then' : '').padEnd(INDENT.length)}${escapeControls(sentence)}`),
    '',
    ...(named.length === 0 ? [] : ['Files', ...named, '']),
    'In a terminal',
    `  ${escapeControls(commandText('modelfile-studio', job.args, platform))}`,
    '',
  ].join('\n');
}

function body(state: PlanState): readonly string[] {
  switch (state.kind) {
    case 'planning':
      return ['Planning…'];
    case 'refused':
      return [`Refused   ${state.code}`, ...wrap(state.message).map((line) => `${INDENT}${line}`)];
    case 'ready':
    case 'started':
      // The engine puts all checks into one line, for a terminal; a page has room below.
      return state.text
        .split('\n')
        .map((line) => line.replace(/^Checks +/, 'Checks    ').replaceAll(/(?<=\S) {3}✓ /g, `\n${INDENT}✓ `));
  }
}

/** Lines of up to some 100 characters, broken between words. */
function wrap(text: string): readonly string[] {
  const lines = [''];
  for (const word of escapeControls(text).split(' ')) {
    const last = lines.at(-1)!;
    if (last !== '' && last.length + word.length > 100) {
      lines.push(word);
    } else {
      lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
    }
  }
  return lines;
}
