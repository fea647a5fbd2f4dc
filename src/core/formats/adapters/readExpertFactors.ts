import { StudioError } from '../../errors';
import type { TensorRef } from '../tensorRef';
import { type AdapterPart, EXPERT_PARAMETERS } from './adapter';
import { shapeText } from './adapterChecks';
import type { AdapterInput } from './adapterInput';
import type { PeftModule, PeftSettings } from './peftConfig';
import { type ExpertFactorName, parseExpertFactorName } from './peftTensorName';

/** The parts on fused experts of a PEFT adapter. */
export interface ExpertFactors {
  readonly parts: readonly AdapterPart[];
  readonly problems: readonly StudioError[];
  readonly modules: readonly PeftModule[];
}

interface Pair {
  readonly name: ExpertFactorName;
  a?: TensorRef;
  b?: TensorRef;
}

/** Reads the factors that PEFT's `target_parameters` trains: A [experts * rank, columns], B [rows, rank * experts]. */
export function readExpertFactors(input: AdapterInput, settings: PeftSettings): ExpertFactors {
  const pairs = new Map<string, Pair>();
  for (const tensor of input.tensors.values()) {
    const name = parseExpertFactorName(tensor.name);
    if (name !== undefined) {
      const key = `${name.path} ${String(name.inner)}`;
      const pair: Pair = pairs.get(key) ?? { name };
      pair[name.factor === 'A' ? 'a' : 'b'] = tensor;
      pairs.set(key, pair);
    }
  }
  const parts: AdapterPart[] = [];
  const problems: StudioError[] = [];
  const modules: PeftModule[] = [];
  for (const { name, a, b } of pairs.values()) {
    // PEFT matches its patterns against the parameter's own path, and which of the two this is only a base can tell.
    const byParameter = {
      gate_up_proj: settings.module(`${name.path}.gate_up_proj`),
      down_proj: settings.module(`${name.path}.down_proj`),
    };
    const fitting = EXPERT_PARAMETERS.map((parameter) => byParameter[parameter]).filter(({ rank }) => divides(rank, a));
    const problem = checkPair(input.path, a, b, fitting.length > 0 ? undefined : byParameter.gate_up_proj.rank);
    if (problem !== undefined) {
      problems.push(problem);
      continue;
    }
    modules.push(fitting[0] ?? byParameter.gate_up_proj);
    parts.push({
      kind: 'experts',
      target: name.target,
      a: a!,
      b: b!,
      modules: byParameter,
      inner: name.inner,
    });
  }
  return { parts, problems, modules };
}

function divides(rank: number, a: TensorRef | undefined): boolean {
  return (a?.shape[0] ?? 0) % rank === 0;
}

/** @param wrongRank a rank that the configuration gives and that does not divide A's rows */
function checkPair(
  path: string,
  a: TensorRef | undefined,
  b: TensorRef | undefined,
  wrongRank: number | undefined,
): StudioError | undefined {
  const there = a ?? b;
  if (a === undefined || b === undefined) {
    return new StudioError(
      'adapter/pair',
      `${there?.name ?? ''} is there, but ${a === undefined ? 'lora_A' : 'lora_B'} of the same experts is not. The file is incomplete: save or fetch the adapter again.`,
      { path, detail: { tensor: there?.name } },
    );
  }
  const fits =
    a.shape.length === 2 &&
    b.shape.length === 2 &&
    a.shape[0] === b.shape[1] &&
    a.shape[0]! > 0 &&
    wrongRank === undefined;
  return fits
    ? undefined
    : new StudioError(
        'adapter/shape',
        `${a.name} has shape ${shapeText(a)} and ${b.name} ${shapeText(b)}, where factors of rank ${wrongRank ?? 'r'} on all experts are needed. The configuration is not of these weights: restore the adapter_config.json that was saved with them.`,
        { path, detail: { tensor: a.name, a: a.shape, b: b.shape, rank: wrongRank } },
      );
}
