import { alignUp } from '../../bytes';

const ENCODER = new TextEncoder();
/** UTF-8 bytes that one UTF-16 unit can take. */
const BYTES_A_UNIT = 3;

/** Collects the little-endian bytes of a GGUF header in a buffer that grows. */
export class GgufByteWriter {
  private buffer = new Uint8Array(64 * 1024);
  private view = new DataView(this.buffer.buffer);
  private used = 0;

  /** Bytes so far. */
  get length(): number {
    return this.used;
  }

  u8(value: number): void {
    const at = this.grow(1);
    this.view.setUint8(at, value);
  }

  i8(value: number): void {
    const at = this.grow(1);
    this.view.setInt8(at, value);
  }

  u16(value: number): void {
    const at = this.grow(2);
    this.view.setUint16(at, value, true);
  }

  i16(value: number): void {
    const at = this.grow(2);
    this.view.setInt16(at, value, true);
  }

  u32(value: number): void {
    const at = this.grow(4);
    this.view.setUint32(at, value, true);
  }

  i32(value: number): void {
    const at = this.grow(4);
    this.view.setInt32(at, value, true);
  }

  f32(value: number): void {
    const at = this.grow(4);
    this.view.setFloat32(at, value, true);
  }

  f64(value: number): void {
    const at = this.grow(8);
    this.view.setFloat64(at, value, true);
  }

  u64(value: bigint): void {
    const at = this.grow(8);
    this.view.setBigUint64(at, value, true);
  }

  i64(value: bigint): void {
    const at = this.grow(8);
    this.view.setBigInt64(at, value, true);
  }

  bytes(bytes: Uint8Array): void {
    const at = this.grow(bytes.length);
    this.buffer.set(bytes, at);
  }

  /** A string as GGUF has them: u64 bytes of UTF-8, then those. Resolves to that number of bytes. */
  string(text: string): number {
    const start = this.grow(8 + text.length * BYTES_A_UNIT);
    const { written } = ENCODER.encodeInto(text, this.buffer.subarray(start + 8));
    this.view.setBigUint64(start, BigInt(written), true);
    this.used = start + 8 + written;
    return written;
  }

  /** Everything so far and zeros up to a multiple of `alignment`. */
  padded(alignment: number): Uint8Array {
    const result = new Uint8Array(alignUp(this.used, alignment));
    result.set(this.buffer.subarray(0, this.used));
    return result;
  }

  /** Where the next `bytes` bytes go. Call it first: it may put another buffer and view in the place of this one. */
  private grow(bytes: number): number {
    const start = this.used;
    this.used += bytes;
    if (this.used > this.buffer.length) {
      const larger = new Uint8Array(Math.max(this.used, this.buffer.length * 2));
      larger.set(this.buffer.subarray(0, start));
      this.buffer = larger;
      this.view = new DataView(larger.buffer);
    }
    return start;
  }
}
