import { Kernels } from '../../src/core/engine/kernels/kernels';

/** Kernels with room for tests, and a way to put arrays into their memory and take them out. */
export class Bench {
  readonly kernels: Kernels;
  #next: number;

  private constructor(kernels: Kernels) {
    this.kernels = kernels;
    this.#next = kernels.heapBase;
  }

  static async create(bytes = 64 * 1024 * 1024): Promise<Bench> {
    return new Bench(await Kernels.instantiate(bytes));
  }

  /** Forgets all that was put in. */
  reset(): void {
    this.#next = this.kernels.heapBase;
  }

  /** Room for `bytes`, filled with 0xa5, and as much again before and after that nothing may touch; see {@link check}. */
  room(bytes: number, shift = 0): number {
    const address = this.#next + GUARD + shift;
    const end = address + bytes + GUARD;
    if (end > this.kernels.memory.buffer.byteLength) {
      throw new Error('the tests need more memory');
    }
    new Uint8Array(this.kernels.memory.buffer, this.#next, end - this.#next).fill(0xa5);
    this.#next = Math.ceil(end / 64) * 64;
    return address;
  }

  put(values: Float32Array | Uint8Array | Uint16Array | Uint32Array | Float64Array, shift = 0): number {
    const address = this.room(values.byteLength, shift);
    this.bytes(address, values.byteLength).set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return address;
  }

  bytes(address: number, count: number): Uint8Array {
    return new Uint8Array(this.kernels.memory.buffer, address, count);
  }

  /** A copy. */
  floats(address: number, count: number): Float32Array {
    return new Float32Array(this.bytes(address, count * 4).slice().buffer);
  }

  /** True if nothing was written within 64 bytes around [address, address + bytes). */
  untouchedAround(address: number, bytes: number): boolean {
    const before = this.bytes(address - GUARD, GUARD);
    const after = this.bytes(address + bytes, GUARD);
    return before.every((byte) => byte === 0xa5) && after.every((byte) => byte === 0xa5);
  }
}

const GUARD = 64;
