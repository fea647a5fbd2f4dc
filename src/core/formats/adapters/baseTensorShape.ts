/** The shape of a base tensor, slowest dimension first; of a quantised one, what it has dequantised. */
export interface BaseTensorShape {
  readonly shape: readonly number[];
}
