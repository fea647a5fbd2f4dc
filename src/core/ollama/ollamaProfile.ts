import { compareVersions, parseSemver } from '../golang/semver';
import { behaviour, type OllamaBehaviourName } from './ollamaBehaviours';
import { KNOWN_VERSIONS, NEWEST_KNOWN, ollamaNames, type Availability, type OllamaNameKind } from './ollamaTable';

/** Where the version came from that something is judged for. */
export type OllamaVersionSource = 'given' | 'server' | 'program' | 'assumed';

/** How a version stands to something: `yes`, it has it; `not-yet` and `gone`; `unknown`, no release that was read has it. */
export type Standing = 'yes' | 'not-yet' | 'gone' | 'unknown';

/** What one version of Ollama knows and does: the only place that is asked. */
export interface OllamaProfile {
  /** `0.34.4`, as it was given; the newest known one where none was. */
  readonly version: string;
  readonly source: OllamaVersionSource;
  /** Nobody said the version: it is the newest one that was read. What it refuses may be taken by the one that will be used. */
  readonly isAssumed: boolean;
  /** The newest release whose sources were read. */
  readonly newestKnown: string;
  /** What this version added or took away is not known: it is judged as the newest known one. */
  readonly isNewerThanKnown: boolean;
  does(name: OllamaBehaviourName): boolean;
  standing(kind: OllamaNameKind, name: string): Standing;
  has(kind: OllamaNameKind, name: string): boolean;
  /** The names of a kind that this version has. */
  names(kind: OllamaNameKind): readonly string[];
}

/**
 * The profile of a version. A pre-release counts as its release, whose changes it has for the most part; a build without a
 * version (0.0.0) and what is no version as the newest known one.
 * @param version `0.34.4` or `v0.34.4`; undefined where nobody knows
 * @param source where it was found; without a version it is `assumed` whatever is given here
 */
export function ollamaProfile(version: string | undefined, source: OllamaVersionSource = 'given'): OllamaProfile {
  const release = version === undefined ? undefined : releaseOf(version);
  const judged = release ?? NEWEST_KNOWN;
  const stand = ({ since, gone }: Availability): Standing =>
    since !== undefined && compareVersions(judged, since) < 0
      ? 'not-yet'
      : gone !== undefined && compareVersions(judged, gone) >= 0
        ? 'gone'
        : 'yes';
  const standing = (kind: OllamaNameKind, name: string): Standing => {
    const entry = ollamaNames(kind).get(name);
    return entry === undefined ? 'unknown' : stand(entry);
  };
  return {
    version: release === undefined ? NEWEST_KNOWN : version!.replace(/^v/, ''),
    source: release === undefined ? 'assumed' : source,
    isAssumed: release === undefined,
    newestKnown: NEWEST_KNOWN,
    isNewerThanKnown: compareVersions(judged, NEWEST_KNOWN) > 0,
    does: (name) => stand(behaviour(name)) === 'yes',
    standing,
    has: (kind, name) => standing(kind, name) === 'yes',
    names: (kind) => [...ollamaNames(kind)].filter(([, entry]) => stand(entry) === 'yes').map(([name]) => name),
  };
}

/** `0.34.1` of `v0.34.1-rc0`; undefined for a build without a version and for what is none. */
function releaseOf(version: string): string | undefined {
  const parsed = parseSemver(`v${version.replace(/^v/, '')}`);
  if (parsed === undefined) {
    return undefined;
  }
  const release = `${parsed.major}.${parsed.minor}.${parsed.patch}`;
  return release === '0.0.0' ? undefined : release;
}

const SOURCES: Readonly<Record<Exclude<OllamaVersionSource, 'assumed'>, string>> = {
  given: 'the version that was given',
  server: 'the running server',
  program: 'the installed program',
};

/** `judged for Ollama 0.34.4, the newest that this version of Modelfile Studio knows`: true also when newer ones are out. */
export function judgedFor(profile: OllamaProfile): string {
  const { version, source, newestKnown } = profile;
  if (source === 'assumed') {
    return `judged for Ollama ${newestKnown}, the newest that this version of Modelfile Studio knows`;
  }
  const newer = profile.isNewerThanKnown
    ? `, which is newer than ${newestKnown}, the newest that this version of Modelfile Studio knows`
    : '';
  return `judged for Ollama ${version}, ${SOURCES[source]}${newer}`;
}

/** The last release that has what is gone in `gone`, where the releases about it were read: `0.34.0` for `0.34.1`. */
export function lastBefore(gone: string): string | undefined {
  const index = KNOWN_VERSIONS.indexOf(gone);
  return index < 1 ? undefined : KNOWN_VERSIONS[index - 1];
}

/** `since Ollama 0.12.0, until 0.34.0`; `gone in 0.12.11` where the last one before is not known; undefined where nothing is. */
export function availabilityText({ since, gone }: Availability): string | undefined {
  const last = gone === undefined ? undefined : lastBefore(gone);
  const first = since === undefined ? undefined : `since Ollama ${since}`;
  const ollama = first === undefined ? 'Ollama ' : '';
  const end =
    gone === undefined ? undefined : last === undefined ? `gone in ${ollama}${gone}` : `until ${ollama}${last}`;
  return first === undefined && end === undefined ? undefined : [first, end].filter(Boolean).join(', ');
}
