/**
 * Every error code of the product with what it means. The documentation page of error codes is generated
 * from this table, and `ErrorCode` is its set of keys: a code that is not here does not compile.
 */
export const ERROR_CODES = {
  'usage/arguments': 'The command line does not say what to do, or says it twice.',
  'internal/unexpected': 'A failure nobody foresaw: a bug.',
  'run/cancelled': 'The user cancelled.',

  'json/syntax': 'A JSON file does not parse.',
  'json/duplicate-key': 'A JSON object has the same key twice.',
  'json/too-large': 'A JSON file is larger than such a file can be.',

  'input/missing': 'A file or folder does not exist.',
  'input/not-regular': 'A path is a device, a pipe or a folder where a file is needed.',
  'input/changed': 'A file changed while it was read.',
  'input/unreadable': 'The operating system refused to read a file.',
  'input/lfs-pointer': 'A file is a Git LFS pointer: the real file was never downloaded.',
  'input/pickle': 'A file is a Python pickle, which is never loaded.',
  'input/unrecognised': 'A file or folder is nothing that this product knows.',
  'input/empty': 'A file is empty.',

  'gguf/magic': 'A file does not begin as a GGUF does.',
  'gguf/version': 'A GGUF of a version that is not read.',
  'gguf/endianness': 'A big-endian GGUF.',
  'gguf/truncated': 'A GGUF ends before its header or data does.',
  'gguf/count': 'A GGUF announces more keys or tensors than it can hold.',
  'gguf/length': 'A string or array in a GGUF is longer than the file or the limit.',
  'gguf/type': 'A GGUF has an unknown value, array or tensor type.',
  'gguf/key': 'A GGUF key is empty, too long or there twice.',
  'gguf/tensor-name': 'A tensor name is too long, invalid or there twice.',
  'gguf/dimensions': 'A tensor has too many or impossible dimensions.',
  'gguf/size': 'The size of a tensor cannot be represented or its rows do not divide into blocks.',
  'gguf/offset': 'A tensor does not lie where the format says it must.',
  'gguf/alignment': 'The alignment of a GGUF is not a power of two within the limit.',
  'gguf/metadata': 'A known metadata key has a value of the wrong type or range.',
  'gguf/values': 'Tensor data holds NaN or infinite values.',
  'gguf/encoding': 'A string in a GGUF is not valid UTF-8.',

  'safetensors/header-size': 'The header length of a safetensors file is impossible.',
  'safetensors/header': 'The header of a safetensors file is not the JSON that the format demands.',
  'safetensors/layout': 'Tensors of a safetensors file overlap, leave holes or do not end with the file.',
  'safetensors/tensor': 'A tensor entry has a dtype, shape or span that do not fit each other.',
  'safetensors/truncated': 'A safetensors file is shorter than its header says.',

  'index/unsafe-name': 'A shard index names a file outside its folder.',
  'index/missing': 'A shard that the index names is not there.',
  'index/mismatch': 'The shard index and the shards do not agree.',
  'index/limit': 'A shard index names too many shards.',

  'model/incomplete': 'A model folder lacks files that are needed.',
  'model/config': 'config.json lacks a value, or has one that cannot be right.',
  'model/architecture': 'An architecture that is not built in.',
  'model/tensor-missing': 'A weight that the architecture needs is not there.',
  'model/tensor-unknown': 'A weight that the architecture does not know.',
  'model/tensor-shape': 'A weight has another shape than config.json says.',
  'model/quantised': 'A base in a quantised form that cannot be read exactly; the 16-bit base is needed.',
  'model/dtype': 'Weights of a dtype that is not read.',

  'tokenizer/missing': 'No tokenizer was found.',
  'tokenizer/invalid': 'The tokenizer files cannot be read.',
  'tokenizer/unknown-pre': 'A pre-tokenizer that llama.cpp would not be told rightly.',
  'tokenizer/vocabulary': 'The vocabulary does not fit the embedding.',

  'adapter/missing': 'No adapter weights were found.',
  'adapter/config': 'adapter_config.json cannot be read or lacks what is needed.',
  'adapter/unsupported': 'A kind of adapter that cannot be merged.',
  'adapter/base-mismatch': 'An adapter was trained on another base.',
  'adapter/unmatched': 'An adapter tensor has no place in this base.',
  'adapter/pair': 'A low-rank factor lacks its partner.',
  'adapter/shape': 'Tensors of an adapter do not fit each other or their base.',
  'adapter/mutated-base': 'The adapter was trained on a changed copy of its base.',
  'adapter/empty': 'An adapter without any weights.',
  'adapter/values': 'An adapter holds NaN or infinite values.',

  'quantize/type': 'An unknown or unsuitable quantisation type.',
  'quantize/shape': 'Rows that do not divide into the blocks of a type.',
  'quantize/requantize': 'The input is already quantised.',
  'quantize/values': 'NaN or infinite weights cannot be quantised.',
  'quantize/pattern': 'A tensor pattern is not a valid regular expression or matches nothing.',
  'imatrix/invalid': 'An importance matrix cannot be read.',
  'imatrix/mismatch': 'An importance matrix is of another model.',

  'modelfile/syntax': 'A Modelfile that Ollama would not read.',
  'modelfile/encoding': 'A Modelfile has bytes that are no text, and rewriting it would lose them.',
  'modelfile/too-large': 'A Modelfile is larger than any is.',

  'output/exists': 'The output exists and was not touched.',
  'output/is-input': 'The output is one of the inputs.',
  'output/busy': 'Another run writes this output.',
  'output/unwritable': 'The operating system refused to write.',
  'output/name': 'A file name that cannot be used.',
  'disk/full': 'Not enough space.',
  'disk/io': 'The disk reported an error.',
  'engine/worker': 'A worker ended before its work did.',
  'engine/memory': 'A row is too large for the memory that a worker may have.',
  'template/budget': 'Rendering a template took more steps, depth or output than it may.',
  'template/missing': 'A Modelfile has no TEMPLATE of its own.',
  'template/values': 'The messages, tools or other values for a template are not what Ollama takes.',

  'build/record': 'A build record or journal cannot be read.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;
