import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GgufValue } from '../../src/core/formats/gguf/ggufTypes';
import { readGguf } from '../../src/core/formats/gguf/readGguf';
import { encodeGgufHeader } from '../../src/core/formats/gguf/writeGguf';
import { openFileSource } from '../../src/node/files/fileSource';

/**
 * Cuts a GGUF into parts as gguf-split does: all keys in the first, the three of the split in each.
 * @param folder where a folder of the parts is made
 */
export async function splitGguf(path: string, count: number, folder: string): Promise<string[]> {
  const source = await openFileSource(path);
  const file = await readGguf(source, { path });
  await source.close();
  const data = readFileSync(path);
  const at = mkdtempSync(join(folder, 'split-'));
  const per = Math.ceil(file.tensors.length / count);
  return Array.from({ length: count }, (_, part) => {
    const tensors = file.tensors.slice(part * per, (part + 1) * per);
    const keys: (readonly [string, GgufValue])[] = [
      ...(part === 0 ? file.metadata : []),
      ['split.no', { type: 'u16', value: part }],
      ['split.count', { type: 'u16', value: count }],
      ['split.tensors.count', { type: 'i32', value: file.tensors.length }],
    ];
    const { header, tensors: places, dataBytes } = encodeGgufHeader({ metadata: keys, tensors });
    const bytes = new Uint8Array(header.length + dataBytes);
    bytes.set(header);
    tensors.forEach((tensor, i) => {
      const from = file.dataOffset + tensor.offset;
      bytes.set(data.subarray(from, from + places[i]!.bytes), header.length + places[i]!.offset);
    });
    const name = join(at, `model-${String(part + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.gguf`);
    writeFileSync(name, bytes);
    return name;
  });
}
