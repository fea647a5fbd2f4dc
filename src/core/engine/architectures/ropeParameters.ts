import { StudioError } from '../../errors';
import { isJsonObject, type Json, type JsonObject } from '../../json';

/** Rotary position settings, for global attention and, where a family has it, for sliding-window attention. */
export interface RopeParameters {
  /** By the names of transformers 5: `rope_type`, `rope_theta`, `factor`, … */
  readonly full: JsonObject;
  readonly sliding?: JsonObject | undefined;
}

const DEFAULT_THETA = 10_000;
/** Types for which transformers supplies the original context length when the config leaves it out. */
const SCALED_TYPES = ['llama3', 'yarn', 'longrope'];

/**
 * Brings `rope_scaling` + `rope_theta` (transformers 4) and `rope_parameters` (transformers 5) to one form, with the
 * precedence of transformers 5: `rope_scaling`, then `rope_parameters`; a theta inside wins over one beside it.
 */
export function readRopeParameters(raw: JsonObject): RopeParameters {
  const given = truthyObject(raw, 'rope_scaling') ?? truthyObject(raw, 'rope_parameters') ?? {};
  const full = given['full_attention'];
  const sliding = given['sliding_attention'];
  if (isJsonObject(full) || isJsonObject(sliding)) {
    return {
      full: standardise(isJsonObject(full) ? full : {}, raw),
      sliding: standardise(isJsonObject(sliding) ? sliding : {}, {
        ...raw,
        rope_theta: raw['rope_local_base_freq'] ?? raw['rope_theta'],
      }),
    };
  }
  const local = raw['rope_local_base_freq'];
  const global = standardise(given, raw);
  return local === undefined || local === null
    ? { full: global }
    : { full: global, sliding: standardise({ rope_theta: local }, raw) };
}

function truthyObject(raw: JsonObject, key: string): JsonObject | undefined {
  const value = raw[key];
  if (value === undefined || value === null) {
    return undefined;
  }
  if (!isJsonObject(value)) {
    throw new StudioError(
      'model/config',
      `config.json has a \`${key}\` that is not an object. Fetch the model's config.json again.`,
      { detail: { key } },
    );
  }
  return Object.keys(value).length === 0 ? undefined : value;
}

function standardise(given: JsonObject, raw: JsonObject): JsonObject {
  const result: Record<string, Json | undefined> = { ...given };
  result['rope_type'] = text(given['rope_type']) ?? text(given['type']) ?? 'default';
  result['rope_theta'] = given['rope_theta'] ?? raw['rope_theta'] ?? DEFAULT_THETA;
  result['partial_rotary_factor'] = given['partial_rotary_factor'] ?? raw['partial_rotary_factor'];
  const original = raw['original_max_position_embeddings'];
  if (SCALED_TYPES.includes(result['rope_type'])) {
    result['original_max_position_embeddings'] =
      original ?? given['original_max_position_embeddings'] ?? raw['max_position_embeddings'];
  } else {
    result['original_max_position_embeddings'] = given['original_max_position_embeddings'] ?? original;
  }
  return result;
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A number of a rope setting; undefined when absent or null, `model/config` when it is something else. */
export function ropeNumber(rope: JsonObject, key: string): number | undefined {
  const value = rope[key];
  if (value === undefined || value === null) {
    return undefined;
  }
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new StudioError(
      'model/config',
      `config.json has a rotary setting \`${key}\` that is not a number. Fetch the model's config.json again.`,
      { detail: { key } },
    );
  }
  return value;
}
