import { StudioError } from '../../errors';
import type { JsonScanner } from '../../jsonScanner';
import { LIMITS } from '../../limits';
import { strictScanner } from '../../strictJson';
import type { SafetensorsHeader } from './safetensorsTypes';
import { cutName, quoteName } from '../../quoteName';

/** Tensor name to the plain file name of the shard that holds it, in the order of the index. */
export type ShardIndex = ReadonlyMap<string, string>;

/** Names that Windows takes for devices, whatever follows their first dot. */
const WINDOWS_DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)/i;

/** Slashes, what Windows refuses in names (`:` opens drives and streams), and control characters. */
const UNSAFE_CHARACTER = /[/\\:*?"<>|\p{Cc}\p{Cf}]/u;

const NAME_LIMIT = 255;
const OPEN_BRACE = 0x7b;
const QUOTE = 0x22;

/**
 * Reads `model.safetensors.index.json`: its `weight_map`, every shard a plain file name on POSIX and on Windows
 * (`index/unsafe-name`), at most 10,000 of them (`index/limit`). `json/…` when it is not JSON, `index/mismatch` when
 * it is no index.
 */
export function readShardIndex(text: string | Uint8Array, path?: string): ShardIndex {
  const scanner = strictScanner(text, { path, maxBytes: LIMITS.safetensors.headerBytes });
  let index: ShardIndex | undefined;
  if (scanner.peek() === OPEN_BRACE) {
    scanner.object((key) => {
      if (key === 'weight_map' && scanner.peek() === OPEN_BRACE) {
        index = readWeightMap(scanner, path);
      } else {
        scanner.value();
      }
    });
    scanner.end();
  }
  if (index === undefined) {
    throw new StudioError(
      'index/mismatch',
      'The shard index has no weight_map that names a file for each tensor. Fetch it again.',
      { path },
    );
  }
  return index;
}

/** Stops at the first name or number of shards that cannot be, however long the text goes on. */
function readWeightMap(scanner: JsonScanner, path: string | undefined): ShardIndex {
  const index = new Map<string, string>();
  const shards = new Set<string>();
  scanner.object((tensor) => {
    const shard = scanner.peek() === QUOTE ? scanner.string() : undefined;
    if (shard === undefined || !isPlainFileName(shard)) {
      throw new StudioError(
        'index/unsafe-name',
        `The shard index puts tensor ${quoteName(tensor)} into ${shard === undefined ? 'something that is no text' : quoteName(shard)}, which is no plain name of a file beside it. Do not use a model that does so.`,
        {
          path,
          detail: { tensor: cutName(tensor), shard: shard === undefined ? null : cutName(shard) },
        },
      );
    }
    index.set(tensor, shard);
    shards.add(shard);
    if (shards.size > LIMITS.safetensors.shards) {
      throw new StudioError(
        'index/limit',
        `The shard index names more than ${LIMITS.safetensors.shards} files. No real model does: fetch it again from a source that you trust.`,
        { path },
      );
    }
  });
  return index;
}

/**
 * Whether `name` names a file in its own folder, on POSIX and on Windows alike: no separators, drives, streams,
 * devices, control or invisible characters, and no dot or space at its end.
 */
export function isPlainFileName(name: string): boolean {
  return (
    name.length > 0 &&
    name.length <= NAME_LIMIT &&
    !UNSAFE_CHARACTER.test(name) &&
    !/[. ]$/.test(name) &&
    !WINDOWS_DEVICE.test(name)
  );
}

/**
 * Checks an index against the headers of its shards, by file name: every shard there (`index/missing`), every tensor
 * in one shard only and in the one that the index says, and none that the index does not know (`index/mismatch`).
 */
export function checkShards(index: ShardIndex, headers: ReadonlyMap<string, SafetensorsHeader>, path?: string): void {
  const missing = [...new Set(index.values())].filter((shard) => !headers.has(shard));
  if (missing.length > 0) {
    const shown = missing.slice(0, 5).join(', ');
    throw new StudioError(
      'index/missing',
      `${missing.length === 1 ? 'A shard is' : `${missing.length} shards are`} missing: ${shown}${missing.length > 5 ? ', …' : ''}. Fetch the rest of the model.`,
      {
        path,
        detail: { missing: missing.slice(0, 100), count: missing.length },
      },
    );
  }
  const found = new Map<string, string>();
  for (const [shard, header] of headers) {
    for (const tensor of header.tensors.keys()) {
      const other = found.get(tensor);
      if (other !== undefined) {
        throw mismatch(`Tensor ${quoteName(tensor)} stands in two shards, ${other} and ${shard}`, tensor, path);
      }
      if (index.get(tensor) !== shard) {
        throw mismatch(
          `Tensor ${quoteName(tensor)} stands in ${shard}, where the index ${index.has(tensor) ? `says ${index.get(tensor)!}` : 'does not name it'}`,
          tensor,
          path,
        );
      }
      found.set(tensor, shard);
    }
  }
  for (const [tensor, shard] of index) {
    if (!found.has(tensor)) {
      throw mismatch(`Tensor ${quoteName(tensor)} is not in ${shard}, where the index says it is`, tensor, path);
    }
  }
}

function mismatch(what: string, tensor: string, path: string | undefined): StudioError {
  return new StudioError('index/mismatch', `${what}. Parts of different models may be mixed: fetch the model again.`, {
    path,
    detail: { tensor: cutName(tensor) },
  });
}
