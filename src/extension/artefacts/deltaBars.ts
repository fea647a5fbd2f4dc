import { toStudioError } from '../../core/errors';
import type { Artefact } from '../../core/artefacts/artefact';
import type { AdapterAnswer } from '../../core/viewer/viewerProtocol';
import { weightsPath } from './artefactTags';

const BARS = '▁▂▃▄▅▆▇█';

/** A tooltip does not wait longer for figures, in milliseconds. */
const PATIENCE = 4000;

/** Larger adapters are measured in the viewer, which has the time. */
const MAX_BYTES = 1_000_000_000;

type Cell = Pick<AdapterAnswer['cells'][number], 'layer' | 'delta' | 'ratio'>;

/**
 * What an adapter changes, one bar a layer: the largest of the layer's modules, against the weight it changes where the base was
 * found. Undefined where nothing was measured.
 */
export function deltaBars(cells: readonly Cell[]): string | undefined {
  const isRelative = cells.some(({ ratio }) => ratio !== undefined);
  const byLayer = new Map<number, number>();
  for (const { layer, delta, ratio } of cells) {
    const size = isRelative ? ratio : delta;
    if (layer >= 0 && size !== undefined && Number.isFinite(size)) {
      byLayer.set(layer, Math.max(byLayer.get(layer) ?? 0, size));
    }
  }
  if (byLayer.size === 0) {
    return undefined;
  }
  const layers = [...byLayer].sort(([a], [b]) => a - b);
  const sizes = layers.map(([, size]) => size);
  const largest = Math.max(...sizes);
  const bars = sizes
    .map((size) => BARS[largest === 0 ? 0 : Math.min(BARS.length - 1, Math.floor((size / largest) * BARS.length))]!)
    .join('');
  const range = `${Number(Math.min(...sizes).toPrecision(2))} to ${Number(largest.toPrecision(2))}`;
  return `${bars}  layers ${layers[0]![0]} to ${layers.at(-1)![0]}: ${isRelative ? `|ΔW|/|W| ${range}` : `|ΔW| ${range}`}`;
}

/** Measures adapters for their tooltips, in a thread; each once as long as it does not change. */
export class DeltaMeter {
  readonly #known = new Map<string, Promise<string | undefined>>();

  constructor(
    private readonly workerScript: string,
    private readonly note: (line: string) => void,
  ) {}

  /** Never rejects: an adapter that cannot be measured has no bars. */
  async of(artefact: Artefact): Promise<string | undefined> {
    if (artefact.bytes > MAX_BYTES || !/\.(?:safetensors|gguf)$/i.test(weightsPath(artefact))) {
      return undefined;
    }
    const key = `${artefact.path}\0${artefact.modified ?? ''}\0${artefact.base?.path ?? ''}`;
    const known = this.#known.get(key) ?? this.#measure(artefact);
    this.#known.set(key, known);
    return await known;
  }

  async #measure(artefact: Artefact): Promise<string | undefined> {
    const { ViewerSession } = await import('../../node/viewer/viewerSession');
    const session = new ViewerSession({
      path: weightsPath(artefact),
      workerScript: this.workerScript,
      deadline: PATIENCE,
    });
    try {
      const answer = (await session.ask({ ask: 'adapter', base: artefact.base?.path })) as AdapterAnswer;
      return deltaBars(answer.cells);
    } catch (thrown) {
      this.note(`No delta of ${artefact.path}: ${toStudioError(thrown).message}`);
      return undefined;
    } finally {
      await session.close();
    }
  }
}
