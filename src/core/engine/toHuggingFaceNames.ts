import type { Adapter, AdapterPart } from '../formats/adapters/adapter';
import type { Architecture, ModelConfig, TensorMapping } from './architectures/architecture';
import { mapTensor } from './architectures/tensorTable';

/**
 * A GGUF adapter with its parts under the names of a base in Hugging Face terms; any other adapter as it is. A part that has no
 * place in the base keeps its name, so that it is found to have none.
 * @param names the weights of the base, normalised
 */
export function toHuggingFaceNames(
  adapter: Adapter,
  names: Iterable<string>,
  architecture: Architecture,
  config: ModelConfig,
): Adapter {
  if (adapter.format !== 'gguf') {
    return adapter;
  }
  const places = new Map<string, { readonly name: string; readonly mapping: TensorMapping }>();
  for (const name of names) {
    for (const mapping of mappingsOf(architecture, name, config)) {
      places.set(placeOf(mapping.name, mapping.stack?.expert), { name, mapping });
    }
  }
  // A model without a head of its own has none to find; an adapter may change it all the same.
  for (const head of mappingsOf(architecture, 'lm_head.weight', config)) {
    if (!places.has(head.name)) {
      places.set(head.name, { name: 'lm_head.weight', mapping: head });
    }
  }
  return { ...adapter, parts: adapter.parts.map((part) => renamed(part, places)) };
}

function mappingsOf(architecture: Architecture, name: string, config: ModelConfig): readonly TensorMapping[] {
  const found = mapTensor(architecture, name, config);
  return found === undefined || found === 'drop' ? [] : found;
}

function renamed(
  part: AdapterPart,
  places: ReadonlyMap<string, { readonly name: string; readonly mapping: TensorMapping }>,
): AdapterPart {
  const found = part.kind === 'lowRank' ? places.get(placeOf(part.target, part.stacked)) : undefined;
  if (found === undefined || part.kind !== 'lowRank') {
    return part;
  }
  const { transform } = found.mapping;
  return { ...part, target: found.name, ...(transform.kind === 'permute' ? { permutedHeads: transform.heads } : {}) };
}

function placeOf(name: string, expert: number | undefined): string {
  return expert === undefined ? name : `${name} ${expert}`;
}
