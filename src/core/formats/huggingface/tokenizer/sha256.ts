/** SHA-256 of bytes as lower-case hex; core has no cryptography of its own. */
export type Sha256 = (bytes: Uint8Array) => string;
