/** Ranges shown of a list of rows. */
const SHOWN = 6;

/** Row numbers as people write them: `3, 17 and 640 to 642`. */
export function rowRanges(rows: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const row of [...rows].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && row <= last[1] + 1) {
      last[1] = row;
    } else {
      ranges.push([row, row]);
    }
  }
  const texts = ranges.slice(0, SHOWN).map(([first, last]) => (first === last ? `${first}` : `${first} to ${last}`));
  if (ranges.length > SHOWN) {
    return `${texts.join(', ')}, …`;
  }
  return texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)!}`;
}
