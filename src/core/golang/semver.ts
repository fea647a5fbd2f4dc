/** Version numbers as golang.org/x/mod/semver takes them, without the leading `v`. */
export interface Semver {
  readonly major: string;
  readonly minor: string;
  readonly patch: string;
  /** Without the hyphen; empty when there is none. */
  readonly prerelease: string;
}

const NUMBER = '(0|[1-9][0-9]*)';
const PRERELEASE = '(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)';
const VERSION = new RegExp(
  `^v${NUMBER}(?:\\.${NUMBER}(?:\\.${NUMBER}(?:-(${PRERELEASE}(?:\\.${PRERELEASE})*))?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?)?)?$`,
);

/** Parses `v0.6`, `v1.2.3-rc1+build`; undefined where `semver.IsValid` says no. Suffixes need all three numbers. */
export function parseSemver(version: string): Semver | undefined {
  const match = VERSION.exec(version);
  if (match === null) {
    return undefined;
  }
  return { major: match[1] ?? '0', minor: match[2] ?? '0', patch: match[3] ?? '0', prerelease: match[4] ?? '' };
}

/**
 * The value of REQUIRES as the request carries it (one leading `v` taken away), or undefined where Ollama refuses it.
 */
export function requiresVersion(args: string): string | undefined {
  const prefixed = args.startsWith('v') ? args : `v${args}`;
  return parseSemver(prefixed) === undefined ? undefined : prefixed.slice(1);
}

/** Negative when `left` comes before `right`; versions without the leading `v`, missing numbers count as 0. */
export function compareVersions(left: string, right: string): number {
  const a = parseSemver(`v${left}`);
  const b = parseSemver(`v${right}`);
  if (a === undefined || b === undefined) {
    return a === b ? 0 : a === undefined ? -1 : 1;
  }
  return (
    compareNumbers(a.major, b.major) ||
    compareNumbers(a.minor, b.minor) ||
    compareNumbers(a.patch, b.patch) ||
    comparePrereleases(a.prerelease, b.prerelease)
  );
}

function compareNumbers(left: string, right: string): number {
  return left.length - right.length || (left < right ? -1 : left > right ? 1 : 0);
}

function comparePrereleases(left: string, right: string): number {
  if (left === right) {
    return 0;
  }
  if (left === '' || right === '') {
    return left === '' ? 1 : -1;
  }
  const a = left.split('.');
  const b = right.split('.');
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    const order = compareIdentifiers(a[i] ?? '', b[i] ?? '');
    if (order !== 0) {
      return order;
    }
  }
  return a.length - b.length;
}

function compareIdentifiers(left: string, right: string): number {
  const numeric = [left, right].map((part) => /^[0-9]+$/.test(part));
  if (numeric[0] === true && numeric[1] === true) {
    return compareNumbers(left, right);
  }
  if (numeric[0] !== numeric[1]) {
    return numeric[0] === true ? -1 : 1;
  }
  return left < right ? -1 : left > right ? 1 : 0;
}
