/**
 * What files may announce before we refuse them. Every number from a file is also checked against what
 * remains of that file before anything is allocated or looped over.
 */
export const LIMITS = {
  gguf: {
    /** Bytes of one string value. */
    stringBytes: 16 * 1024 * 1024,
    /** Elements of one array value. */
    arrayElements: 64 * 1024 * 1024,
    keys: 100_000,
    tensors: 1_000_000,
    keyBytes: 65_535,
    tensorNameBytes: 63,
    dimensions: 4,
    /** Length of one dimension. */
    dimension: 2 ** 40,
    alignment: 1024 * 1024,
    /** All of keys, values and tensor entries: several times what the largest vocabularies need. */
    headerBytes: 128 * 1024 * 1024,
  },
  safetensors: {
    /** The format's own limit. */
    headerBytes: 100_000_000,
    shards: 10_000,
    dimensions: 32,
  },
  json: {
    /** config.json, adapter_config.json and their like. */
    configBytes: 16 * 1024 * 1024,
    /** tokenizer.json of the largest vocabularies is about 40 MB. */
    tokenizerBytes: 256 * 1024 * 1024,
    /** Nesting depth. */
    depth: 200,
  },
  pickle: {
    /** Bytes of one stream that are walked; the object graph of real checkpoints is far smaller. */
    bytes: 16 * 1024 * 1024,
    opcodes: 500_000,
    imports: 1000,
    /** Bytes of one text that are kept. */
    textBytes: 512,
    /** Streams in one archive. */
    streams: 16,
  },
  zip: {
    entries: 10_000,
    directoryBytes: 4 * 1024 * 1024,
  },
  modelfileBytes: 4 * 1024 * 1024,
  chatTemplateBytes: 1024 * 1024,
} as const;
