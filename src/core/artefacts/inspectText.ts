import { PLAIN, type Palette } from '../engine/describePlan';
import { escapeControls } from '../escapeControls';
import { formatBytes, formatCount } from '../formatBytes';
import type { Artefact } from './artefact';
import { describeArtefact, kindText, producerText, targetsText } from './describeArtefact';
import { shortLoss } from './chooseCheckpoint';
import type { Inspection } from './inspection';

/** More paths than this get a line each. */
const DETAILED = 12;
const LABEL_WIDTH = 11;
const MOST_LOSSES = 12;

/** What `inspect` found, for people: a block for each of a few paths, a line for each of many. */
export function inspectText(inspections: readonly Inspection[], palette: Palette = PLAIN): string {
  if (inspections.length > DETAILED) {
    return inspections
      .flatMap((inspection) => [oneLine(inspection, palette), ...problemLines(inspection, palette)])
      .join('\n');
  }
  return inspections.map((inspection) => block(inspection, palette)).join('\n\n');
}

function oneLine(inspection: Inspection, palette: Palette): string {
  const mark = inspection.ok ? palette.good('✓') : palette.warning('✗');
  const what =
    inspection.kind === undefined || inspection.kind === 'folder'
      ? (inspection.kind ?? '')
      : describeArtefact(inspection as Artefact);
  return `${mark} ${escapeControls(inspection.path)}  ${escapeControls(what)}`.trimEnd();
}

function block(inspection: Inspection, palette: Palette): string {
  const kind = inspection.kind === undefined ? '' : `  ${kindText(inspection.kind)}`;
  const head = `${palette.strong(escapeControls(inspection.path))}${kind}`;
  const rows = inspection.kind === undefined || inspection.kind === 'folder' ? [] : rowsOf(inspection as Artefact);
  const lines = rows
    .filter(([, text]) => text !== '')
    .map(([label, text]) => `  ${palette.faint(label.padEnd(LABEL_WIDTH))}${escapeControls(text)}`);
  const inside = 'artefacts' in inspection ? (inspection.artefacts ?? []) : [];
  const listed = inside
    .filter((one) => one.kind !== 'pickle')
    .slice(0, 20)
    .map((one) => `  ${escapeControls(one.path)}  ${escapeControls(describeArtefact(one))}`);
  return [head, ...lines, ...listed, ...problemLines(inspection, palette)].join('\n');
}

function problemLines(inspection: Inspection, palette: Palette): string[] {
  const problems = inspection.kind === 'folder' ? [] : (inspection.problems ?? []);
  const error = !inspection.ok && problems.length === 0 ? [inspection.error] : [];
  return [...problems, ...error]
    .slice(0, 5)
    .map((problem) => `  ${palette.warning('!')} ${problem.code}: ${escapeControls(problem.message)}`);
}

function rowsOf(artefact: Artefact): [string, string][] {
  const join = (...facts: readonly (string | undefined)[]): string =>
    facts.filter((fact) => fact !== undefined && fact !== '').join(' · ');
  const { tokenizer, quantisation, base, builtFrom } = artefact;
  return [
    ['What', describeArtefact(artefact)],
    ['Made by', artefact.producer === undefined ? '' : producerText(artefact.producer)],
    [
      'Model',
      join(
        artefact.name,
        artefact.architecture,
        some(artefact.layers, 'layers'),
        artefact.hiddenSize === undefined ? '' : `hidden size ${artefact.hiddenSize}`,
        artefact.contextLength === undefined ? '' : `context ${artefact.contextLength}`,
      ),
    ],
    ['Base', base?.path ?? base?.name ?? ''],
    [
      'Built from',
      builtFrom === undefined
        ? ''
        : join(
            builtFrom.base,
            builtFrom.adapters.map((adapter) => adapter.path).join(' · '),
            builtFrom.stale ? 'inputs have changed since' : 'inputs unchanged',
          ),
    ],
    [
      'Adapter',
      artefact.method === undefined
        ? ''
        : join(
            artefact.method,
            artefact.rank === undefined ? '' : `rank ${artefact.rank}`,
            artefact.alpha === undefined ? '' : `alpha ${artefact.alpha}`,
            artefact.scale === undefined ? '' : `scale ${Number(artefact.scale.toPrecision(6))}`,
            some(artefact.modules, 'modules'),
            targetsText(artefact.targets ?? []),
          ),
    ],
    ['Losses', lossesOf(artefact)],
    [
      'Weights',
      join(
        artefact.parameters === undefined ? '' : `${formatCount(artefact.parameters)} parameters`,
        artefact.dtype,
        some(artefact.tensors, 'tensors'),
        quantisation?.name,
        quantisation?.bits === undefined
          ? ''
          : `${quantisation.bits} bits in groups of ${quantisation.groupSize ?? '?'}`,
      ),
    ],
    [
      'Types',
      artefact.types === undefined
        ? ''
        : Object.entries(artefact.types)
            .map(([type, count]) => `${count} ${type}`)
            .join(', '),
    ],
    ['Tokenizer', tokenizer === undefined ? '' : join(tokenizer.kind, tokenizer.pre, some(tokenizer.tokens, 'tokens'))],
    ['Template', artefact.template ?? ''],
    ['Pickles', artefact.pickles === undefined ? '' : `${artefact.pickles.join(', ')} (never loaded)`],
    ['Size', join(formatBytes(artefact.bytes), artefact.modified)],
  ];
}

function some(count: number | undefined, what: string): string {
  return count === undefined ? '' : `${count} ${what}`;
}

/** Of each checkpoint that has some, newest first. */
function lossesOf({ checkpoints, bestCheckpoint, bestBy }: Artefact): string {
  const measured = (checkpoints ?? []).filter(({ loss, evalLoss }) => loss !== undefined || evalLoss !== undefined);
  const shown = [...measured].reverse().slice(0, MOST_LOSSES);
  const facts = shown.map(({ path, step, loss, evalLoss }) => {
    const losses = [
      loss === undefined ? '' : shortLoss(loss),
      evalLoss === undefined ? '' : `eval ${shortLoss(evalLoss)}`,
    ].filter((fact) => fact !== '');
    return `step ${step}: ${losses.join(', ')}${path === bestCheckpoint && bestBy !== 'step' ? ' (best)' : ''}`;
  });
  return [...facts, ...(measured.length > shown.length ? ['…'] : [])].join(' · ');
}
