// What core uses of the WebAssembly API. It is part of the language's hosts, not of ECMAScript's own library, and
// the declarations that TypeScript has of it come with a whole browser.

/** A linear memory. With a fixed size its buffer is never replaced, so views of it stay valid. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

interface WebAssemblyApi {
  readonly Memory: new (descriptor: { readonly initial: number; readonly maximum: number }) => WasmMemory;
  instantiate(
    bytes: Uint8Array,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ): Promise<{ readonly instance: { readonly exports: unknown } }>;
}

/** The host's WebAssembly. */
export const webAssembly = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;
