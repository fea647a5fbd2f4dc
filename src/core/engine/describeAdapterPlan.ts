import { largest } from '../extremes';
import { escapeControls } from '../escapeControls';
import { formatBytes } from '../formatBytes';
import { PLAIN, type Palette } from './describePlan';
import type { AdapterGgufPlan } from './planAdapterGguf';

const LABEL_WIDTH = 10;

/** The plan of a GGUF adapter as a person reads it. */
export function describeAdapterPlan(plan: AdapterGgufPlan, palette: Palette = PLAIN): string {
  const { adapter, target } = plan;
  const names = [target.path, adapter.path, plan.output].map(shortName);
  const width = largest(
    names.map((name) => name.length),
    12,
  );
  const row = (label: string, name: string, text: string): string =>
    `${palette.strong(label.padEnd(LABEL_WIDTH))}${name === '' ? '' : `${name.padEnd(width)}  `}${text}`;
  const method = { lora: 'LoRA', rslora: 'rsLoRA', dora: 'DoRA', full: 'full fine-tune' }[adapter.method];
  const rank = adapter.rank === undefined ? '' : ` rank ${adapter.rank}`;
  const weight = plan.weight === 1 ? '' : ` · weight ${plan.weight}`;
  const types = [...new Set(plan.tensors.map(({ type }) => type))]
    .map((type) => `${plan.tensors.filter((tensor) => tensor.type === type).length} ${type}`)
    .join(', ');
  return [
    row('Base', names[0]!, `${target.architecture.label} (${target.architecture.name}) · not read, only its shapes`),
    row('Adapter', names[1]!, `${method}${rank} · ${plan.scales.modules.length} modules${weight}`),
    row(
      'Result',
      names[2]!,
      `GGUF adapter · ${formatBytes(plan.bytesWritten)} · ${plan.tensors.length} tensors: ${types}`,
    ),
    row('Scale', '', plan.scales.note),
    row(
      'Checks',
      '',
      plan.checks
        .filter(({ code }) => code !== 'check/scale')
        .map(({ message }) => `${palette.good('✓')} ${escapeControls(message)}`)
        .join('   '),
    ),
    ...plan.warnings.map((warning, index) =>
      row(index === 0 ? 'Warnings' : '', '', `${palette.warning('!')} ${escapeControls(warning.message)}`),
    ),
  ].join('\n');
}

function shortName(path: string): string {
  return escapeControls(
    path
      .replace(/[\\/]+$/, '')
      .split(/[\\/]/)
      .pop() ?? path,
  );
}
