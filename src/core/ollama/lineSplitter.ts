import { StudioError } from '../errors';

/** Bytes of one record of a stream: the largest real ones (a message with its tool calls) are some kB. */
export const MAX_LINE_BYTES = 1024 * 1024;
const MAX_PARTS = 1024;

/**
 * Cuts a stream of bytes into lines of at most {@link MAX_LINE_BYTES}; what has been seen of an unfinished line is all
 * that it holds.
 * @throws StudioError ollama/protocol for a longer line, or bytes that are no UTF-8
 */
export class LineSplitter {
  private parts: Uint8Array[] = [];
  private held = 0;

  constructor(private readonly limit = MAX_LINE_BYTES) {}

  /** The lines that `chunk` completes, without their ends; empty ones are left out. */
  *push(chunk: Uint8Array): Generator<string> {
    let start = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, start)) {
      this.hold(chunk.subarray(start, at));
      start = at + 1;
      const line = this.take();
      if (line !== '') {
        yield line;
      }
    }
    this.hold(chunk.subarray(start));
  }

  /** What is left when the stream has ended. */
  end(): string {
    return this.take();
  }

  private hold(bytes: Uint8Array): void {
    this.held += bytes.length;
    if (this.held > this.limit) {
      throw new StudioError(
        'ollama/protocol',
        `The server sent a line of more than ${this.limit} bytes, which no Ollama does. Check that the address is that of an Ollama server.`,
      );
    }
    if (bytes.length > 0) {
      // The chunk's memory may be used again by who gave it.
      this.parts.push(bytes.slice());
      // A line that comes byte by byte must not cost an object for each.
      if (this.parts.length > MAX_PARTS) {
        this.parts = [this.joined()];
      }
    }
  }

  private joined(): Uint8Array {
    const bytes = new Uint8Array(this.held);
    let at = 0;
    for (const part of this.parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  private take(): string {
    const bytes = this.joined();
    this.parts = [];
    this.held = 0;
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim();
    } catch {
      throw new StudioError(
        'ollama/protocol',
        'The server sent bytes that are no text. Check that the address is that of an Ollama server.',
      );
    }
  }
}
