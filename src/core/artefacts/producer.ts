import type { Producer } from './artefact';
import { jsonOf, stringOf, textOf, type FolderFacts } from './folderFacts';
import { epochNumber, mlxIteration, MLX_WEIGHTS, swiftRun } from './trainingFolders';

type Sign = (folder: FolderFacts, written: string) => boolean;

const has = (folder: FolderFacts, ...names: readonly string[]): boolean => names.some((name) => folder.files.has(name));

/**
 * Signs of the tools, the most particular first: each of them builds on transformers and leaves its files as well.
 * `written` is what model card and pickled training arguments say of themselves (module names stand in clear in a pickle).
 */
const SIGNS: readonly (readonly [Producer, Sign])[] = [
  [
    'mlx-lm',
    (folder) => has(folder, MLX_WEIGHTS) || [...folder.files.keys()].some((name) => mlxIteration(name) !== undefined),
  ],
  [
    'modelfile-studio',
    (folder) => [...folder.facts].some(([name, facts]) => name.endsWith('.gguf.build.json') && facts.format === 'json'),
  ],
  [
    'ms-swift',
    (folder, written) =>
      has(folder, 'additional_config.json', 'args.json') &&
      (has(folder, 'logging.jsonl', 'additional_config.json') ||
        swiftRun(folder.name) !== undefined ||
        /\bswift\b/.test(written)),
  ],
  [
    'ms-swift',
    (folder, written) =>
      has(folder, 'logging.jsonl') ||
      swiftRun(folder.name) !== undefined ||
      /(?:^|[^\w])c?swift\.(?:llm|trainers|plugin|arguments)/.test(written),
  ],
  [
    'torchtune',
    (folder) =>
      folder.folders.includes('recipe_state') ||
      has(folder, 'torchtune_config.yaml', 'recipe_state.pt') ||
      (epochNumber(folder.name) !== undefined &&
        has(folder, 'adapter_model.pt', 'adapter_model.safetensors', 'model.safetensors.index.json')),
  ],
  ['axolotl', (folder, written) => /axolotl/i.test(written) || folder.folders.includes('adapter_model')],
  [
    'llama-factory',
    (folder, written) =>
      has(folder, 'trainer_log.jsonl', 'llamaboard_config.yaml', 'all_results.json') ||
      /llama-?factory|llamafactory/i.test(written),
  ],
  ['unsloth', (folder, written) => /unsloth/i.test(written) || namesUnsloth(folder)],
  ['trl', (_folder, written) => /\btrl\b|trl\.trainer/i.test(written)],
  ['transformers', (folder) => has(folder, 'trainer_state.json', 'training_args.bin')],
];

/** The tool that a folder's files point to; undefined for one that says nothing. */
export function producerOf(folder: FolderFacts): Producer | undefined {
  const written = writtenBy(folder);
  return SIGNS.find(([, sign]) => sign(folder, written))?.[0];
}

function namesUnsloth(folder: FolderFacts): boolean {
  const config = jsonOf(folder, 'config.json');
  const base = stringOf(jsonOf(folder, 'adapter_config.json'), 'base_model_name_or_path');
  return (
    config?.['unsloth_version'] !== undefined ||
    config?.['unsloth_fixed'] !== undefined ||
    base?.startsWith('unsloth/') === true
  );
}

/** Tags and libraries of the model card, and module names in the pickled training arguments. */
function writtenBy(folder: FolderFacts): string {
  const card = /^---\r?\n([\s\S]*?)\r?\n---/.exec(textOf(folder, 'README.md') ?? '')?.[1] ?? '';
  const tags = card
    .split(/\r?\n/)
    .filter((line) => /^(?:\s*-\s|tags:|library_name:|model_name:)/.test(line))
    .join('\n');
  const body =
    /built with axolotl|axolotl config|trained (?:with|using) \[?(?:TRL|Unsloth)|LLaMA-Factory/i.exec(
      textOf(folder, 'README.md') ?? '',
    )?.[0] ?? '';
  const args = folder.facts.get('training_args.bin');
  return `${tags}\n${body}\n${args?.format === 'pickle' ? args.text : ''}`;
}
