import { StudioError } from '../../errors';
import type { ModelConfig } from './architecture';

/** A whole number that config.json (or its class) must have, 0 or more. @throws StudioError model/config */
export function whole(config: ModelConfig, key: string): number {
  const value = optionalWhole(config, key);
  if (value === undefined) {
    throw wrong(key, 'must be a whole number for this architecture');
  }
  return value;
}

/** As {@link whole}, or undefined where config.json has none. */
export function optionalWhole(config: ModelConfig, key: string): number | undefined {
  const value = config.raw[key];
  if (value === undefined || value === null) {
    return undefined;
  }
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 16_777_216) {
    throw wrong(key, 'must be a whole number');
  }
  return value;
}

/** A finite number that config.json (or its class) must have. @throws StudioError model/config */
export function decimal(config: ModelConfig, key: string): number {
  const value = config.raw[key];
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw wrong(key, 'must be a number for this architecture');
  }
  return value;
}

/** A list of finite numbers of this length. @throws StudioError model/config */
export function decimals(config: ModelConfig, key: string, length: number): readonly number[] {
  const value: unknown = config.raw[key];
  if (!Array.isArray(value) || value.length !== length || !value.every(Number.isFinite)) {
    throw wrong(key, `must be a list of ${length} numbers for this architecture`);
  }
  return value as readonly number[];
}

/** Refuses values that llama.cpp's graph of this architecture cannot run. */
export function checkOnly(config: ModelConfig, key: string, allowed: readonly unknown[]): void {
  const value = config.raw[key];
  if (value !== undefined && value !== null && !allowed.includes(value)) {
    throw wrong(
      key,
      `is ${JSON.stringify(value).slice(0, 60)}; llama.cpp runs this architecture with ${allowed.map((one) => JSON.stringify(one)).join(' or ')} only, so the answers would be wrong`,
    );
  }
}

/** What every layer is (`layer_types`); `otherwise` where config.json does not say. @throws StudioError model/config */
export function layerTypes(
  config: ModelConfig,
  known: readonly string[],
  otherwise: (layer: number) => string,
): readonly string[] {
  const given: unknown = config.raw['layer_types'];
  if (!Array.isArray(given)) {
    return Array.from({ length: config.layers }, (_, layer) => otherwise(layer));
  }
  if (given.length !== config.layers) {
    throw wrong('layer_types', `names ${given.length} layers, and num_hidden_layers is ${config.layers}`);
  }
  const other: unknown = given.find((type) => !known.includes(type as string));
  if (other !== undefined) {
    throw wrong('layer_types', `names layers of the kind ${JSON.stringify(other)}, which this family does not have`);
  }
  return given as readonly string[];
}

function wrong(key: string, what: string): StudioError {
  return new StudioError('model/config', `config.json: \`${key}\` ${what}. Fetch the model's config.json again.`, {
    detail: { key },
  });
}
