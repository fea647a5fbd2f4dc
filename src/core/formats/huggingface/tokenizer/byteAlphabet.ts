/** GPT-2's byte alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 and up, in order. */
export const BYTE_TO_CHAR: readonly string[] = makeAlphabet();

/** The byte that a character of the alphabet stands for. */
export const CHAR_TO_BYTE: ReadonlyMap<string, number> = new Map(BYTE_TO_CHAR.map((char, byte) => [char, byte]));

function makeAlphabet(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : next++);
  });
}

const UTF8 = new TextEncoder();
const LOSSY = new TextDecoder('utf-8', { ignoreBOM: true });

/** The UTF-8 bytes of a text, spelt in the alphabet. */
export function toByteAlphabet(text: string): string {
  return Array.from(UTF8.encode(text), (byte) => BYTE_TO_CHAR[byte]!).join('');
}

/**
 * What the ByteLevel decoder makes of one token: its bytes where every character is of the alphabet (with U+FFFD for
 * bytes that are not UTF-8), else the text as it is.
 */
export function fromByteAlphabet(token: string): string {
  const bytes = Array.from(token, (char) => CHAR_TO_BYTE.get(char));
  return bytes.includes(undefined) ? token : LOSSY.decode(Uint8Array.from(bytes as number[]));
}
