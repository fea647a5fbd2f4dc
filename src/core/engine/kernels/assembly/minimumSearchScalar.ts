// Scalar helpers: half floats, integer rounding, and the fallback search for
// sub-blocks that the vector code does not certify.

// @ts-ignore: decorator
@inline
export function roundInt(v: f32): i32 {
  return (reinterpret<i32>(v + <f32>12582912) & 0x7fffff) - 0x400000;
}

// @ts-ignore: decorator
@inline
export function clampInt(v: i32, top: i32): i32 {
  return max(0, min(top, v));
}

const AUX: usize = memory.data(32, 16);
export let foundMin: f32 = 0;

// One sub-block: x floats, w weights, levels to out. Returns the scale and
// leaves the negated minimum in foundMin.
export function searchScalar(x: usize, w: usize, n: i32, top: i32, rmin: f32, rstep: f32, steps: i32, mad: bool, le: bool, out: usize): f32 {
  const end = <usize>n << 2;
  let lo = load<f32>(x), hi = lo, sw = load<f32>(w), sx = sw * lo;
  for (let o: usize = 4; o < end; o += 4) {
    const v = load<f32>(x + o), u = load<f32>(w + o);
    if (v < lo) lo = v;
    if (v > hi) hi = v;
    sw += u;
    sx += u * v;
  }
  if (lo > 0) lo = 0;
  if (le ? hi <= lo : hi == lo) {
    memory.fill(out, 0, n);
    foundMin = -lo;
    return 0;
  }
  let inv = <f32>top / (hi - lo), scale = <f32>1 / inv, best: f32 = 0;
  for (let o: usize = 0; o < end; o += 4) {
    const v = load<f32>(x + o), l = clampInt(roundInt(inv * (v - lo)), top);
    store<u8>(out + (o >> 2), l);
    const d = scale * <f32>l + lo - v;
    best += load<f32>(w + o) * (mad ? abs(d) : d * d);
  }
  for (let s = 0; s <= steps; s++) {
    inv = (rmin + rstep * <f32>s + <f32>top) / (hi - lo);
    let s1: f32 = 0, s2: f32 = 0, sl: f32 = 0;
    for (let o: usize = 0; o < end; o += 4) {
      const v = load<f32>(x + o), l = clampInt(roundInt(inv * (v - lo)), top);
      store<u8>(AUX + (o >> 2), l);
      const t = load<f32>(w + o) * <f32>l;
      s1 += t;
      s2 += t * <f32>l;
      sl += t * v;
    }
    const det = sw * s2 - s1 * s1;
    if (!(det > 0)) continue;
    let ts = (sw * sl - sx * s1) / det, tm = (s2 * sx - s1 * sl) / det;
    if (tm > 0) {
      tm = 0;
      ts = sl / s2;
    }
    let err: f32 = 0;
    for (let o: usize = 0; o < end; o += 4) {
      const d = ts * <f32>load<u8>(AUX + (o >> 2)) + tm - load<f32>(x + o);
      err += load<f32>(w + o) * (mad ? abs(d) : d * d);
    }
    if (err < best) {
      memory.copy(out, AUX, n);
      best = err;
      scale = ts;
      lo = tm;
    }
  }
  foundMin = -lo;
  return scale;
}
