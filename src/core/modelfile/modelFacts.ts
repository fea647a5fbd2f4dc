import { parseModelReference, shortModelName } from '../ollama/modelName';
import type { Entry, LintContext } from './lintContext';
import type { InstalledModelFacts, ModelFolderFacts, PathFacts, WorkspaceFacts } from './workspaceFacts';

/** A FROM line with what it leads to. */
export interface FromFacts {
  readonly entry: Entry;
  readonly path: PathFacts;
}

/** What a Modelfile's FROM lines together make, as far as it is known. */
export interface BaseModel {
  /** Every FROM with its path. */
  readonly lines: readonly FromFacts[];
  /** Set when the model comes from files; the line that names the model itself. */
  readonly fileLine?: FromFacts | undefined;
  /** Set when it comes from another model: the line with the name that counts, and what Ollama knows of it. */
  readonly nameLine?: FromFacts | undefined;
  readonly installed?: InstalledModelFacts | undefined;
  /** `general.architecture` of a GGUF or an installed model; class name of a folder. */
  readonly architecture?: string | undefined;
  /** What a GGUF of it has, or would have, for `general.architecture`; undefined where nobody knows. */
  readonly ggufArchitecture?: string | undefined;
  /** Set when the model is a folder that Ollama would convert. */
  readonly folder?: ModelFolderFacts | undefined;
  readonly contextLength?: number | undefined;
  /** Jinja template of the model file; undefined both for none and for not known: see `isKnown`. */
  readonly chatTemplate?: string | undefined;
  /** Texts at which generation ends by itself. Empty when nothing is known. */
  readonly endTokens: readonly string[];
  readonly specialTokens: readonly string[];
  readonly isEmbedding: boolean;
  /** True when the model was looked at, so that what is absent is known to be absent. */
  readonly isKnown: boolean;
}

/** A model has some parts and a projector; of a text with more lines than that nobody waits for every path. */
const MAX_LOOKED_AT = 1000;
const NOT_LOOKED_AT: PathFacts = { kind: 'unknown', remote: false };

/** Asks for everything that the FROM lines lead to. */
export async function readBaseModel(
  context: LintContext,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<BaseModel> {
  const lines = await Promise.all(
    context.all('model').map(async (entry, index) => ({
      entry,
      path: index < MAX_LOOKED_AT ? await facts.path(entry.command.args, signal) : NOT_LOOKED_AT,
    })),
  );
  const nameLine = lines.findLast(({ entry, path }) => isName(entry.command.args, path));
  if (nameLine !== undefined) {
    return named(lines, nameLine, await installedModel(nameLine.entry.command.args, facts, signal));
  }
  const fileLine = lines.find(
    ({ path }) =>
      (path.kind === 'model-folder' && isWhole(path.model)) || (path.kind === 'gguf' && path.gguf.role === 'model'),
  );
  return fromFiles(lines, fileLine);
}

/** A folder that Ollama would come to convert; what is wrong with any other is said of the folder itself. */
function isWhole({ weights, hasConfig, leavesFolder, pointers, problem, gguf }: ModelFolderFacts): boolean {
  if (leavesFolder || pointers.length > 0 || problem !== undefined) {
    return false;
  }
  return weights === 'gguf'
    ? gguf?.facts.kind === 'gguf' && gguf.facts.gguf.role === 'model'
    : weights === 'safetensors' && hasConfig;
}

/** Whether a FROM is taken for a model's name: nothing is there, or nobody looked and it reads like a name. */
export function isName(args: string, path: PathFacts): boolean {
  return (
    path.kind === 'absent' ||
    (path.kind === 'unknown' && !looksLikePath(args) && parseModelReference(args) !== undefined)
  );
}

/** A text that people write for a path: with `./`, `~`, a drive or a file's ending. */
export function looksLikePath(args: string): boolean {
  return (
    !HOSTED.test(args) &&
    (args === '' ||
      /^(?:\.{1,2}(?:[\\/]|$)|[\\/~]|[A-Za-z]:[\\/])/.test(args) ||
      /\.(?:gguf|safetensors|bin|pth?|ckpt|json)$/i.test(args) ||
      args.includes('\\'))
  );
}

/** `hf.co/user/repository:FILE.gguf`: the name of a file is a tag there, and the whole a name. */
const HOSTED =
  /^(?:(?:https?:\/\/)?(?:hf\.co|huggingface\.co)\/[\w-]+\/[\w.-]+(?::[\w.-]+)?|(?:https?:\/\/)?[\w-]+(?:\.[\w-]+)+(?::\d+)?\/[\w-]+\/[\w.-]+:[\w.-]+)$/i;

async function installedModel(
  args: string,
  facts: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<InstalledModelFacts | undefined> {
  const reference = parseModelReference(args);
  return reference === undefined ? undefined : facts.installedModel(shortModelName(reference.name), signal);
}

function named(
  lines: readonly FromFacts[],
  nameLine: FromFacts,
  installed: InstalledModelFacts | undefined,
): BaseModel {
  return {
    lines,
    nameLine,
    installed,
    architecture: installed?.architecture,
    ggufArchitecture: installed?.architecture,
    contextLength: installed?.contextLength,
    chatTemplate: installed?.chatTemplate,
    endTokens: installed?.endTokens ?? [],
    specialTokens: installed?.specialTokens ?? [],
    isEmbedding: false,
    isKnown: installed !== undefined,
  };
}

function fromFiles(lines: readonly FromFacts[], fileLine: FromFacts | undefined): BaseModel {
  const path = fileLine?.path;
  const inner = path?.kind === 'model-folder' ? path.model.gguf?.facts : undefined;
  const gguf = path?.kind === 'gguf' ? path.gguf : inner?.kind === 'gguf' ? inner.gguf : undefined;
  const folder = path?.kind === 'model-folder' && gguf === undefined ? path.model : undefined;
  const model = gguf ?? folder;
  return {
    lines,
    fileLine,
    architecture: model?.architecture,
    ggufArchitecture: gguf?.architecture ?? folder?.ggufArchitecture,
    folder,
    contextLength: model?.contextLength,
    chatTemplate: model?.chatTemplate,
    endTokens: model?.endTokens ?? [],
    specialTokens: model?.specialTokens ?? [],
    isEmbedding: gguf?.isEmbedding === true || /^(?:Nomic)?Bert/.test(folder?.architecture ?? ''),
    isKnown: model !== undefined,
  };
}
