import { ggufArrayLength, type GgufArray, type GgufValue } from '../formats/gguf/ggufTypes';
import { displayLine, displayText, PREVIEW_UNITS } from './displayText';
import type { AnswerOf, MetadataRowAnswer, ValueAnswer } from './viewerProtocol';
import type { ViewedFile } from './viewedFile';

/** Elements of an array that its preview names. */
const PREVIEW_ELEMENTS = 12;
/** UTF-16 units of a text value that are sent to be shown; beyond lies no template and no prose. */
const TEXT_UNITS = 1024 * 1024;

/** Entries whose key or value holds the filter's words, a page of them. Long arrays are told by their length. */
export function metadataPage(
  file: ViewedFile,
  question: { readonly filter: string; readonly start: number; readonly count: number },
): AnswerOf<'metadata'> {
  const words = question.filter
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const found: number[] = [];
  file.metadata.forEach(([key, value], index) => {
    const text =
      `${key}\n${value.type === 'string' ? value.value : value.type === 'array' ? '' : String(value.value)}`.toLowerCase();
    if (words.every((word) => text.includes(word))) {
      found.push(index);
    }
  });
  const rows = found.slice(question.start, question.start + question.count).map((index) => row(file, index));
  return { start: question.start, total: found.length, rows };
}

function row(file: ViewedFile, index: number): MetadataRowAnswer {
  const [key, value] = file.metadata[index]!;
  const { preview, more } = previewOf(value);
  return { index, key: displayLine(key), type: typeText(value), preview, more };
}

function typeText(value: GgufValue): string {
  return value.type === 'array' ? `${value.elements} × ${ggufArrayLength(value).toLocaleString('en-US')}` : value.type;
}

function previewOf(value: GgufValue): { readonly preview: string; readonly more: boolean } {
  if (value.type === 'string') {
    return {
      preview: displayLine(value.value, PREVIEW_UNITS),
      more: value.value.length > PREVIEW_UNITS || value.value.includes('\n'),
    };
  }
  if (value.type !== 'array') {
    return { preview: scalarText(value.value), more: false };
  }
  const shown = Array.from({ length: Math.min(PREVIEW_ELEMENTS, value.value.length) }, (_, at) =>
    elementText(value, at),
  );
  const length = ggufArrayLength(value);
  return { preview: displayLine(shown.join(', '), PREVIEW_UNITS), more: length > shown.length };
}

function elementText(array: GgufArray, at: number): string {
  const element = (array.value as ArrayLike<string | number | boolean | bigint>)[at];
  return element === undefined ? '' : typeof element === 'string' ? JSON.stringify(element) : scalarText(element);
}

function scalarText(value: number | bigint | boolean | string): string {
  return typeof value === 'number' && !Number.isInteger(value) ? floatText(value) : displayLine(String(value));
}

/** The shortest digits that stand for a float of 32 bits; of 64 bits, all that there are. */
export function floatText(value: number): string {
  for (let digits = 6; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) {
      return String(short);
    }
  }
  return String(value);
}

/** A value in full: the text, or a page of an array's elements. `value` was read with its contents. */
export function valuePage(value: GgufValue, start: number, count: number): ValueAnswer {
  if (value.type === 'string') {
    return {
      start: 0,
      total: 1,
      rows: [displayText(value.value.slice(0, TEXT_UNITS))],
      isText: true,
      cut: value.value.length > TEXT_UNITS,
    };
  }
  if (value.type !== 'array') {
    return { start: 0, total: 1, rows: [scalarText(value.value)], isText: false, cut: false };
  }
  const end = Math.min(value.value.length, start + count);
  const rows = Array.from({ length: Math.max(0, end - start) }, (_, at) =>
    displayLine(elementText(value, start + at), PREVIEW_UNITS * 4),
  );
  return { start, total: value.value.length, rows, isText: false, cut: false };
}
