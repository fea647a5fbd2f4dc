import { FILE_TYPES, isQuantised, parseFileType, type FileTypeName } from '../engine/fileTypes';
import { formatCount } from '../formatBytes';
import { behaviour } from '../ollama/ollamaBehaviours';
import { ollamaProfile } from '../ollama/ollamaProfile';
import type { RouteBase, RouteFacts } from './routeFacts';
import { adapterAsItIs, ggufAdapterProblem, ONLY_UNTIL } from './routeRules';
import { TYPE_QUALITY, type TypeQuality } from './typeQuality';

/** The ways from an adapter and its base to a model that answers. */
export const ROUTES = ['adapter', 'gguf-adapter', 'fuse', 'fuse-quantise'] as const;
export type RouteName = (typeof ROUTES)[number];

export interface Route {
  readonly route: RouteName;
  readonly works: boolean;
  /** Why, in a sentence or two. */
  readonly why: string;
  /** The code of the refusal where there is one. */
  readonly code?: string | undefined;
  /** What the model is stored as. */
  readonly type?: string | undefined;
  /** Stays on the disk, in Ollama's store. */
  readonly diskBytes?: number | undefined;
  /** Needed beside that while it is made, and removed. */
  readonly temporaryBytes?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly seconds?: number | undefined;
  readonly quality?: TypeQuality | undefined;
  readonly commands: readonly string[];
}

export interface RoutePlan {
  readonly routes: readonly Route[];
  readonly recommended?: RouteName | undefined;
  /** Why that one. */
  readonly because: string;
  readonly type?: FileTypeName | undefined;
  readonly ollamaVersion?: string | undefined;
}

/** Models up to this size lose too much at four bits ("about 1 B": what is sold as 1 B has up to 1.3 billion parameters). */
const SMALL_MODEL = 1.3e9;
/** Below this even eight bits save nothing that matters. */
const TINY_MODEL = 3e8;

/** The type that a model of this size is best stored as; what is quantised already gains nothing by more bits. */
export function recommendedType(base: Pick<RouteBase, 'parameters' | 'sixteenBit' | 'stored'>): FileTypeName {
  if (base.stored?.isQuantised === true) {
    return parseFileType(base.stored.type) ?? 'Q8_0';
  }
  return base.parameters <= TINY_MODEL ? base.sixteenBit : base.parameters <= SMALL_MODEL ? 'Q8_0' : 'Q4_K_M';
}

/** The type to make: what was asked for; of an installed model with an adapter on top its own, else the recommended one. */
function chosenType({ wantedType, base, adapters }: RouteFacts): FileTypeName {
  const own = adapters.some(({ isInstalled }) => isInstalled === true)
    ? parseFileType(base.stored?.type ?? '')
    : undefined;
  return wantedType ?? own ?? recommendedType(base);
}

/**
 * Every route with whether it works, what it costs and its command; and the one to take. A route that would lose scale, template or vocabulary
 * does not work here, whatever Ollama accepts.
 */
export function planRoutes(facts: RouteFacts): RoutePlan {
  const type = chosenType(facts);
  const routes = [asItIs(facts), ggufAdapter(facts), fused(facts, 'fuse'), fused(facts, 'fuse-quantise')];
  const { recommended, because } = recommend(facts, routes, type);
  const made = isTakenAsItIs(facts) ? parseFileType(facts.base.stored?.type ?? '') : type;
  return { routes, recommended, because, type: made, ollamaVersion: facts.ollamaVersion };
}

/**
 * Whether a GGUF or an installed model goes into the new model as it is: there is nothing to fuse, and it has the type that is wanted. What is
 * quantised already gains nothing by another one that nobody asked for.
 */
export function isTakenAsItIs({ base, adapters, wantedType }: RouteFacts): boolean {
  const { stored } = base;
  return (
    adapters.length === 0 &&
    stored !== undefined &&
    (wantedType === undefined ? stored.isQuantised : stored.type === wantedType)
  );
}

/** What a route makes of a folder: the type of the model, or of the base beside a GGUF adapter. */
export function typeOfRoute(facts: RouteFacts, route: RouteName): FileTypeName {
  switch (route) {
    case 'fuse':
      return floatType(facts);
    case 'fuse-quantise':
      return quantisedType(facts);
    case 'gguf-adapter':
      return chosenType(facts);
    case 'adapter':
      return facts.wantedType ?? facts.base.sixteenBit;
  }
}

/** What `fuse-quantise` makes: what was asked for or is recommended, where that is quantised at all. */
function quantisedType(facts: RouteFacts): FileTypeName {
  const type = chosenType(facts);
  return isQuantisedType(type) ? type : 'Q8_0';
}

