/**
 * A digest of a blob, `sha256:` and 64 hexadecimal digits in lower case; undefined for anything else. No path and no
 * URL is ever built from a digest that did not come through here.
 */
export function parseBlobDigest(text: string): string | undefined {
  return /^sha256[:-][0-9a-f]{64}$/i.test(text) ? `sha256:${text.slice(7).toLowerCase()}` : undefined;
}
