import { expect, it } from 'vitest';
import { GgufByteWriter } from '../../src/core/formats/gguf/ggufByteWriter';

type Put = (writer: GgufByteWriter) => void;

/** Each kind of value, with the bytes it stands for. */
const VALUES: readonly (readonly [string, Put, readonly number[]])[] = [
  ['u8', (writer) => writer.u8(7), [7]],
  ['i8', (writer) => writer.i8(-2), [254]],
  ['u16', (writer) => writer.u16(0x0102), [2, 1]],
  ['i16', (writer) => writer.i16(-2), [254, 255]],
  ['u32', (writer) => writer.u32(0x01020304), [4, 3, 2, 1]],
  ['i32', (writer) => writer.i32(-2), [254, 255, 255, 255]],
  ['f32', (writer) => writer.f32(1), [0, 0, 128, 63]],
  ['f64', (writer) => writer.f64(1), [0, 0, 0, 0, 0, 0, 240, 63]],
  ['u64', (writer) => writer.u64(1n), [1, 0, 0, 0, 0, 0, 0, 0]],
  ['i64', (writer) => writer.i64(-1n), [255, 255, 255, 255, 255, 255, 255, 255]],
  ['bytes', (writer) => writer.bytes(Uint8Array.of(1, 2, 3)), [1, 2, 3]],
  ['string', (writer) => writer.string('é'), [2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0xa9]],
];

// The buffer begins with 64 KiB: a header of a real vocabulary outgrows it several times.
it.each(VALUES)('%s survives the buffer growing under it', (_name, put, expected) => {
  const writer = new GgufByteWriter();
  writer.bytes(new Uint8Array(64 * 1024 - 1).fill(9));
  put(writer);
  writer.u8(5);
  const bytes = writer.padded(1);
  expect([...bytes.subarray(64 * 1024 - 2)]).toEqual([9, ...expected, 5]);
});