/** What `fuse` makes: the 16-bit type that loses nothing, or the float type that was asked for. */
function floatType({ wantedType, base }: RouteFacts): FileTypeName {
  return wantedType !== undefined && !isQuantisedType(wantedType) ? wantedType : base.sixteenBit;
}

function isQuantisedType(type: FileTypeName): boolean {
  return isQuantised(FILE_TYPES[type].base);
}

function tooOld(facts: RouteFacts): string | undefined {
  return facts.ollamaVersion !== undefined && !ollamaProfile(facts.ollamaVersion).does('createsFromFiles')
    ? `Ollama ${facts.ollamaVersion} is too old to be given a model over its API; ${behaviour('createsFromFiles').since ?? 'a newer one'} or later is needed`
    : undefined;
}

function refused(route: RouteName, why: string, code?: string): Route {
  return { route, works: false, why, commands: [], ...(code === undefined ? {} : { code }) };
}

function asItIs(facts: RouteFacts): Route {
  const verdict = adapterAsItIs(facts);
  const [adapter] = facts.adapters;
  if (!verdict.works || adapter === undefined) {
    return refused('adapter', verdict.why);
  }
  const plain = baseBytes(facts, typeOfRoute(facts, 'adapter'));
  return {
    route: 'adapter',
    works: true,
    why: verdict.why,
    type: plain.type,
    diskBytes: plain.disk + adapter.bytes,
    temporaryBytes: plain.temporary,
    memoryBytes: plain.memory,
    seconds: plain.seconds,
    commands: [command(facts, ['--route', 'adapter'])],
  };
}

function ggufAdapter(facts: RouteFacts): Route {
  const type = typeOfRoute(facts, 'gguf-adapter');
  const problem = tooOld(facts) ?? ggufAdapterProblem(facts);
  if (problem !== undefined) {
    return refused('gguf-adapter', problem, facts.adapters[0]?.ggufProblem?.code);
  }
  if (facts.base.kind === 'huggingface' && facts.plain.problem !== undefined) {
    return refused('gguf-adapter', facts.plain.problem.message, facts.plain.problem.code);
  }
  const [adapter] = facts.adapters;
  const plain = baseBytes(facts, type);
  const bytes = adapter?.ggufBytes ?? adapter?.bytes ?? 0;
  const kept = {
    installed: 'The installed base is used as it is, with its template and vocabulary',
    gguf: 'The base is used as it is',
    huggingface: 'The base is built without the adapter',
  }[facts.base.kind];
  return {
    route: 'gguf-adapter',
    works: true,
    why: `${kept}; the adapter stays a file of its own that llama.cpp adds at every token, with the scale that it was trained with. Answers take a little longer than from a fused model. ${ONLY_UNTIL}`,
    type: plain.type,
    diskBytes: plain.disk + bytes,
    temporaryBytes: plain.temporary + bytes,
    memoryBytes: plain.memory,
    seconds: plain.seconds,
    ...(plain.quality === undefined ? {} : { quality: plain.quality }),
    commands: [command(facts, ['--route', 'gguf-adapter', ...typeWords(facts, type)])],
  };
}

function fused(facts: RouteFacts, route: 'fuse' | 'fuse-quantise'): Route {
  const type = typeOfRoute(facts, route);
  const old = tooOld(facts);
  if (old !== undefined) {
    return refused(route, old);
  }
  const { stored } = facts.base;
  if (stored !== undefined && isTakenAsItIs(facts)) {
    return route === (stored.isQuantised ? 'fuse-quantise' : 'fuse')
      ? asIs(facts, route, stored)
      : refused(route, `The base is ${stored.type} already, and goes into the model as it is`);
  }
  if (facts.fused.problem !== undefined) {
    return refused(route, facts.fused.problem.message, facts.fused.problem.code);
  }
  const build = facts.fused.builds.find((candidate) => candidate.type === type);
  const quality = TYPE_QUALITY[type];
  const several =
    facts.adapters.length > 1
      ? `${facts.adapters.length} adapters add up`
      : facts.adapters.length === 1
        ? 'The adapter is added'
        : 'The base goes';
  return {
    route,
    works: true,
    type,
    why: `${several} ${facts.adapters.length === 0 ? 'into one file' : 'to the weights in f32'}${route === 'fuse' ? ', rounded once to 16 bits' : ` and quantised to ${type} in the same pass`}; template, stops and vocabulary are the base's${facts.adapters.length === 0 ? '' : ", or the adapter's where it brings its own"}.${twice(facts)}`,
    ...(quality === undefined ? {} : { quality }),
    ...(build === undefined
      ? {}
      : {
          diskBytes: build.bytesWritten,
          temporaryBytes: build.bytesWritten,
          memoryBytes: build.memoryBytes,
          seconds: build.seconds,
        }),
    commands: [command(facts, ['--type', type])],
  };
}

