import type { ByteString } from '../../golang/byteString';

/** Told of every byte that is written anywhere; throws when there are too many. */
export interface ByteMeter {
  charge: (bytes: number) => void;
  /** Told when an address is printed: it differs from run to run. */
  showAddress: () => void;
}

/** Collects bytes in pieces. */
export class OutputBuffer {
  private readonly pieces: ByteString[] = [];

  constructor(readonly meter: ByteMeter) {}

  write(bytes: ByteString): void {
    this.meter.charge(bytes.length);
    this.pieces.push(bytes);
  }

  /** Writes what was counted when it was made. */
  append(bytes: ByteString): void {
    this.pieces.push(bytes);
  }

  /** A piece many times; charged before it is made. */
  repeat(piece: ByteString, count: number): void {
    if (count > 0) {
      this.meter.charge(piece.length * count);
      this.pieces.push(piece.repeat(count));
    }
  }

  toString(): ByteString {
    return this.pieces.join('');
  }
}
