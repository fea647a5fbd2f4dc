// Weighted fit of non-negative values to small integers with one scale.
import { roundInt } from "./minimumSearchScalar";

export const QS: usize = memory.data(32, 16);

export function fitPositive(x: usize, w: usize, n: i32, top: i32, q: usize): f32 {
  let hi: f32 = 0;
  for (let i = 0; i < n; i++) {
    const v = load<f32>(x + (i << 2));
    hi = hi > v ? hi : v;
  }
  if (hi < 1e-15) {
    memory.fill(q, 0, n);
    return 0;
  }
  let inv = <f32>top / hi, scale = <f32>1 / inv, best: f32 = 0;
  for (let i = 0; i < n; i++) {
    const v = load<f32>(x + (i << 2));
    const d = v - scale * <f32>(roundInt(inv * v) & 0xff);
    best += load<f32>(w + (i << 2)) * d * d;
  }
  for (let s = -4; s <= 4; s++) {
    if (!s) continue;
    const is = (<f32>0.1 * <f32>s + <f32>top) / hi, sc = <f32>1 / is;
    let err: f32 = 0;
    for (let i = 0; i < n; i++) {
      const v = load<f32>(x + (i << 2));
      const d = v - sc * <f32>min(top, roundInt(is * v));
      err += load<f32>(w + (i << 2)) * d * d;
    }
    if (err < best) {
      best = err;
      inv = is;
    }
  }
  let sx: f32 = 0, s2: f32 = 0;
  for (let i = 0; i < n; i++) {
    const v = load<f32>(x + (i << 2)), u = load<f32>(w + (i << 2));
    const l = min(top, roundInt(inv * v)) & 0xff;
    store<u8>(q + i, l);
    const f = <f32>min(top, roundInt(inv * v));
    sx += u * v * f;
    s2 += u * f * f;
  }
  for (let t = 0; t < 5; t++) {
    let changed = false;
    for (let i = 0; i < n; i++) {
      const v = load<f32>(x + (i << 2)), u = load<f32>(w + (i << 2));
      const l = load<u8>(q + i), f = <f32>l;
      let nx = sx - u * v * f, n2 = s2 - u * f * f;
      if (!(nx > 0 && n2 > 0)) continue;
      const m = min(top, roundInt(v * n2 / nx));
      if (m == l) continue;
      const g = <f32>m;
      nx += u * v * g;
      n2 += u * g * g;
      if (nx * nx * s2 > sx * sx * n2) {
        store<u8>(q + i, m);
        sx = nx;
        s2 = n2;
        changed = true;
      }
    }
    if (!changed) break;
  }
  return s2 > 0 ? sx / s2 : 0;
}
