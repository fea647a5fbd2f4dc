/** The largest of the numbers, or `least` when none is above it. `Math.max(...numbers)` ends the call where there are very many. */
export function largest(numbers: Iterable<number>, least = -Infinity): number {
  let found = least;
  for (const number of numbers) {
    found = Math.max(found, number);
  }
  return found;
}

/** The smallest of the numbers, or `most` when none is below it. */
export function smallest(numbers: Iterable<number>, most = Infinity): number {
  let found = most;
  for (const number of numbers) {
    found = Math.min(found, number);
  }
  return found;
}
