declare module '*.wasm' {
  const bytes: Uint8Array;
  // eslint-disable-next-line no-restricted-syntax -- the shape that bundlers give a binary import
  export default bytes;
}
