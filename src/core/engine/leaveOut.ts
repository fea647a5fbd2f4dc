import { formatCount } from '../formatBytes';
import { StudioError } from '../errors';
import { type Adapter, type AdapterPart, type LeftOut, tensorsOf } from '../formats/adapters/adapter';
import { towerOf } from '../formats/huggingface/tensorNames';
import { elementCount } from '../formats/tensorRef';
import type { Architecture, ModelConfig } from './architectures/architecture';
import { mapTensor } from './architectures/tensorTable';
import type { PlanNote } from './buildPlan';
import type { LogicalTensor } from './logicalTensor';
import { HEAD } from './vocabularyTensors';

/** An adapter without what a GGUF of the text model has no place for, which stands in its `leftOut`. */
export interface AdapterOfText {
  readonly adapter: Adapter;
  readonly notes: readonly PlanNote[];
}

/**
 * Takes out of an adapter what belongs to parts of its base that the GGUF of a text model does not have (towers for images and sound,
 * layers for multi-token prediction that the architecture leaves out), and says what that costs.
 * @throws StudioError adapter/unmatched where nothing is left
 */
export function leaveOutOtherParts(adapter: Adapter, architecture: Architecture, config: ModelConfig): AdapterOfText {
  const outside = new Map<string, AdapterPart[]>();
  const parts = adapter.parts.filter((part) => {
    const what = placeOutside(part, architecture, config);
    if (what === undefined) {
      return true;
    }
    const list = outside.get(what) ?? [];
    list.push(part);
    outside.set(what, list);
    return false;
  });
  if (outside.size === 0) {
    return { adapter, notes: [] };
  }
  const leftOut = [...outside].map(([what, list]): LeftOut => ({
    what,
    tensors: [...new Set(list.flatMap(tensorsOf))],
    modules: new Set(list.map(({ target }) => target)).size,
  }));
  if (parts.length === 0) {
    throw new StudioError(
      'adapter/unmatched',
      `${adapter.path} changes nothing but the ${leftOut.map(({ what }) => what).join(' and the ')} of its base, and a GGUF of the text model has no place for that: the result would be the base as it is. \`fuse\` merges it into a folder.`,
      { path: adapter.path, detail: { tensors: leftOut.flatMap(({ tensors }) => tensors).slice(0, 50) } },
    );
  }
  return {
    adapter: { ...adapter, parts, leftOut: [...(adapter.leftOut ?? []), ...leftOut] },
    notes: leftOut.map((left) => noteOf(adapter, left)),
  };
}

function placeOutside(part: AdapterPart, architecture: Architecture, config: ModelConfig): string | undefined {
  // Whether a head can be kept is decided where its values are known.
  if (part.kind === 'experts' || part.target === HEAD) {
    return undefined;
  }
  return mapTensor(architecture, part.target, config) === 'drop'
    ? (towerOf(part.target) ?? 'part that llama.cpp leaves out')
    : undefined;
}

const COSTS: Readonly<Record<string, string>> = {
  'vision part':
    'the model writes as it was trained to, but what the training taught it to see is not in the result. `fuse` merges both into a folder',
  'audio part':
    'the model writes as it was trained to, but what the training taught it to hear is not in the result. `fuse` merges both into a folder',
};

/** What a multimodal model loses as a GGUF of its text part. */
export function textOnly(path: string, tensors: Iterable<LogicalTensor>): PlanNote[] {
  const values = new Map<string, number>();
  for (const { name, shape } of tensors) {
    const what = towerOf(name);
    if (what !== undefined) {
      values.set(what, (values.get(what) ?? 0) + elementCount(shape));
    }
  }
  if (values.size === 0) {
    return [];
  }
  const lost = [...values].map(([what, count]) => `its ${what} (${formatCount(count)} parameters)`).join(' and ');
  const senses = [...values.keys()].map((what) => (what === 'audio part' ? 'hear' : 'see')).join(' nor ');
  return [
    {
      code: 'model/text-only',
      message: `${path} is converted without ${lost}: the result reads and writes text, and does not ${senses}`,
    },
  ];
}

function noteOf({ path }: Adapter, { what, modules, tensors }: LeftOut): PlanNote {
  return {
    code: 'adapter/left-out',
    message: `${modules} trained ${modules === 1 ? 'module' : 'modules'} of the ${what} in ${path} (${tensors[0]!}) ${modules === 1 ? 'has' : 'have'} no place in a GGUF of the text model: ${COSTS[what] ?? 'what was trained there is not in the result'}`,
  };
}
