import { chatTemplateName } from '../../../src/core/formats/huggingface/chatTemplateName';
import { formatBytes } from '../../../src/core/formatBytes';
import type { InstructionName } from '../../../src/core/ollama/instructionNames';
import type {
  AdapterFolderFacts,
  GgufFacts,
  InstalledModelFacts,
  ModelFolderFacts,
  PathFacts,
  WorkspaceFacts,
} from '../../../src/core/modelfile/workspaceFacts';
import { parseModelReference, shortModelName } from '../../../src/core/ollama/modelName';
import { code } from './markdown';

/** A list of facts as Markdown; entries without a value are left out. */
function facts(entries: readonly (readonly [string, string | undefined])[]): string {
  return entries
    .flatMap(([name, value]) => (value === undefined || value === '' ? [] : [`- ${name}: ${value}`]))
    .join('\n');
}

const number = (value: number | undefined): string | undefined => value?.toLocaleString('en-US');
const tokens = (texts: readonly string[]): string => texts.map((text) => code(text)).join(' ');
const template = (jinja: string | undefined): string =>
  jinja === undefined ? 'none in the file' : chatTemplateName(jinja);

/** What a path of FROM, ADAPTER or DRAFT holds. */
export function describePath(path: string, found: PathFacts): string[] {
  switch (found.kind) {
    case 'gguf':
      return [`**GGUF ${found.gguf.role}** ${code(path)}`, gguf(found.gguf)];
    case 'model-folder':
      return [`**Model folder** ${code(path)}`, folder(found.model)];
    case 'adapter-folder':
      return [`**Adapter** ${code(path)}`, adapter(found.adapter)];
    case 'broken-adapter':
      return [`**Damaged adapter** ${code(path)}`, code(found.reason, 300)];
    case 'bad-gguf':
      return [`**Damaged GGUF** ${code(path)}`, code(found.reason, 300)];
    case 'lfs-pointer':
      return [`**Git LFS pointer** ${code(path)}`, 'The file itself was never downloaded.'];
    case 'safetensors-file':
      return [`**One weights file** ${code(path)}`, 'Ollama needs its folder.'];
    case 'pickle':
      return [`**Python pickle** ${code(path)}`, 'Never loaded from here: it can run code.'];
    default:
      return [];
  }
}

function parameters(count: number | undefined): string | undefined {
  if (count === undefined || count === 0) {
    return undefined;
  }
  return count >= 1e9 ? `${(count / 1e9).toFixed(1)} B` : `${(count / 1e6).toFixed(1)} M`;
}

function gguf(file: GgufFacts): string {
  return facts([
    ['Name', file.name === undefined ? undefined : code(file.name)],
    ['Architecture', code(file.architecture)],
    ['Size', `${formatBytes(file.bytes)}${file.quantisation === undefined ? '' : `, ${file.quantisation}`}`],
    ['Parameters', file.role === 'model' ? parameters(file.parameters) : undefined],
    ['Context', number(file.contextLength)],
    ['Chat template', file.role === 'model' ? template(file.chatTemplate) : undefined],
    ['Ends at', tokens(file.endTokens)],
    ['Rank', number(file.adapterRank)],
    ['Alpha', number(file.adapterAlpha)],
    ['Part', file.split === undefined ? undefined : `${file.split.number + 1} of ${file.split.count}`],
  ]);
}

function folder(model: ModelFolderFacts): string {
  if (model.gguf?.facts.kind === 'gguf') {
    return `${facts([['File', code(model.gguf.name)]])}\n${gguf(model.gguf.facts.gguf)}`;
  }
  return facts([
    ['Architecture', model.architecture === undefined ? undefined : code(model.architecture)],
    ['Weights', model.weights],
    ['Size', formatBytes(model.bytes)],
    ['Context', number(model.contextLength)],
    ['Quantised', model.quantisation === undefined ? undefined : code(model.quantisation)],
    [
      'Chat template',
      model.separateChatTemplate === undefined
        ? template(model.chatTemplate)
        : `${template(model.separateChatTemplate)}, in chat_template.jinja, which Ollama’s converter leaves out`,
    ],
    ['Ends at', tokens(model.endTokens)],
  ]);
}

function adapter(found: AdapterFolderFacts): string {
  return facts([
    ['Made by', found.format === 'mlx' ? 'mlx-lm' : 'PEFT'],
    ['Method', found.method],
    ['Rank', number(found.rank)],
    ['Alpha', number(found.alpha)],
    ['Scale', number(found.scale)],
    ['Cannot be merged', found.refusals[0] === undefined ? undefined : code(found.refusals[0], 300)],
    ['Changes', found.targets.map((name) => code(name)).join(' ')],
    ['Base', found.baseName === undefined ? undefined : code(found.baseName)],
  ]);
}

/** A FROM that is no path: what the configured Ollama knows of the name. */
export async function describeModelName(
  text: string,
  keyword: InstructionName,
  path: PathFacts,
  around: WorkspaceFacts,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const reference = keyword === 'FROM' ? parseModelReference(text) : undefined;
  if (reference === undefined) {
    return path.kind === 'unknown' && path.remote
      ? [`${code(text)} is a network or device path: it is not looked at here.`]
      : [];
  }
  const name = shortModelName(reference.name);
  const installed = await around.installedModel(name, signal);
  return [`**Model** ${code(name)}`, installed === undefined ? undefined : model(installed)].filter(
    (line) => line !== undefined,
  );
}

function model(found: InstalledModelFacts): string {
  return facts([
    ['Architecture', found.architecture === undefined ? undefined : code(found.architecture)],
    ['Parameters', found.parameterSize === undefined ? undefined : code(found.parameterSize)],
    ['Size', found.bytes === undefined ? undefined : formatBytes(found.bytes)],
    ['Quantisation', found.quantisation === undefined ? undefined : code(found.quantisation)],
    [
      'Chat template',
      found.renderer !== undefined
        ? undefined
        : found.template !== undefined
          ? 'TEMPLATE'
          : found.chatTemplate === undefined
            ? undefined
            : template(found.chatTemplate),
    ],
    ['Context', number(found.contextLength)],
    ['Renderer', found.renderer === undefined ? undefined : code(found.renderer)],
    ['Parser', found.parser === undefined ? undefined : code(found.parser)],
    ['Stops', tokens(found.stops)],
  ]);
}
