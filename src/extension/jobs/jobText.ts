import { escapeControls } from '../../core/escapeControls';
import { formatBytes, formatSeconds } from '../../core/formatBytes';
import { isOver, type Job, type JobProgress } from './job';

/** What the line of a job says after its title. Words of the engine's phases stay as they are in the log. */
export function jobFacts(job: Job, now = Date.now()): readonly string[] {
  const { state, progress, phase, error } = job;
  if (state === 'running') {
    return progress === undefined || phase === 'cancelling'
      ? [phase ?? 'starting']
      : [...(phase === undefined || phase === 'running' ? [] : [phase]), ...progressFacts(progress)];
  }
  if (state === 'queued') {
    return ['waiting'];
  }
  const took = duration(job, now);
  const facts = [
    state === 'failed'
      ? `${error?.code ?? 'failed'}: ${firstSentence(error?.message ?? '')}`
      : state === 'done'
        ? undefined
        : state,
    took === undefined ? undefined : formatSeconds(Math.max(1, took)),
  ];
  return [...facts.filter((fact) => fact !== undefined).map(escapeControls), ...outcome(job)];
}

/** Whole percent of the bytes of output; undefined until known. */
export function percent({ progress }: Job): number | undefined {
  return progress === undefined || progress.bytesTotal <= 0
    ? undefined
    : Math.min(100, Math.floor((100 * progress.bytesDone) / progress.bytesTotal));
}

/** Seconds that a job took, or has taken so far. */
export function duration(job: Job, now = Date.now()): number | undefined {
  return job.started === undefined
    ? undefined
    : ((isOver(job) ? (job.ended ?? job.started) : now) - job.started) / 1000;
}

/** All of a job for its log document. */
export function jobLog(job: Job): string {
  const { spec, state, created, error, result, log } = job;
  const head = [
    `${spec.title}: ${state}`,
    `begun ${new Date(job.started ?? created).toISOString()}`,
    ...(spec.output === undefined ? [] : [`output ${spec.output}`]),
    '',
  ];
  const end = [
    ...(error === undefined ? [] : ['', `${error.code}: ${error.message}`]),
    ...(result === undefined ? [] : ['', JSON.stringify(result, null, 2)]),
  ];
  return `${[...head, ...log, ...end].map((line) => line.split('\n').map(escapeControls).join('\n')).join('\n')}\n`;
}

function progressFacts(progress: JobProgress): string[] {
  const { bytesDone, bytesTotal, rate, secondsLeft } = progress;
  const share =
    bytesTotal > 0
      ? [
          `${Math.min(100, Math.floor((100 * bytesDone) / bytesTotal))} %`,
          `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`,
        ]
      : [formatBytes(bytesDone)];
  return [
    ...share,
    ...(rate > 0 ? [`${formatBytes(rate)}/s`] : []),
    ...(secondsLeft === undefined ? [] : [`${formatSeconds(secondsLeft)} left`]),
  ];
}

/** What came of a job that is done: size of the result, answer of the model. */
export function outcome(job: Job): readonly string[] {
  const answer = answerOf(job);
  return [sizeOf(job), answer === undefined ? undefined : `answered “${answer}”`]
    .filter((fact) => fact !== undefined)
    .map(escapeControls);
}

/** What is kept of a job's answer over a reload. */
export function briefResult(job: Job): { readonly bytes?: number; readonly answer?: string } | undefined {
  const { result } = job;
  const bytes = typeof result === 'object' && result !== null && 'bytes' in result ? result.bytes : undefined;
  const answer = answerOf(job);
  return result === undefined
    ? undefined
    : { ...(typeof bytes === 'number' ? { bytes } : {}), ...(answer === undefined ? {} : { answer }) };
}

function sizeOf({ result }: Job): string | undefined {
  const bytes = typeof result === 'object' && result !== null && 'bytes' in result ? result.bytes : undefined;
  return typeof bytes === 'number' ? formatBytes(bytes) : undefined;
}

/** The answer of a created model, that its making ended with. */
function answerOf({ result }: Job): string | undefined {
  const answer = typeof result === 'object' && result !== null && 'answer' in result ? result.answer : undefined;
  const text =
    typeof answer === 'string'
      ? answer
      : typeof answer === 'object' && answer !== null && 'text' in answer && typeof answer.text === 'string'
        ? answer.text
        : undefined;
  const line = text?.replace(/\s+/g, ' ').trim();
  return line === undefined || line === '' ? undefined : line.length > 60 ? `${line.slice(0, 59)}…` : line;
}

function firstSentence(text: string): string {
  return /^[\s\S]*?[.!?](?=\s|$)/.exec(text)?.[0] ?? text;
}
