import { escapeControls } from '../../core/escapeControls';
import { formatSeconds } from '../../core/formatBytes';
import { editorWords } from '../editorWords';
import type { Job } from '../jobs/job';
import { duration, outcome } from '../jobs/jobText';
import { commandText } from './commandText';
import type { Plan } from './planStore';
import type { PlanState } from './proposal';

const INDENT = ' '.repeat(10);

/** A plan as a page to read: what came of it, what is done with what, the files, and the same as a command. Lines end in `\n`. */
export function planText({ proposal, state, keeps }: Plan, platform: NodeJS.Platform, run?: Job): string {
  const { job, then, keep } = proposal;
  const kept = keep === undefined || !keeps ? [] : [['Modelfile', keep.modelfile] as const];
  const files = [...proposal.files, ...kept];
  const width = Math.max(0, ...files.map(([label]) => label.length)) + 2;
  const exists = state.kind === 'ready' && state.exists;
  // A refused plan promises nothing.
  const reads = state.kind === 'refused' ? files.filter(([, path]) => path !== job.output) : files;
  const named = reads.map(
    ([label, path]) =>
      `  ${label.padEnd(width)}${escapeControls(path)}${exists && path === job.output ? '  (exists: Run asks before it is replaced)' : ''}`,
  );
  const sentences = [
    ...(state.kind === 'refused' ? [] : then),
    ...(kept.length > 0 ? ['The files that are made on the way are kept, with a Modelfile that names them.'] : []),
  ];
  const args = [...job.args, ...(keeps ? (keep?.args ?? []) : [])];
  return [
    ...(run === undefined ? [] : ending(run)),
    escapeControls(job.title),
    '',
    ...body(state),
    ...sentences.map(
      (sentence, index) => `${(index === 0 ? 'Then' : '').padEnd(INDENT.length)}${escapeControls(sentence)}`,
    ),
    '',
    ...(named.length === 0 ? [] : ['Files', ...named, '']),
    'In a terminal',
    `  ${escapeControls(commandText('modelfile-studio', args, platform))}`,
    '',
  ].join('\n');
}

/** How the job of a plan ended; nothing while it waits or runs, which the buttons show. */
function ending(run: Job): readonly string[] {
  const took = formatSeconds(Math.max(1, duration(run) ?? 0));
  switch (run.state) {
    case 'queued':
    case 'running':
      return [];
    case 'done':
      return [[`✓ Done in ${took}`, ...outcome(run)].join(' · '), ''];
    case 'cancelled':
      return [`Cancelled after ${took}. Nothing was left under the final name.`, ''];
    case 'interrupted':
      return ['Interrupted: the window was closed or reloaded while it ran. Resume goes on where it stopped.', ''];
    case 'failed':
      return [
        `✗ Failed after ${took}: ${run.error?.code ?? ''}`,
        ...wrap(editorWords(run.error?.message ?? '')).map((line) => `  ${line}`),
        '',
      ];
  }
}

function body(state: PlanState): readonly string[] {
  switch (state.kind) {
    case 'planning':
      return ['Planning…'];
    case 'refused':
      return [`Refused   ${state.code}`, ...wrap(editorWords(state.message)).map((line) => `${INDENT}${line}`)];
    case 'ready':
    case 'started':
      // The engine puts all checks into one line, for a terminal; a page has room below.
      return editorWords(state.text)
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
