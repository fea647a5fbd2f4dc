import { StudioError } from '../../../errors';

/** One piece of a SentencePiece model. */
export interface SentencePiece {
  readonly text: string;
  readonly score: number;
  /** 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. */
  readonly type: number;
}

export interface SentencePieceModel {
  readonly pieces: readonly SentencePiece[];
  /** TrainerSpec.model_type: 1 unigram, 2 BPE, 3 word, 4 char; undefined when the model does not say. */
  readonly modelType?: number | undefined;
}

/** Of the largest vocabularies several times over. */
const MAX_PIECES = 4_194_304;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a `tokenizer.model` (protobuf ModelProto of SentencePiece: pieces in field 1, TrainerSpec in field 2). Every length is
 * checked against the bytes that remain; `tokenizer/invalid` for anything that is not such a model.
 */
export function readSentencePieceModel(bytes: Uint8Array): SentencePieceModel {
  const pieces: SentencePiece[] = [];
  let modelType: number | undefined;
  for (const field of fields(bytes)) {
    if (field.number === 1 && field.bytes !== undefined) {
      pieces.push(readPiece(field.bytes, pieces.length));
      if (pieces.length > MAX_PIECES) {
        throw invalid(`it has more than ${MAX_PIECES} pieces`);
      }
    } else if (field.number === 2 && field.bytes !== undefined) {
      modelType = readModelType(field.bytes);
    }
  }
  if (pieces.length === 0) {
    throw invalid('it has no pieces');
  }
  return { pieces, modelType };
}

function invalid(what: string): StudioError {
  return new StudioError(
    'tokenizer/invalid',
    `tokenizer.model is not a SentencePiece model: ${what}. Fetch it again from the model's repository (with Git LFS, if it is cloned).`,
  );
}

function readPiece(bytes: Uint8Array, index: number): SentencePiece {
  let text = '';
  let score = 0;
  let type = 1;
  for (const field of fields(bytes)) {
    if (field.number === 1 && field.bytes !== undefined) {
      text = decode(field.bytes, index);
    } else if (field.number === 2 && field.float !== undefined) {
      score = field.float;
    } else if (field.number === 3 && field.varint !== undefined) {
      type = field.varint;
    }
  }
  if (type < 1 || type > 6 || !Number.isFinite(score)) {
    throw invalid(`piece ${index} has the type ${type} and the score ${score}`);
  }
  return { text, score, type };
}

function decode(bytes: Uint8Array, index: number): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw invalid(`piece ${index} is not valid UTF-8`);
  }
}

function readModelType(bytes: Uint8Array): number | undefined {
  let modelType: number | undefined;
  for (const field of fields(bytes)) {
    if (field.number === 3 && field.varint !== undefined) {
      modelType = field.varint;
    }
  }
  return modelType;
}

interface Field {
  readonly number: number;
  /** Wire type 0, cut to 2^53. */
  readonly varint?: number;
  /** Wire type 2. */
  readonly bytes?: Uint8Array;
  /** Wire type 5, as a float. */
  readonly float?: number;
}

function* fields(bytes: Uint8Array): Generator<Field> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = { offset: 0 };
  while (at.offset < bytes.length) {
    const tag = varint(bytes, at);
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (number < 1 || number > 536_870_911) {
      throw invalid(`there is a field numbered ${number}`);
    }
    if (wire === 0) {
      yield { number, varint: varint(bytes, at) };
    } else if (wire === 2) {
      const length = varint(bytes, at);
      yield { number, bytes: take(bytes, at, length) };
    } else if (wire === 5) {
      const start = at.offset;
      take(bytes, at, 4);
      yield { number, float: view.getFloat32(start, true) };
    } else if (wire === 1) {
      take(bytes, at, 8);
    } else {
      throw invalid(`there is a field of wire type ${wire}`);
    }
  }
}

function take(bytes: Uint8Array, at: { offset: number }, length: number): Uint8Array {
  if (length > bytes.length - at.offset) {
    throw invalid(`a field of ${length} bytes begins ${bytes.length - at.offset} bytes before the end`);
  }
  at.offset += length;
  return bytes.subarray(at.offset - length, at.offset);
}

function varint(bytes: Uint8Array, at: { offset: number }): number {
  let value = 0;
  for (let shift = 1, count = 0; count < 10; count++, shift *= 128) {
    const byte = bytes[at.offset++];
    if (byte === undefined) {
      throw invalid('it ends within a number');
    }
    value += (byte % 128) * shift;
    if (byte < 128) {
      return value;
    }
  }
  throw invalid('a number has more than ten bytes');
}
