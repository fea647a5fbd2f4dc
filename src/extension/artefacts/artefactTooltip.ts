import type { Artefact } from '../../core/artefacts/artefact';
import { describeArtefact, kindText, producerText, targetsText } from '../../core/artefacts/describeArtefact';
import { escapeControls } from '../../core/escapeControls';
import { formatBytes, formatCount } from '../../core/formatBytes';

/** A tooltip before it is Markdown: everything in it may come from a file, and is shown as text. */
export interface ArtefactTooltip {
  readonly title: string;
  readonly rows: readonly (readonly [label: string, text: string])[];
  readonly problems: readonly { readonly code: string; readonly message: string }[];
}

/** @param shorten gives a path as people know it, below the folder of the workspace */
export function artefactTooltip(
  artefact: Artefact,
  shorten: (path: string) => string = (path) => path,
): ArtefactTooltip {
  const rows = [
    ...identity(artefact),
    ...adapterRows(artefact, shorten),
    ...weightRows(artefact),
    ...historyRows(artefact, shorten),
    ...fileRows(artefact),
  ];
  return {
    title: escapeControls(artefact.path),
    rows: rows.filter(([, text]) => text !== '').map(([label, text]) => [label, escapeControls(text)] as const),
    problems: artefact.problems.map(({ code, message }) => ({ code, message: escapeControls(message) })),
  };
}

/** The same in one sentence for a screen reader: `lora, PEFT adapter, LoRA r 8, 1 problem`. */
export function accessibleLabel(label: string, artefact: Artefact): string {
  const problems = artefact.problems.length;
  const trouble =
    problems === 0 ? '' : `, ${problems} ${problems === 1 ? 'problem' : 'problems'}: ${artefact.problems[0]!.message}`;
  return escapeControls(
    `${label}, ${kindText(artefact.kind)}, ${describeArtefact(artefact).replaceAll(' · ', ', ')}${trouble}`,
  );
}

type Row = readonly [string, string];

function identity(artefact: Artefact): Row[] {
  const { producer, content, kind } = artefact;
  return [
    [
      'Kind',
      join(
        kindText(kind),
        content === undefined || content === kind ? '' : kindText(content),
        producer === undefined
          ? ''
          : producer === 'modelfile-studio'
            ? producerText(producer)
            : `by ${producerText(producer)}`,
      ),
    ],
    [
      'Model',
      join(
        artefact.name,
        artefact.label ?? artefact.architecture,
        count(artefact.layers, 'layers'),
        artefact.contextLength === undefined ? '' : `context ${artefact.contextLength}`,
      ),
    ],
  ];
}

function adapterRows(artefact: Artefact, shorten: (path: string) => string): Row[] {
  const { base, builtFrom } = artefact;
  const others = (base?.candidates.length ?? 0) - 1;
  return [
    ['Names as base', builtFrom === undefined ? (base?.name ?? '') : ''],
    [
      'Fits',
      base === undefined || builtFrom !== undefined
        ? ''
        : base.path === undefined
          ? 'no model that was found'
          : `${shorten(base.path)}${others > 0 ? ` and ${others} more` : ''}`,
    ],
    [
      'Method',
      join(
        artefact.method,
        value('rank', artefact.rank),
        value('alpha', artefact.alpha),
        value('applied with scale', artefact.scale),
      ),
    ],
    ['Changes', join(targetsText(artefact.targets ?? []), count(artefact.modules, 'modules'))],
  ];
}

function weightRows(artefact: Artefact): Row[] {
  const { quantisation, tokenizer, types } = artefact;
  return [
    [
      'Weights',
      join(
        artefact.parameters === undefined ? '' : `${formatCount(artefact.parameters)} parameters`,
        artefact.dtype,
        quantisation?.name,
        quantisation?.bitsPerWeight === undefined ? '' : `${quantisation.bitsPerWeight.toFixed(1)} bits a weight`,
      ),
    ],
    [
      'Types',
      types === undefined
        ? ''
        : Object.entries(types)
            .map(([type, tensors]) => `${tensors} ${type}`)
            .join(', '),
    ],
    [
      'Tokenizer',
      tokenizer === undefined ? '' : join(tokenizer.kind, tokenizer.pre, count(tokenizer.tokens, 'tokens')),
    ],
    ['Template', artefact.template ?? ''],
  ];
}

function historyRows(artefact: Artefact, shorten: (path: string) => string): Row[] {
  const { builtFrom, step, checkpoints } = artefact;
  const changed = builtFrom?.changed ?? [];
  return [
    [
      'Training',
      join(
        value('step', step),
        value('epoch', artefact.epoch),
        value('loss', artefact.loss),
        value('evaluation loss', artefact.evalLoss),
        artefact.isBest === true ? 'best' : '',
        artefact.isNewest === true ? 'newest' : '',
      ),
    ],
    [
      'Checkpoints',
      checkpoints === undefined
        ? ''
        : join(
            String(checkpoints.length),
            artefact.bestCheckpoint === undefined ? '' : `stands for ${shorten(artefact.bestCheckpoint)}`,
          ),
    ],
    [
      'Built from',
      builtFrom === undefined
        ? ''
        : join(
            shorten(builtFrom.base),
            ...builtFrom.adapters.map(({ path, weight }) =>
              weight === 1 ? shorten(path) : `${shorten(path)} × ${weight}`,
            ),
          ),
    ],
    [
      'Out of date',
      builtFrom?.stale === true
        ? `changed or gone since: ${changed.slice(0, 3).map(shorten).join(', ')}${changed.length > 3 ? ` and ${changed.length - 3} more` : ''}. Rebuild with Last Choices makes it anew.`
        : '',
    ],
  ];
}

function fileRows(artefact: Artefact): Row[] {
  return [
    [
      'Taken from',
      artefact.weightsFile === undefined || artefact.weightsFile === artefact.path ? '' : artefact.weightsFile,
    ],
    ['Size', artefact.bytes === 0 ? '' : formatBytes(artefact.bytes)],
    ['Changed', artefact.modified === undefined ? '' : artefact.modified.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')],
    ['Pickles', artefact.pickles === undefined ? '' : `${artefact.pickles.length}, never loaded`],
  ];
}

function join(...facts: readonly (string | undefined)[]): string {
  return facts.filter((fact) => fact !== undefined && fact !== '').join(' · ');
}

function count(amount: number | undefined, what: string): string {
  return amount === undefined ? '' : `${amount} ${what}`;
}

function value(label: string, amount: number | undefined): string {
  return amount === undefined ? '' : `${label} ${Number(amount.toPrecision(6))}`;
}
