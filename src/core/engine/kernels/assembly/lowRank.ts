// target += scale * left x right: the adapter's delta on a tile of rows. Every sum runs over the rank in
// order, whatever the tile, so the result does not depend on how rows are cut into units.

// @ts-ignore: decorator
@inline function put(target: usize, sum: v128, scale: v128): void {
  v128.store(target, f32x4.add(v128.load(target), f32x4.mul(scale, sum)));
}

/** Four rows by sixteen columns... eight accumulators of two vectors per row. */
function tile4x8(target: usize, left: usize, right: usize, columns: usize, rank: usize, scale: v128): void {
  const pitch = columns << 2, depth = rank << 2;
  let a0 = f32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
  const l1 = left + depth, l2 = l1 + depth, l3 = l2 + depth;
  for (let k: usize = 0; k < depth; k += 4) {
    const r0 = v128.load(right), r1 = v128.load(right, 16);
    let l = v128.load32_splat(left + k);
    a0 = f32x4.add(a0, f32x4.mul(l, r0)); a1 = f32x4.add(a1, f32x4.mul(l, r1));
    l = v128.load32_splat(l1 + k);
    b0 = f32x4.add(b0, f32x4.mul(l, r0)); b1 = f32x4.add(b1, f32x4.mul(l, r1));
    l = v128.load32_splat(l2 + k);
    c0 = f32x4.add(c0, f32x4.mul(l, r0)); c1 = f32x4.add(c1, f32x4.mul(l, r1));
    l = v128.load32_splat(l3 + k);
    d0 = f32x4.add(d0, f32x4.mul(l, r0)); d1 = f32x4.add(d1, f32x4.mul(l, r1));
    right += pitch;
  }
  put(target, a0, scale); put(target + 16, a1, scale); target += pitch;
  put(target, b0, scale); put(target + 16, b1, scale); target += pitch;
  put(target, c0, scale); put(target + 16, c1, scale); target += pitch;
  put(target, d0, scale); put(target + 16, d1, scale);
}

function scalar(target: usize, left: usize, right: usize, columns: usize, rank: usize, scale: f32): void {
  let sum: f32 = 0;
  for (let k: usize = 0; k < rank; k++) sum += load<f32>(left + (k << 2)) * load<f32>(right + ((k * columns) << 2));
  store<f32>(target, load<f32>(target) + scale * sum);
}

/** target[rows, columns] += scale * left[rows, rank] x right[rank, columns]. */
export function addLowRank(target: usize, left: usize, right: usize, rows: usize, columns: usize, rank: usize, scale: f32): void {
  const s = f32x4.splat(scale), pitch = columns << 2, depth = rank << 2;
  const wide = columns & ~7, tall = rows & ~3;
  for (let i: usize = 0; i < tall; i += 4) {
    for (let j: usize = 0; j < wide; j += 8) tile4x8(target + i * pitch + (j << 2), left + i * depth, right + (j << 2), columns, rank, s);
  }
  for (let i: usize = 0; i < rows; i++) {
    for (let j: usize = i < tall ? wide : 0; j < columns; j++) {
      scalar(target + i * pitch + (j << 2), left + i * depth, right + (j << 2), columns, rank, scale);
    }
  }
}
