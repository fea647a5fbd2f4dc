import { mostCommon } from '../formats/adapters/adapterChecks';

/** The scale of one module as it was trained: the delta is scale * L @ R. */
export interface TrainedScale {
  readonly module: string;
  readonly rank: number;
  readonly scale: number;
}

export interface ModuleScale extends TrainedScale {
  /** What its B is multiplied by, so that alpha / rank times it is the trained scale. */
  readonly factor: number;
}

export interface AdapterScales {
  /** `adapter.lora.alpha`, exactly as an f32 holds it; never 0, which llama.cpp takes for "no scale". */
  readonly alpha: number;
  readonly modules: readonly ModuleScale[];
  /** Modules whose B is multiplied by something else than 1. */
  readonly folded: number;
  /** For people. */
  readonly note: string;
}

/** Two alphas that differ by less are one: the f32 of the file tells no more. */
const SAME = 2 ** -24;

/**
 * One alpha for a file whose modules may have scales of their own. llama.cpp multiplies every module by alpha / r with the r of its
 * tensors (`llama_adapter_lora_weight::get_scale`), so a module asks for alpha = scale * r. The alpha that most of them ask for is taken,
 * and the others' B takes the rest. rsLoRA (alpha / sqrt(r)), rank and alpha patterns, mlx's scale and a weight are all only scales here.
 */
export function adapterScales(trained: readonly TrainedScale[]): AdapterScales {
  const wanted = trained.map(({ rank, scale }) => Math.fround(scale * rank));
  const alpha = mostCommon(wanted.filter((value) => value !== 0)) ?? 1;
  const modules = trained.map((module): ModuleScale => {
    const factor = (module.scale * module.rank) / alpha;
    return { ...module, factor: Math.abs(factor - 1) <= SAME ? 1 : factor };
  });
  const folded = modules.filter(({ factor }) => factor !== 1).length;
  return { alpha, modules, folded, note: noteOf(alpha, modules, folded) };
}

function noteOf(alpha: number, modules: readonly ModuleScale[], folded: number): string {
  const shown = Number(alpha.toPrecision(6));
  const scales = [...new Set(modules.map(({ scale }) => Number(scale.toPrecision(4))))].sort((a, b) => a - b);
  const range = scales.length === 1 ? `scale ${scales[0]!}` : `scales ${scales[0] ?? 0} to ${scales.at(-1) ?? 0}`;
  return `${range}: alpha ${shown} over each module's rank${folded === 0 ? '' : `, the rest multiplied into B of ${folded} of ${modules.length} modules`}`;
}
