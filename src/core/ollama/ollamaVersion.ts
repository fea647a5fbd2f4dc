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

/** Adapters are attached to models up to this version; the next one refuses `ADAPTER` and `adapters`. */
export const LAST_WITH_ADAPTERS = '0.34.0';

/** Whether a server of this version takes an adapter beside a model; where none is known, the newest is assumed, which does not. */
export function attachesAdapters(version: string | undefined): boolean {
  return version !== undefined && !isUnversioned(version) && compareVersions(release(version), LAST_WITH_ADAPTERS) <= 0;
}

/** A version without what follows its three numbers: a candidate of a version behaves as that version does. */
function release(version: string): string {
  return /^v?(\d+\.\d+\.\d+)/.exec(version)?.[1] ?? version;
}

/** What a server makes of a 16-bit model where it quantises. */
export const SERVER_TYPES: readonly string[] = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_K_S', 'Q4_K_M'];

/** Whether a server quantises GGUFs, and can do so without being harmed by a crafted one. */
export function serverQuantises(version: string | undefined): boolean {
  return attachesAdapters(version) && version !== undefined && !isOlderThan(version, SAFE_QUANTISING_SINCE);
}

/** Whether a server converts the folders of Hugging Face models to GGUF. */
export function convertsFolders(version: string | undefined): boolean {
  return attachesAdapters(version);
}
