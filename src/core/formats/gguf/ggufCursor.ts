import { readFully, type ByteSource } from '../../bytes';
import { StudioError, throwIfAborted } from '../../errors';

/** Bytes of the first read: enough for the header of an adapter; each later one doubles, up to the largest. */
const FIRST_READ = 64 * 1024;
const LARGEST_READ = 4 * 1024 * 1024;

/**
 * Reads a GGUF header from front to back through a growing window, so that no more than the header and one
 * window's rest is ever read. {@link ensure} fetches; everything else is synchronous and fails with
 * `gguf/truncated` where the file ends. All numbers are little endian.
 */
export class GgufCursor {
  private window = new Uint8Array(0);
  private view = new DataView(this.window.buffer);
  /** File offset of the window's first byte. */
  private windowStart = 0;
  /** Cursor within the window. */
  private at = 0;
  private nextRead = FIRST_READ;

  constructor(
    private readonly source: ByteSource,
    private readonly signal?: AbortSignal,
  ) {}

  /** Offset in the file. */
  get position(): number {
    return this.windowStart + this.at;
  }

  /** Bytes from the cursor to the end of the file. */
  get remaining(): number {
    return this.source.size - this.position;
  }

  /** Bytes from the cursor that can be read without fetching. */
  get available(): number {
    return this.window.length - this.at;
  }

  /** Makes `bytes` bytes, or all that remain if fewer, readable. The caller has bounded `bytes`. */
  async ensure(bytes: number): Promise<void> {
    if (this.available >= bytes || this.available >= this.remaining) {
      return;
    }
    throwIfAborted(this.signal);
    const wanted = Math.min(Math.max(bytes, this.nextRead), this.remaining);
    this.nextRead = Math.min(this.nextRead * 2, LARGEST_READ);
    const next = new Uint8Array(wanted);
    const kept = this.window.subarray(this.at);
    next.set(kept);
    await readFully(this.source, this.position + kept.length, next.subarray(kept.length));
    this.windowStart = this.position;
    this.window = next;
    this.view = new DataView(next.buffer);
    this.at = 0;
  }

  u8(what: string): number {
    return this.view.getUint8(this.advance(1, what));
  }

  i8(what: string): number {
    return this.view.getInt8(this.advance(1, what));
  }

  u16(what: string): number {
    return this.view.getUint16(this.advance(2, what), true);
  }

  i16(what: string): number {
    return this.view.getInt16(this.advance(2, what), true);
  }

  u32(what: string): number {
    return this.view.getUint32(this.advance(4, what), true);
  }

  i32(what: string): number {
    return this.view.getInt32(this.advance(4, what), true);
  }

  f32(what: string): number {
    return this.view.getFloat32(this.advance(4, what), true);
  }

  u64(what: string): bigint {
    return this.view.getBigUint64(this.advance(8, what), true);
  }

  i64(what: string): bigint {
    return this.view.getBigInt64(this.advance(8, what), true);
  }

  f64(what: string): number {
    return this.view.getFloat64(this.advance(8, what), true);
  }

  /** The next `length` bytes, valid until the next {@link ensure}. */
  bytes(length: number, what: string): Uint8Array {
    const start = this.advance(length, what);
    return this.window.subarray(start, start + length);
  }

  /** What is readable without fetching, for loops that take it apart themselves and then {@link skip} it. */
  readable(): { readonly bytes: Uint8Array; readonly view: DataView } {
    const bytes = this.window.subarray(this.at);
    return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
  }

  /** Moves over `bytes`, at most {@link remaining}, without reading them. */
  skip(bytes: number): void {
    if (bytes <= this.available) {
      this.at += bytes;
      return;
    }
    this.windowStart = this.position + bytes;
    this.window = new Uint8Array(0);
    this.view = new DataView(this.window.buffer);
    this.at = 0;
  }

  /** Fills `target`, which the caller has checked against {@link remaining}. */
  async fill(target: Uint8Array): Promise<void> {
    throwIfAborted(this.signal);
    const kept = this.window.subarray(this.at, Math.min(this.window.length, this.at + target.length));
    target.set(kept);
    await readFully(this.source, this.position + kept.length, target.subarray(kept.length));
    this.skip(target.length);
  }

  private advance(bytes: number, what: string): number {
    if (bytes > this.available) {
      throw new StudioError(
        'gguf/truncated',
        `The GGUF ends at byte ${this.source.size}, inside ${what}. Fetch or write the file again.`,
        {
          detail: { offset: this.position, fileBytes: this.source.size },
        },
      );
    }
    const start = this.at;
    this.at += bytes;
    return start;
  }
}
