import { escapeControls } from '../core/escapeControls';
import { formatBytes, formatSeconds } from '../core/formatBytes';
import type { EngineEvent } from '../core/progress';

const BAR_WIDTH = 24;

/** An event as one line of at most `columns` characters: bar, bytes, rate, time left, the tensor at work. */
export function progressLine(event: EngineEvent, columns: number): string | undefined {
  if (event.event === 'phase') {
    const words = {
      planning: 'Planning',
      checking: 'Checking',
      resuming: 'Resuming',
      running: 'Working',
      verifying: 'Verifying',
      finishing: 'Finishing',
      hashing: 'Hashing',
      uploading: 'Uploading',
      creating: 'Creating',
      downloading: 'Downloading',
      answering: 'Asking',
    };
    return cut(
      `${words[event.phase]}${event.detail === undefined ? '' : `: ${escapeControls(event.detail)}`}…`,
      columns,
    );
  }
  if (event.event !== 'progress') {
    return undefined;
  }
  const share = event.bytesTotal === 0 ? 1 : event.bytesDone / event.bytesTotal;
  const filled = Math.round(share * BAR_WIDTH);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
  const parts = [
    `${bar} ${String(Math.floor(share * 100)).padStart(3)} %`,
    `${formatBytes(event.bytesDone)} of ${formatBytes(event.bytesTotal)}`,
    ...(event.rate > 0 ? [`${formatBytes(event.rate)}/s`] : []),
    ...(event.secondsLeft === undefined ? [] : [`${formatSeconds(event.secondsLeft)} left`]),
    escapeControls(event.tensor),
  ];
  return cut(parts.filter((part) => part !== '').join(' · '), columns);
}

function cut(line: string, columns: number): string {
  return line.length < columns ? line : `${line.slice(0, Math.max(1, columns - 2))}…`;
}
