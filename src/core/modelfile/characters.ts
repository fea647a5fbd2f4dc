/** Character classes of Ollama's Modelfile grammar, on UTF-16 units. */

export function isNewline(unit: number): boolean {
  return unit === 0x0a || unit === 0x0d;
}

export function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}

export function isLetter(unit: number): boolean {
  return (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x41 && unit <= 0x5a);
}

/** What a parameter's name is made of. */
export function isNameUnit(unit: number): boolean {
  return isLetter(unit) || (unit >= 0x30 && unit <= 0x39) || unit === 0x5f;
}

/** Units that the character at `at` takes: 2 for a surrogate pair. */
export function unitsAt(text: string, at: number): 1 | 2 {
  const unit = text.charCodeAt(at);
  if (unit < 0xd800 || unit > 0xdbff) {
    return 1;
  }
  const next = text.charCodeAt(at + 1);
  return next >= 0xdc00 && next <= 0xdfff ? 2 : 1;
}

/** Offset of the newline that ends the line of `at`, or of the end of the text. */
export function endOfLine(text: string, at: number): number {
  let end = at;
  while (end < text.length && !isNewline(text.charCodeAt(end))) {
    end += 1;
  }
  return end;
}
