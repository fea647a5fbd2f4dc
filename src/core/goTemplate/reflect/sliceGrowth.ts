/** Sizes in bytes that Go's allocator hands out (runtime/sizeclasses.go of Go 1.26). */
const SIZE_CLASSES = [
  8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416, 448, 480,
  512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864,
  5120, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480,
  21760, 24576, 27264, 28672, 32768,
];
const PAGE = 8192;
/** From this size on, memory with pointers in it has a header of {@link HEADER} bytes. */
const HEADER_FROM = 512;
const HEADER = 8;

function allocated(bytes: number): number {
  const header = bytes > HEADER_FROM ? HEADER : 0;
  const size = SIZE_CLASSES.find((known) => known >= bytes + header);
  return size === undefined ? Math.ceil(bytes / PAGE) * PAGE : size - header;
}

/**
 * The capacity of a Go slice that grew to `length` by appending one element at a time, as JSON decoding does.
 * A template sees it when it slices beyond the length.
 */
export function grownCapacity(length: number, elementSize: number): number {
  let capacity = 0;
  while (capacity < length) {
    const wanted = capacity < 256 ? Math.max(2 * capacity, 1) : capacity + Math.floor((capacity + 768) / 4);
    capacity = Math.floor(allocated(wanted * elementSize) / elementSize);
  }
  return capacity;
}
