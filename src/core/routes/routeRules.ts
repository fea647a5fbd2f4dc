import { behaviour } from '../ollama/ollamaBehaviours';
import { ollamaProfile } from '../ollama/ollamaProfile';
import type { RouteFacts } from './routeFacts';
import { attachesAdapters, lastWithAdapters } from './serverAbilities';

/** Before every GGUF ran in llama.cpp's own server, these ran in Ollama's own engine, which answers the first request with `loras are not yet implemented`. */
const OWN_ENGINE: ReadonlySet<string> = new Set(['gemma3', 'mistral3', 'qwen3', 'qwen3moe']);

/** Architectures whose safetensors adapters Ollama converts at all. */
const CONVERTED_ADAPTERS: ReadonlySet<string> = new Set(['llama', 'gemma2']);

export interface Verdict {
  readonly works: boolean;
  readonly why: string;
}

/** Whether ADAPTER can name the adapter as it lies there: only a GGUF can, and the reasons why not otherwise. */
export function adapterAsItIs(facts: RouteFacts): Verdict {
  const [adapter] = facts.adapters;
  if (adapter === undefined) {
    return { works: false, why: 'There is no adapter.' };
  }
  if (facts.adapters.length > 1) {
    return {
      works: false,
      why: `Ollama takes one adapter only, and of ${facts.adapters.length} ADAPTER lines it uses the last without a word.`,
    };
  }
  if (adapter.format === 'gguf') {
    const problem =
      apartProblem(facts) ??
      weightProblem(facts) ??
      architectureProblem(facts) ??
      fitProblem(facts) ??
      engineProblem(facts);
    return problem === undefined
      ? { works: true, why: `The adapter is a GGUF already, and ADAPTER takes it as it is. ${ONLY_UNTIL}` }
      : { works: false, why: problem };
  }
  const gone = goneProblem(facts);
  return { works: false, why: gone ?? `Ollama would ${lostByOllama(facts).join('; it would ')}.` };
}

/** What is said of every route that keeps the adapter apart, where it still works. */
export const ONLY_UNTIL = `Only until Ollama ${lastWithAdapters()}: later versions attach no adapters.`;

/** A server that attaches no adapters at all. */
function goneProblem({ ollamaVersion }: RouteFacts): string | undefined {
  if (attachesAdapters(ollamaVersion)) {
    return undefined;
  }
  const whose = ollamaVersion === undefined ? `Ollama after ${lastWithAdapters()}` : `Ollama ${ollamaVersion}`;
  return `${whose} attaches no adapters ("LoRA adapters are no longer supported"): the adapter is fused into its base`;
}

/** What keeps any adapter from staying apart: the server, or a type that only a fused model can have. */
function apartProblem(facts: RouteFacts): string | undefined {
  const { base, adapters, wantedType } = facts;
  return (
    (adapters.some(({ isInstalled }) => isInstalled === true)
      ? 'the adapter is part of the installed model already: it is fused into its base'
      : undefined) ??
    goneProblem(facts) ??
    (wantedType !== undefined && base.stored !== undefined && base.stored.type !== wantedType
      ? `the base would stay ${base.stored.type}, and ${wantedType} was asked for: fused, the result is ${wantedType}`
      : undefined)
  );
}

/** Everything that Ollama's own conversion of a PEFT or mlx folder gets wrong for this adapter. */
function lostByOllama({ base, adapters, ollamaVersion }: RouteFacts): string[] {
  const adapter = adapters[0]!;
  const lost: string[] = [];
  if (!ollamaProfile(ollamaVersion).does('adapterFolders')) {
    lost.push(
      'not find it from a Modelfile: it looks for model*.safetensors, and adapters have other names (ollama/ollama#13314)',
    );
  }
  if (!CONVERTED_ADAPTERS.has(base.architecture)) {
    lost.push(
      `refuse it over its API: "unsupported architecture", since it converts adapters of llama and gemma2 only (this is ${base.architecture})`,
    );
    return lost;
  }
  if (adapter.format === 'mlx') {
    lost.push("lose mlx's scale (it writes alpha 0, and llama.cpp then applies 1)");
  }
  if (adapter.method === 'rslora' || adapter.hasPatterns) {
    lost.push('lose the scale of rsLoRA and of rank and alpha patterns');
  }
  if (adapter.method === 'dora') {
    lost.push('leave out the magnitudes of DoRA');
  }
  if (base.architecture === 'llama' && adapter.targets.some((target) => target === 'q_proj' || target === 'k_proj')) {
    lost.push('scramble its changes of queries and keys');
  }
  if (lost.length === 0) {
    lost.push('convert it over its API without any check');
  }
  return lost;
}

/** Why the adapter cannot stay a file of its own beside the base; undefined where it can. */
export function ggufAdapterProblem(facts: RouteFacts): string | undefined {
  const [adapter] = facts.adapters;
  if (adapter === undefined) {
    return 'there is no adapter';
  }
  if (facts.adapters.length > 1) {
    return `Ollama takes one adapter only, and these are ${facts.adapters.length}: fused, they add up`;
  }
  if (adapter.format === 'gguf') {
    return 'The adapter is a GGUF already: the route ADAPTER as it is takes it';
  }
  return apartProblem(facts) ?? adapter.ggufProblem?.message ?? engineProblem(facts);
}

function weightProblem({ adapters }: RouteFacts): string | undefined {
  return adapters[0]?.weight === 1
    ? undefined
    : 'the weight of an adapter that is a GGUF already cannot be changed: give the folder that it was made from';
}

function architectureProblem({ base, adapters }: RouteFacts): string | undefined {
  const { architecture } = adapters[0]!;
  return architecture === undefined || architecture === base.architecture
    ? undefined
    : `the adapter is for ${architecture}, and the base is ${base.architecture}`;
}

/** What llama.cpp would stop on or leave out: found when the adapter was held against its base. */
function fitProblem({ adapters, fused }: RouteFacts): string | undefined {
  return (
    adapters[0]?.ggufProblem?.message ??
    (fused.problem?.code.startsWith('adapter/') === true ? fused.problem.message : undefined)
  );
}

function engineProblem({ base, ollamaVersion }: RouteFacts): string | undefined {
  return !ollamaProfile(ollamaVersion).does('adaptersOnEveryArchitecture') && OWN_ENGINE.has(base.architecture)
    ? `Ollama ${ollamaVersion ?? ''} runs ${base.architecture} in an engine that takes no adapters ("loras are not yet implemented"); ${behaviour('adaptersOnEveryArchitecture').since ?? 'a later version'} and later do`
    : undefined;
}
