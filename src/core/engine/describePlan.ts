import { largest } from '../extremes';
import { escapeControls } from '../escapeControls';
import { formatBytes, formatCount, formatSeconds } from '../formatBytes';
import type { GgmlTypeName } from '../formats/gguf/ggmlTypes';
import type { BuildPlan, PlannedAdapter } from './buildPlan';
import { estimatedSeconds, peakMemory } from './finishPlan';

/** Words in the colours of a terminal, or plain. */
export interface Palette {
  strong(text: string): string;
  good(text: string): string;
  warning(text: string): string;
  faint(text: string): string;
}

export const PLAIN: Palette = {
  strong: (text) => text,
  good: (text) => text,
  warning: (text) => text,
  faint: (text) => text,
};

const LABEL_WIDTH = 10;

/** A plan as a person reads it: one line each for base, adapters, result, route, checks and warnings. */
export function describePlan(plan: BuildPlan, workers: number, palette: Palette = PLAIN): string {
  const { summary } = plan;
  const { base } = summary;
  const width = largest(
    [base.path, plan.output, ...summary.adapters.map((adapter) => adapter.path)].map((path) => shortName(path).length),
    12,
  );
  const row = (label: string, name: string, text: string): string =>
    `${palette.strong(label.padEnd(LABEL_WIDTH))}${name === '' ? '' : `${name.padEnd(width)}  `}${text}`;
  const template =
    base.template === undefined
      ? plan.kind === 'gguf'
        ? ' · no chat template'
        : ''
      : ` · chat template: ${base.template}`;
  const lines = [
    row(
      'Base',
      shortName(base.path),
      `${base.label} · ${formatCount(base.parameters)} parameters · ${base.dtype}${template}${base.takenBecause === undefined ? '' : ` · ${escapeControls(base.takenBecause)}`}`,
    ),
    ...summary.adapters.map((adapter) => row('Adapter', shortName(adapter.path), describeAdapter(adapter, plan))),
    row(
      'Result',
      shortName(plan.output),
      `${plan.fileType} · ${formatBytes(plan.bytesWritten)} · ${summary.bitsPerWeight.toFixed(1)} bits a weight · ${plan.tensors.length} tensors: ${describeTypes(summary.tensorTypes)}`,
    ),
    row(
      'Route',
      '',
      `${summary.route} · reads ${formatBytes(plan.bytesRead)} · writes ${formatBytes(plan.bytesWritten)} · memory ${formatBytes(peakMemory(plan, workers))} · about ${formatSeconds(Math.max(1, estimatedSeconds(plan, workers)))}`,
    ),
    row(
      'Checks',
      '',
      plan.checks
        .filter((check) => check.code !== 'check/delta' || summary.adapters.length !== 1)
        .map((check) => `${palette.good('✓')} ${escapeControls(check.message)}`)
        .join('   '),
    ),
    ...plan.warnings.map((warning, index) =>
      row(index === 0 ? 'Warnings' : '', '', `${palette.warning('!')} ${escapeControls(warning.message)}`),
    ),
  ];
  return lines.join('\n');
}

function describeAdapter(adapter: PlannedAdapter, plan: BuildPlan): string {
  const method =
    { lora: 'LoRA', rslora: 'rsLoRA', dora: 'DoRA', full: 'full fine-tune' }[adapter.method] ?? adapter.method;
  const rank =
    adapter.rank === undefined ? '' : ` rank ${adapter.rank}, scale ${Number((adapter.scale ?? 1).toPrecision(4))}`;
  const weight = adapter.weight === 1 ? '' : ` · weight ${adapter.weight}`;
  const delta =
    plan.summary.adapters.length === 1 ? plan.checks.find((check) => check.code === 'check/delta') : undefined;
  const because = adapter.takenBecause === undefined ? '' : ` (${escapeControls(adapter.takenBecause)})`;
  const file =
    because === '' &&
    adapter.weightsFile.endsWith('adapter_model.safetensors') &&
    !adapter.weightsFile.includes('checkpoint-')
      ? ''
      : ` · ${takenFrom(adapter)}${because}`;
  const what = adapter.method === 'full' ? 'tensors' : 'modules';
  return `${method}${rank}${weight} · ${adapter.modulesMatched} of ${adapter.modules} ${what} matched${delta === undefined ? '' : ` · ${delta.message}`}${file}`;
}

/** The last two parts of the weights file that was taken. */
function takenFrom(adapter: PlannedAdapter): string {
  return `from ${escapeControls(adapter.weightsFile.split(/[\\/]/).slice(-2).join('/'))}`;
}

function describeTypes(types: Readonly<Partial<Record<GgmlTypeName, number>>>): string {
  return Object.entries(types)
    .sort(([a], [b]) => (a === 'F32' ? -1 : b === 'F32' ? 1 : a < b ? -1 : 1))
    .map(([type, count]) => `${count} ${type}`)
    .join(', ');
}

function shortName(path: string): string {
  return escapeControls(
    path
      .replace(/[\\/]+$/, '')
      .split(/[\\/]/)
      .pop() ?? path,
  );
}
