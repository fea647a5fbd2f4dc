import type { Adapter } from '../formats/adapters/adapter';
import { matchAdapterToBase } from '../formats/adapters/matchBase';
import { sixteenBitName } from '../formats/huggingface/quantisedBase';
import type { Artefact } from './artefact';
import type { Finding } from './finding';

interface Candidate {
  readonly finding: Finding;
  /** Smaller is better; compared in order. */
  readonly rank: readonly number[];
}

/**
 * Finds the base of every adapter among the models of the same scan, by shapes and names alone: what an adapter says of
 * its base is often a path of another machine, so that it only orders models that fit equally well.
 */
export function linkLineage(findings: readonly Finding[]): Artefact[] {
  const models = findings.filter(
    ({ model, artefact }) => model !== undefined && model.tensors.size > 0 && artefact.kind !== 'trainer-output',
  );
  return findings.map((finding) => {
    const { artefact, adapter } = finding;
    if (adapter === undefined && artefact.kind !== 'gguf-adapter') {
      return artefact;
    }
    const fitting =
      adapter === undefined
        ? findings.filter((model) => fitsGguf(finding, model))
        : models.filter((model) => fits(adapter, model));
    const candidates = fitting.map((model) => ({
      finding: model,
      rank: rankOf(artefact, model.artefact, model.record !== undefined),
    }));
    const paths = [...new Set(candidates.sort(compare).map((candidate) => candidate.finding.artefact.path))];
    return { ...artefact, base: { name: artefact.base?.name, path: paths[0], candidates: paths } };
  });
}

/** All parts find their place; weights whose shard is missing count by name, as long as others fit by shape. */
function fits(adapter: Adapter, { model, artefact }: Finding): boolean {
  if (model === undefined || adapter.parts.length === 0 || artefact.path === adapter.path) {
    return false;
  }
  // Most models differ in the first shape already.
  if (!fitsAll({ ...adapter, parts: adapter.parts.slice(0, 1) }, model) && model.absent.size === 0) {
    return needsWhole(adapter) && fitsAll(adapter, model);
  }
  return fitsAll(adapter, model);
}

function fitsAll(adapter: Adapter, model: NonNullable<Finding['model']>): boolean {
  const parts = adapter.parts.filter((part) => !model.absent.has(part.target));
  return (
    parts.length > 0 &&
    matchAdapterToBase(parts.length === adapter.parts.length ? adapter : { ...adapter, parts }, model.tensors).problems
      .length === 0
  );
}

/** A GGUF adapter belongs to GGUFs of its architecture: `NAME.lora_a` [in, rank] and `NAME.lora_b` [rank, out] to NAME [in, out]. */
function fitsGguf(adapter: Finding, model: Finding): boolean {
  const { ggufShapes: factors } = adapter;
  const { ggufShapes: weights } = model;
  if (
    factors === undefined ||
    weights === undefined ||
    model.artefact.kind !== 'gguf-model' ||
    model.artefact.architecture !== adapter.artefact.architecture
  ) {
    return false;
  }
  const names = [...factors.keys()]
    .filter((name) => name.endsWith('.lora_a'))
    .map((name) => name.slice(0, -'.lora_a'.length));
  return (
    names.length > 0 &&
    names.every((name) => {
      const [into] = factors.get(`${name}.lora_a`)!;
      const out = factors.get(`${name}.lora_b`)?.[1];
      const weight = weights.get(name);
      // The embedding's factors lie the other way round.
      return weight !== undefined && (name === 'token_embd.weight' || (weight[0] === into && weight[1] === out));
    })
  );
}

/** Parts that are judged together: factors on a resized embedding fit only with the embedding that they came with. */
function needsWhole(adapter: Adapter): boolean {
  return adapter.parts.some((part) => part.kind === 'base' || part.kind === 'replace');
}

/** @param isMade the model was built here from another one, by its record */
function rankOf(adapter: Artefact, model: Artefact, isMade: boolean): number[] {
  return [
    model.complete === true ? 0 : 1,
    nameDistance(adapter.base?.name, model),
    model.kind === 'checkpoint' || isMade ? 1 : 0,
    packedDistance(adapter, model),
    model.quantisation === undefined || model.quantisation.method === 'mlx' ? 0 : 1,
    pathDistance(adapter.path, model.path),
  ];
}

/** 0 for the model that the adapter names, 1 for its 16-bit original, 2 for another. */
function nameDistance(name: string | undefined, model: Artefact): number {
  if (name === undefined) {
    return 2;
  }
  const names = [lastPart(model.path), cacheName(model.path), lastPart(model.base?.name ?? '')]
    .filter((one) => one !== undefined)
    .map((one) => one.toLowerCase());
  const wanted = lastPart(name).toLowerCase();
  const original = sixteenBitName(name);
  if (names.slice(0, 2).includes(wanted)) {
    return 0;
  }
  return original !== undefined && names.includes(lastPart(original).toLowerCase()) ? 1 : 2;
}

/** Adapters of mlx are as often trained on packed models; all others on plain ones. */
function packedDistance(adapter: Artefact, model: Artefact): number {
  return model.kind === 'mlx-model' ? (adapter.format === 'mlx' ? 1 : 2) : 0;
}

/** Steps from one path to the other over their common folder. */
function pathDistance(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  let common = 0;
  while (common < left.length && common < right.length && left[common] === right[common]) {
    common++;
  }
  return left.length + right.length - 2 * common;
}

function compare(a: Candidate, b: Candidate): number {
  for (const [index, value] of a.rank.entries()) {
    const difference = value - b.rank[index]!;
    if (difference !== 0) {
      return difference;
    }
  }
  return a.finding.artefact.path < b.finding.artefact.path ? -1 : 1;
}

function partsOf(path: string): string[] {
  return path.split(/[/\\]/).filter((part) => part !== '' && part !== '.');
}

function lastPart(path: string): string {
  return partsOf(path).at(-1) ?? '';
}

/** `NAME` of the Hugging Face cache's `models--ORG--NAME/snapshots/HASH`. */
function cacheName(path: string): string | undefined {
  const folder = partsOf(path).find((part) => part.startsWith('models--'));
  return folder?.split('--').at(-1);
}
