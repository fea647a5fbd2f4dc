import { StudioError } from '../errors';
import type { Adapter, AdapterPart } from '../formats/adapters/adapter';
import type { AppliedPart } from './appliedPart';
import type { PlanNote } from './buildPlan';
import type { LogicalTensor } from './logicalTensor';
import { EMBEDDING, HEAD } from './vocabularyTensors';

/**
 * What an adapter does to the embedding and to the head of a base whose head is its embedding, as the model ran in training:
 * parts that change the one matrix itself change both, the others only the side that they were trained on.
 */
export function onSharedHead(adapter: Adapter, parts: readonly AdapterPart[]): AdapterPart[] {
  const headless = !parts.some(({ target }) => target === HEAD);
  return parts.flatMap((part): AdapterPart[] => {
    if (part.target === EMBEDDING && isShared(adapter, part) && !has(parts, HEAD, part.kind)) {
      return headless || part.kind === 'base' || part.kind === 'replaceRows'
        ? [part, { ...part, target: HEAD }]
        : [part];
    }
    // A base that the head's factors were saved with was loaded into the one matrix.
    if (part.target === HEAD && part.kind === 'base' && !has(parts, EMBEDDING, part.kind)) {
      return [{ ...part, target: EMBEDDING }, part];
    }
    return [part];
  });
}

function has(parts: readonly AdapterPart[], target: string, kind: AdapterPart['kind']): boolean {
  return parts.some((part) => part.target === target && part.kind === kind);
}

/**
 * True where a change of a tied embedding is one of the head as well. mlx and llama.cpp have one matrix. PEFT wraps the
 * embedding module alone (LoRA acts on look-ups, `modules_to_save` works on a copy) unless `ensure_weight_tying` is set;
 * trainable tokens it ties by itself, and weights saved as they are (`base_layer`, embeddings saved after a resize) are
 * loaded into the shared matrix.
 */
function isShared(adapter: Adapter, part: AdapterPart): boolean {
  if (adapter.format !== 'peft' || adapter.config['ensure_weight_tying'] === true) {
    return true;
  }
  switch (part.kind) {
    case 'base':
    case 'replaceRows':
      return true;
    case 'replace':
      return !isSavedModule(adapter, part.source.name);
    case 'lowRank':
    case 'experts':
    case 'add':
      return false;
  }
}

/** Whether `modules_to_save` names the embedding, which PEFT then copies: matched by the end of the module's path. */
function isSavedModule(adapter: Adapter, tensor: string): boolean {
  const saved: unknown = adapter.config['modules_to_save'];
  const module = tensor.replace(/\.(?:modules_to_save\.(?:[^.]+\.)?)?weight$/, '');
  return (
    tensor.includes('.modules_to_save.') ||
    (Array.isArray(saved) && saved.some((name) => typeof name === 'string' && module.endsWith(name)))
  );
}

/**
 * Gives the result a head of its own where adapters did not do the same to embedding and head, and leaves the one matrix
 * where they did.
 * @throws StudioError adapter/unsupported where the result cannot hold one
 */
export function separateHead(
  tensors: Map<string, LogicalTensor>,
  parts: Map<string, AppliedPart[]>,
  canStore: boolean,
  notes: PlanNote[],
): void {
  const embedding = tensors.get(EMBEDDING);
  const [ofEmbedding, ofHead] = [parts.get(EMBEDDING) ?? [], parts.get(HEAD) ?? []];
  if (embedding === undefined || ofEmbedding.length + ofHead.length === 0) {
    return;
  }
  if (sameChanges(ofEmbedding, ofHead)) {
    parts.delete(HEAD);
    notes.push({
      code: 'adapter/tied-embedding',
      message: 'The adapter changes the embedding, which is the output head as well: both change, as in training.',
    });
    return;
  }
  const alone = ofHead.length === 0 ? 'embedding' : ofEmbedding.length === 0 ? 'head' : 'both';
  if (!canStore) {
    const { adapter } = [...ofHead, ...ofEmbedding][0]!;
    throw new StudioError('adapter/unsupported', `${adapter.path} ${REFUSED[alone]}`, { path: adapter.path });
  }
  tensors.set(HEAD, { ...embedding, name: HEAD, storedName: headName(embedding.storedName) });
  notes.push({ code: 'adapter/head-untied', message: SEPARATED[alone] });
}

const SIZE = 'the result has a head of its own (output.weight) and is larger by that much.';
const SEPARATED = {
  embedding: `The adapter trained the embedding, and the output head stayed what the embedding was, as PEFT ran it: ${SIZE}`,
  head: `The adapter trained the output head apart from the embedding: ${SIZE}`,
  both: `The adapter trained embedding and output head apart from each other: ${SIZE}`,
};

const NO_PLACE = 'and a GGUF of this architecture has no place for a head that is not the embedding';
const REFUSED = {
  embedding: `changes the embedding and not the output head (PEFT ran it so, since ensure_weight_tying was not set), ${NO_PLACE}. Train with ensure_weight_tying, or without embed_tokens; \`fuse\` can write the model as a folder.`,
  head: `changes the output head apart from the embedding, ${NO_PLACE}. Train without lm_head in modules_to_save and target_modules; \`fuse\` can write the model as a folder.`,
  both: `changes embedding and output head apart from each other, ${NO_PLACE}. Train with ensure_weight_tying, or without them; \`fuse\` can write the model as a folder.`,
};

/** True where each part of the one stands for a part of the other. */
function sameChanges(a: readonly AppliedPart[], b: readonly AppliedPart[]): boolean {
  const key = ({ part, adapter, weight }: AppliedPart): string =>
    JSON.stringify([adapter.path, weight, { ...part, target: '' }]);
  return a.length === b.length && a.every((applied, index) => key(applied) === key(b[index]!));
}

/** Where the head of a model stands whose embedding has this name: older multimodal layouts keep it in the text part. */
function headName(embedding: string): string {
  return `${/^(?:.*\.)?(?:language_model\.)(?=model\.)/.exec(embedding)?.[0] ?? ''}${HEAD}`;
}
