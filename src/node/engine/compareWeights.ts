import { readFully } from '../../core/bytes';
import { Kernels } from '../../core/engine/kernels/kernels';
import { storedType } from '../../core/engine/storedMatrix';
import { throwIfAborted } from '../../core/errors';
import { elementCount, SAFETENSORS_DTYPES, type TensorRef } from '../../core/formats/tensorRef';
import { openFileSource } from '../files/fileSource';

const CHUNK = 1024 * 1024;

/** True when two stored tensors hold the same values, whatever float type each has. */
export async function sameWeight(a: TensorRef, b: TensorRef, signal?: AbortSignal): Promise<boolean> {
  const [typeA, typeB] = [storedType(a.dtype), storedType(b.dtype)];
  if (typeA === undefined || typeB === undefined || a.shape.join() !== b.shape.join()) {
    return false;
  }
  const kernels = await Kernels.instantiate(4 * 1024 * 1024 + 4 * CHUNK * 8);
  const at = [0, 1, 2, 3].map((index) => kernels.heapBase + index * CHUNK * 8) as [number, number, number, number];
  const [sourceA, sourceB] = [await openFileSource(a.file, { signal }), await openFileSource(b.file, { signal })];
  try {
    const total = elementCount(a.shape);
    for (let first = 0; first < total; first += CHUNK) {
      throwIfAborted(signal);
      const count = Math.min(CHUNK, total - first);
      for (const [source, tensor, type, raw, wide] of [
        [sourceA, a, typeA, at[0], at[1]],
        [sourceB, b, typeB, at[2], at[3]],
      ] as const) {
        const width = SAFETENSORS_DTYPES[tensor.dtype] / 8;
        await readFully(
          source,
          tensor.offset + first * width,
          new Uint8Array(kernels.memory.buffer, raw, count * width),
        );
        kernels.widen(type, raw, wide, count);
      }
      const [left, right] = [
        new Float32Array(kernels.memory.buffer, at[1], count),
        new Float32Array(kernels.memory.buffer, at[3], count),
      ];
      if (left.some((value, index) => value !== right[index])) {
        return false;
      }
    }
    return true;
  } finally {
    await sourceA.close();
    await sourceB.close();
  }
}
