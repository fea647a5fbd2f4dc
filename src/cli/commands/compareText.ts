import type { Palette } from '../../core/engine/describePlan';
import { escapeControls } from '../../core/escapeControls';
import type { ComparedFiles, ComparedValues } from '../../node/viewer/compareTwoFiles';
import { differenceText } from '../../node/viewer/compareValues';

/** Lines of one list; the JSON has them all. */
const MAX_LINES = 30;

/** A comparison for people: what is the same in figures, what differs line by line. */
export function compareText(compared: ComparedFiles, palette: Palette): string {
  const { a, b, metadata, tensors, values } = compared;
  const lines = [
    `${palette.strong('A')}         ${escapeControls(a.path)}  ${palette.faint(escapeControls(a.facts.join(' · ')))}`,
    `${palette.strong('B')}         ${escapeControls(b.path)}  ${palette.faint(escapeControls(b.facts.join(' · ')))}`,
    ...[...a.problems, ...b.problems]
      .slice(0, MAX_LINES)
      .map(({ code, message }) => `${palette.warning('!')} ${code}: ${escapeControls(message)}`),
    '',
    `${palette.strong('Metadata')}  ${countText(metadata.same, metadata.different.length, metadata.onlyInA.length, metadata.onlyInB.length)}`,
    ...cut(
      metadata.different.map(
        ({ key, a: left, b: right }) => `  ${escapeControls(key)}: ${valueText(left)} → ${valueText(right)}`,
      ),
    ),
    ...cut(metadata.onlyInA.map((key) => `  only in A: ${escapeControls(key)}`)),
    ...cut(metadata.onlyInB.map((key) => `  only in B: ${escapeControls(key)}`)),
    '',
    `${palette.strong('Tensors')}   ${countText(tensors.same, tensors.different.length, tensors.onlyInA.length, tensors.onlyInB.length)}`,
    ...cut(
      tensors.different.map(
        ({ name, a: left, b: right }) =>
          `  ${escapeControls(name)}: ${left.type} [${left.shape.join(', ')}] → ${right.type} [${right.shape.join(', ')}]`,
      ),
    ),
    ...cut(tensors.onlyInA.map((name) => `  only in A: ${escapeControls(name)}`)),
    ...cut(tensors.onlyInB.map((name) => `  only in B: ${escapeControls(name)}`)),
    ...(values === undefined
      ? []
      : [
          '',
          `${palette.strong('Values')}    ${valuesText(values)}`,
          ...cut(
            largestFirst(values).map(
              (one) => `  ${escapeControls(one.name)}: ${'reason' in one ? one.reason : differenceText(one)}`,
            ),
          ),
        ]),
  ];
  return lines.join('\n');
}

function countText(same: number, different: number, onlyInA: number, onlyInB: number): string {
  return different + onlyInA + onlyInB === 0
    ? `all ${same} are the same`
    : [`${same} the same`, `${different} different`, `${onlyInA} only in A`, `${onlyInB} only in B`].join(' · ');
}

function cut(lines: readonly string[]): string[] {
  return lines.length <= MAX_LINES
    ? [...lines]
    : [...lines.slice(0, MAX_LINES), `  … and ${lines.length - MAX_LINES} more (--json has all)`];
}

function valueText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return escapeControls(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function valuesText(values: readonly ComparedValues[]): string {
  const measured = values.filter((one) => !('reason' in one));
  const equal = measured.filter((one) => 'differing' in one && one.differing === 0);
  return `${equal.length} of ${values.length} tensors hold equal values${measured.length < values.length ? ` · ${values.length - measured.length} not compared` : ''}`;
}

/** What differs most first, what was not compared last, what is equal not at all. */
function largestFirst(values: readonly ComparedValues[]): ComparedValues[] {
  const weight = (one: ComparedValues): number => ('reason' in one ? -1 : (one.relative ?? one.maxAbsolute));
  return values.filter((one) => 'reason' in one || one.differing > 0).sort((x, y) => weight(y) - weight(x));
}