/** Nothing is built: a Modelfile names what is there. */
function asIs(facts: RouteFacts, route: RouteName, stored: NonNullable<RouteBase['stored']>): Route {
  return {
    route,
    works: true,
    type: stored.type,
    why: `The base is ${stored.type} already and goes into the model as it is: nothing is built, nothing is rounded again.`,
    diskBytes: facts.base.kind === 'installed' ? 0 : stored.bytes,
    temporaryBytes: 0,
    seconds: 1,
    commands: [command(facts, facts.wantedType === undefined ? [] : ['--type', facts.wantedType])],
  };
}

interface BaseCost {
  readonly type: string;
  readonly disk: number;
  readonly temporary: number;
  readonly memory: number;
  readonly seconds: number;
  readonly quality?: TypeQuality | undefined;
}

/** A base that is quantised already has lost something before the adapter is added, and loses again. */
function twice({ base }: RouteFacts): string {
  return base.stored?.isQuantised === true
    ? ` The base is ${base.stored.type}: its weights were rounded before, and the changed ones are rounded again; the 16-bit folder gives a better result.`
    : '';
}

/** What the base alone costs: nothing where it is installed already, no work where it is a GGUF. */
function baseBytes(facts: RouteFacts, type: FileTypeName): BaseCost {
  const { stored, kind } = facts.base;
  if (stored !== undefined) {
    return { type: stored.type, disk: kind === 'installed' ? 0 : stored.bytes, temporary: 0, memory: 0, seconds: 1 };
  }
  const build = facts.plain.builds.find((candidate) => candidate.type === type);
  return {
    type,
    disk: build?.bytesWritten ?? 0,
    temporary: build?.bytesWritten ?? 0,
    memory: build?.memoryBytes ?? 0,
    seconds: build?.seconds ?? 0,
    quality: TYPE_QUALITY[type],
  };
}

function recommend(
  facts: RouteFacts,
  routes: readonly Route[],
  type: FileTypeName,
): { readonly recommended?: RouteName; readonly because: string } {
  const works = (route: RouteName): boolean => routes.some((candidate) => candidate.route === route && candidate.works);
  const asItIs = isTakenAsItIs(facts);
  const quantised = asItIs ? facts.base.stored?.isQuantised === true : isQuantisedType(type);
  const size: RouteName = quantised ? 'fuse-quantise' : 'fuse';
  // Fused first, whatever the base: an adapter apart is a model that the next version of Ollama does not take.
  const order: readonly RouteName[] = [size, 'gguf-adapter', 'adapter'];
  const chosen = order.find(works);
  if (chosen === undefined) {
    const reason = routes.find(({ route }) => route === order[0])?.why ?? '';
    return { because: `No route works: ${reason}${/[.!?]$/.test(reason) ? '' : '.'}` };
  }
  if (asItIs) {
    return { recommended: chosen, because: 'There is nothing to build.' };
  }
  if (chosen === size) {
    return { recommended: chosen, because: sizeReason(facts, type) };
  }
  return {
    recommended: chosen,
    because: `The adapter cannot be fused here, and this route keeps its scale. ${ONLY_UNTIL}`,
  };
}

function sizeReason({ base, wantedType }: RouteFacts, type: FileTypeName): string {
  if (wantedType !== undefined) {
    return `${type} is what was asked for.`;
  }
  if (base.stored?.type === type && !isQuantisedType(type)) {
    return `The base is ${type}, and stays so.`;
  }
  const size = `${formatCount(base.parameters)} parameters`;
  const loss = TYPE_QUALITY[type];
  if (base.stored?.isQuantised === true) {
    return `The base is ${base.stored.type} already: more bits would not bring back what it lost.`;
  }
  if (type === 'Q4_K_M') {
    return `${size}: Q4_K_M is the usual choice; it costs ${String(loss?.perplexity)} of perplexity (Q8_0: ${String(TYPE_QUALITY.Q8_0?.perplexity)}).`;
  }
  return `${size}: models up to about 1 B lose too much at 4 bits, and ${type === 'Q8_0' ? 'Q8_0 costs next to nothing' : 'this one is small enough to stay at 16 bits'}.`;
}

function typeWords(facts: RouteFacts, type: FileTypeName): string[] {
  return facts.base.kind === 'huggingface' ? ['--type', type] : [];
}

function command(facts: RouteFacts, words: readonly string[]): string {
  const adapters = facts.adapters.flatMap(({ path, weight, isInstalled }) =>
    isInstalled === true ? [] : ['--adapter', quote(weight === 1 ? path : `${path}=${weight}`)],
  );
  return ['modelfile-studio create NAME', '--base', quote(facts.base.path), ...adapters, ...words].join(' ');
}

/** A word of a command line, in quotes where a shell would take it apart. */
function quote(word: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(word) ? word : `"${word.replace(/(["$`])/g, '\\$1')}"`;
}
