import { ggufArrayLength, type GgufValue } from '../formats/gguf/ggufTypes';
import { displayLine, PREVIEW_UNITS } from './displayText';
import { floatText } from './metadataView';
import { shapeText, type TensorTable } from './tensorTable';
import type { ViewedFile } from './viewedFile';

export type DifferenceKind = 'same' | 'different' | 'onlyHere' | 'onlyThere';

export interface MetadataDifference {
  readonly key: string;
  readonly kind: DifferenceKind;
  readonly here: GgufValue | undefined;
  readonly there: GgufValue | undefined;
}

export interface TensorDifference {
  readonly name: string;
  readonly kind: DifferenceKind;
  /** Indices in the tables. */
  readonly here: number | undefined;
  readonly there: number | undefined;
}

export interface DifferenceCounts {
  readonly same: number;
  readonly different: number;
  readonly onlyHere: number;
  readonly onlyThere: number;
}

export interface FileComparison {
  readonly here: ViewedFile;
  readonly there: ViewedFile;
  /** In the order of the first file, then what only the second has. */
  readonly metadata: readonly MetadataDifference[];
  /** Different are those of another type or shape; values are not looked at. */
  readonly tensors: readonly TensorDifference[];
}

/** Compares two files by key and by tensor name. Both must have been read with the contents of their arrays. */
export function compareFiles(here: ViewedFile, there: ViewedFile): FileComparison {
  return { here, there, metadata: compareMetadata(here, there), tensors: compareTensors(here.tensors, there.tensors) };
}

export function countDifferences(differences: readonly { readonly kind: DifferenceKind }[]): DifferenceCounts {
  const counts = { same: 0, different: 0, onlyHere: 0, onlyThere: 0 };
  for (const { kind } of differences) {
    counts[kind]++;
  }
  return counts;
}

function compareMetadata(here: ViewedFile, there: ViewedFile): MetadataDifference[] {
  const [left, right] = [firstOfEach(here), firstOfEach(there)];
  const differences: MetadataDifference[] = [];
  for (const [key, value] of left) {
    const other = right.get(key);
    differences.push({
      key,
      here: value,
      there: other,
      kind: other === undefined ? 'onlyHere' : sameValue(value, other) ? 'same' : 'different',
    });
  }
  for (const [key, value] of right) {
    if (!left.has(key)) {
      differences.push({ key, here: undefined, there: value, kind: 'onlyThere' });
    }
  }
  return differences;
}

function firstOfEach(file: ViewedFile): Map<string, GgufValue> {
  const values = new Map<string, GgufValue>();
  for (const [key, value] of file.metadata) {
    if (!values.has(key)) {
      values.set(key, value);
    }
  }
  return values;
}

/** Values of one type and content; NaN is the same as NaN. */
export function sameValue(a: GgufValue, b: GgufValue): boolean {
  if (a.type !== 'array' || b.type !== 'array') {
    return a.type === b.type && Object.is(a.value, b.value);
  }
  return a.elements === b.elements && ggufArrayLength(a) === ggufArrayLength(b) && firstDifference(a, b) === undefined;
}

/** Index of the first element that differs, the shorter length where one array begins the other; undefined when they are alike. */
export function firstDifference(
  a: Extract<GgufValue, { type: 'array' }>,
  b: Extract<GgufValue, { type: 'array' }>,
): number | undefined {
  const [left, right] = [a.value as ArrayLike<unknown>, b.value as ArrayLike<unknown>];
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    if (!Object.is(left[at], right[at])) {
      return at;
    }
  }
  return left.length === right.length ? undefined : length;
}

function compareTensors(here: TensorTable, there: TensorTable): TensorDifference[] {
  const byName = new Map<string, number>();
  for (let index = there.length - 1; index >= 0; index--) {
    byName.set(there.name(index), index);
  }
  const differences: TensorDifference[] = [];
  const met = new Uint8Array(there.length);
  for (let index = 0; index < here.length; index++) {
    const name = here.name(index);
    const other = byName.get(name);
    if (other === undefined) {
      differences.push({ name, kind: 'onlyHere', here: index, there: undefined });
      continue;
    }
    met[other] = 1;
    const alike = here.type(index) === there.type(other) && here.shape(index).join() === there.shape(other).join();
    differences.push({ name, kind: alike ? 'same' : 'different', here: index, there: other });
  }
  for (let index = 0; index < there.length; index++) {
    if (met[index] === 0) {
      differences.push({ name: there.name(index), kind: 'onlyThere', here: undefined, there: index });
    }
  }
  return differences;
}

/** A value of a metadata difference in one line; of a long array, where it first differs from the other. */
export function metadataText(value: GgufValue | undefined, other: GgufValue | undefined): string {
  if (value === undefined) {
    return '';
  }
  if (value.type !== 'array') {
    const text =
      typeof value.value === 'string'
        ? value.value
        : typeof value.value === 'number'
          ? floatText(value.value)
          : String(value.value);
    const from =
      other?.type === 'string' && value.type === 'string'
        ? Math.max(0, firstUnit(value.value, other.value) - PREVIEW_UNITS / 4)
        : 0;
    const typed = other !== undefined && other.type !== value.type ? ` (${value.type})` : '';
    return `${displayLine(`${from > 0 ? '…' : ''}${text.slice(from)}`, PREVIEW_UNITS)}${typed}`;
  }
  const length = ggufArrayLength(value);
  const at = other?.type === 'array' ? (firstDifference(value, other) ?? 0) : 0;
  const elements = Array.from((value.value as readonly unknown[]).slice(at, at + 8), (element) =>
    typeof element === 'string' ? JSON.stringify(element) : String(element),
  );
  return displayLine(
    `${length.toLocaleString('en-US')} × ${value.elements}${length === 0 ? '' : `, from ${at}: ${elements.join(', ')}`}`,
    PREVIEW_UNITS,
  );
}

/** UTF-16 units at the start that two texts share. */
function firstUnit(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    if (a.charCodeAt(at) !== b.charCodeAt(at)) {
      return at;
    }
  }
  return length;
}

/** Type and shape of a tensor in a comparison. */
export function tensorText(table: TensorTable, index: number | undefined): string {
  return index === undefined ? '' : `${table.type(index)} · ${shapeText(table.shape(index))}`;
}
