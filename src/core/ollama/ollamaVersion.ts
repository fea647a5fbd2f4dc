import { compareVersions } from '../golang/semver';

/** `files` of `/api/create` appeared in this version: nothing older can be given a model. */
export const OLDEST_USABLE = '0.5.5';

/**
 * Older servers can be made to read outside their memory by a crafted GGUF that they quantise (CVE-2026-7482): there we
 * quantise ourselves.
 */
export const SAFE_QUANTISING_SINCE = '0.17.1';

/** A build without a version of its own says 0.0.0: taken for a new one. */
function isUnversioned(version: string): boolean {
  return /^0\.0\.0(?:$|[-+])/.test(version);
}

/** True where `version` is known to come before `floor`. */
export function isOlderThan(version: string, floor: string): boolean {
  return !isUnversioned(version) && compareVersions(version.replace(/^v/, ''), floor) < 0;
}
