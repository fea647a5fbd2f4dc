/** A place as the language server protocol counts: lines and UTF-16 units from 0. */
export interface Position {
  readonly line: number;
  readonly character: number;
}

export interface Range {
  readonly start: Position;
  readonly end: Position;
}

/** Converts between offsets and positions; lines end with `\n`, `\r\n` or `\r`. */
export class LineIndex {
  private readonly starts: readonly number[];

  constructor(private readonly text: string) {
    const starts = [0];
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at);
      if (unit === 0x0a || (unit === 0x0d && text.charCodeAt(at + 1) !== 0x0a)) {
        starts.push(at + 1);
      }
    }
    this.starts = starts;
  }

  get lineCount(): number {
    return this.starts.length;
  }

  /** Offset of the first character of a line; the end of the text past the last one. */
  lineStart(line: number): number {
    return line < 0 ? 0 : (this.starts[line] ?? this.text.length);
  }

  /** Offset of the end of a line, its terminator not included. */
  lineEnd(line: number): number {
    let end = this.lineStart(line + 1);
    if (line + 1 < this.starts.length) {
      end -= 1;
      if (this.text.charCodeAt(end) === 0x0a && end > this.lineStart(line) && this.text.charCodeAt(end - 1) === 0x0d) {
        end -= 1;
      }
    }
    return end;
  }

  /** Between `\r` and `\n` there is no place: that is the end of the line. */
  position(offset: number): Position {
    const at = Math.min(Math.max(offset, 0), this.text.length);
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.starts[middle] ?? 0) <= at) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return { line: low, character: Math.min(at, this.lineEnd(low)) - (this.starts[low] ?? 0) };
  }

  /** A character past the end of its line stands for that end. */
  offset({ line, character }: Position): number {
    if (line < 0) {
      return 0;
    }
    return line >= this.starts.length
      ? this.text.length
      : Math.min(this.lineStart(line) + Math.max(character, 0), this.lineEnd(line));
  }

  range(start: number, end: number): Range {
    return { start: this.position(start), end: this.position(end) };
  }
}
