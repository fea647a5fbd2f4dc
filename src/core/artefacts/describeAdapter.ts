import type { Adapter } from '../formats/adapters/adapter';
import { readMlxAdapter } from '../formats/adapters/readMlxAdapter';
import { readPeftAdapter } from '../formats/adapters/readPeftAdapter';
import { recogniseAdapter } from '../formats/adapters/recogniseAdapter';
import { elementCount, type TensorRef } from '../formats/tensorRef';
import { isJsonObject, type JsonObject } from '../json';
import type { Artefact, ArtefactKind, ArtefactProblem } from './artefact';
import { mostValues } from './describeModel';
import { describeTokenizer } from './describeTokenizer';
import { asProblem, errorOf, isoTime, jsonOf, numberOf, sizeOf, stringOf, type FolderFacts } from './folderFacts';
import type { Finding } from './finding';
import { readModelCardBase } from './modelCardBase';
import { producerOf } from './producer';
import {
  ADAPTER_CONFIG,
  hasTokenizerFiles,
  mlxIteration,
  MLX_WEIGHTS,
  PEFT_PICKLE,
  PEFT_WEIGHTS,
} from './trainingFolders';

/** True when the folder is an adapter, or was to be one. */
export function isAdapterFolder(folder: FolderFacts): boolean {
  const { files } = folder;
  return (
    files.has(ADAPTER_CONFIG) ||
    files.has(PEFT_WEIGHTS) ||
    files.has(MLX_WEIGHTS) ||
    files.has(PEFT_PICKLE) ||
    numberedWeights(folder).length > 0
  );
}

/** mlx-lm's numbered weights, oldest first. */
export function numberedWeights(folder: FolderFacts): string[] {
  return [...folder.files.keys()]
    .filter((name) => mlxIteration(name) !== undefined)
    .sort((a, b) => mlxIteration(a)! - mlxIteration(b)!);
}

/** The file that a merge would take. */
export function adapterWeights(folder: FolderFacts): string | undefined {
  return [PEFT_WEIGHTS, MLX_WEIGHTS].find((name) => folder.files.has(name)) ?? numberedWeights(folder).at(-1);
}

/** Describes an adapter folder. */
export function describeAdapter(folder: FolderFacts): Finding {
  const weights = adapterWeights(folder);
  const tokenizer = describeTokenizer(folder, undefined);
  const own = [...folder.files.keys()].filter(
    (name) =>
      !name.endsWith('.gguf') &&
      (mlxIteration(name) === undefined || name === weights) &&
      folder.facts.get(name)?.format !== 'pickle',
  );
  const reading = readWeights(folder, weights);
  const artefact: Artefact = {
    path: folder.path,
    kind: kindOf(folder, reading.adapter),
    producer: producerOf(folder),
    ...sizeOf(folder, own),
    ...reading.fields,
    base: { name: reading.adapter?.baseName ?? configuredBase(folder), candidates: [] },
    tokenizer: tokenizer.tokenizer,
    template: tokenizer.template,
    ...mlxSteps(folder),
    problems: [...reading.problems, ...tokenizer.problems],
  };
  return { artefact, adapter: reading.adapter, identity: folder.identity };
}

/** Describes each numbered file of an mlx folder; `folderArtefact` is the folder they lie in. */
export function describeMlxCheckpoints(folder: FolderFacts, folderArtefact: Artefact): Finding[] {
  const names = numberedWeights(folder);
  return names.map((name) => {
    const reading = readWeights(folder, name);
    const entry = folder.files.get(name)!;
    return {
      artefact: {
        path: folder.pathOf(name),
        kind: 'mlx-checkpoint',
        partOf: folder.path,
        producer: 'mlx-lm',
        bytes: entry.bytes,
        modified: isoTime(entry.modified),
        ...reading.fields,
        base: { name: reading.adapter?.baseName ?? folderArtefact.base?.name, candidates: [] },
        step: mlxIteration(name),
        isNewest: name === names.at(-1),
        problems: reading.problems,
      },
      adapter: reading.adapter,
    };
  });
}

/** The numbered files as the folder's checkpoints. */
function mlxSteps(folder: FolderFacts): Partial<Artefact> {
  const names = numberedWeights(folder);
  return names.length === 0
    ? {}
    : {
        checkpoints: names.map((name) => ({ path: folder.pathOf(name), step: mlxIteration(name)! })),
        newestCheckpoint: folder.pathOf(names.at(-1)!),
      };
}

interface Reading {
  readonly adapter?: Adapter | undefined;
  readonly fields: Partial<Artefact>;
  readonly problems: readonly ArtefactProblem[];
}

function readWeights(folder: FolderFacts, name: string | undefined): Reading {
  const config = jsonOf(folder, ADAPTER_CONFIG);
  const configError = errorOf(folder.facts.get(ADAPTER_CONFIG));
  const format = config === undefined ? undefined : recogniseAdapter(config);
  const problems: ArtefactProblem[] = configError === undefined ? [] : [asProblem(configError)];
  if (configError === undefined && format === undefined) {
    problems.push({
      code: 'adapter/config',
      message:
        config === undefined
          ? `The folder has no ${ADAPTER_CONFIG}, so the scale of the adapter is unknown. Copy it from where the adapter was trained.`
          : `${ADAPTER_CONFIG} is neither PEFT's (no peft_type) nor mlx-lm's (no fine_tune_type). Restore it as the training tool wrote it.`,
    });
  }
  const tensors = name === undefined ? undefined : tensorsOf(folder, name, problems);
  if (name === undefined) {
    problems.push(missingWeights(folder));
  }
  const fromConfig = configured(config);
  if (tensors === undefined || config === undefined || format === undefined) {
    return { fields: { ...fromConfig, format, weightsFile: name, ...sizes(tensors) }, problems };
  }
  const input = {
    path: folder.path,
    directory: folder.path,
    weightsFile: folder.pathOf(name!),
    config,
    tensors,
    hasTokenizer: hasTokenizerFiles(folder.files.keys()),
  };
  const adapter = format === 'peft' ? readPeftAdapter(input) : readMlxAdapter(input);
  const { method, rank, alpha, scale, targets } = adapter;
  const modules = adapter.parts.filter((part) => part.kind === 'lowRank').length;
  problems.push(...adapter.refusals.map(asProblem));
  return {
    adapter,
    fields: {
      format,
      weightsFile: name,
      method,
      rank,
      alpha,
      scale,
      targets,
      modules: modules === 0 ? undefined : modules,
      ...sizes(tensors),
    },
    problems,
  };
}

function tensorsOf(folder: FolderFacts, name: string, problems: ArtefactProblem[]): Map<string, TensorRef> | undefined {
  const facts = folder.facts.get(name);
  const error = errorOf(facts);
  if (error !== undefined) {
    problems.push(asProblem(error));
  }
  if (facts?.format !== 'safetensors') {
    if (error === undefined) {
      problems.push({
        code: 'input/unrecognised',
        message: `${name} is no safetensors file. Fetch or save the adapter again.`,
      });
    }
    return undefined;
  }
  problems.push(...facts.description.problems.map(asProblem));
  return new Map(
    [...facts.description.tensors].map(([key, tensor]) => [key, { ...tensor, file: folder.pathOf(name) }]),
  );
}

function missingWeights(folder: FolderFacts): ArtefactProblem {
  const pickled = [...folder.files.keys()].find((name) => /^adapter(?:_model)?\.(?:bin|pt|pth)$/.test(name));
  if (pickled !== undefined) {
    return {
      code: 'input/pickle',
      message: `${pickled} is a Python pickle, which is never loaded. Save the adapter as safetensors where it was trained: model.save_pretrained(DIR, safe_serialization=True).`,
    };
  }
  return folder.folders.some((name) => /^global_step\d+$|^pytorch_model_fsdp/.test(name))
    ? {
        code: 'adapter/missing',
        message:
          'DeepSpeed or FSDP kept the weights in shards of their own. Run zero_to_fp32.py of the folder, or save with gathered weights.',
      }
    : {
        code: 'adapter/missing',
        message: `The folder has ${ADAPTER_CONFIG} but no weights. Copy them from where the adapter was trained.`,
      };
}

function sizes(tensors: ReadonlyMap<string, TensorRef> | undefined): Partial<Artefact> {
  if (tensors === undefined) {
    return {};
  }
  const all = [...tensors.values()];
  return {
    tensors: all.length,
    parameters: all.reduce((sum, tensor) => sum + elementCount(tensor.shape), 0),
    dtype: mostValues(all.map((tensor) => [tensor.dtype, elementCount(tensor.shape)])),
  };
}

/** What the configuration says, for an adapter whose weights cannot be read. */
function configured(config: JsonObject | undefined): Partial<Artefact> {
  const nested = config?.['lora_parameters'];
  const parameters = isJsonObject(nested) ? nested : undefined;
  const targets = config?.['target_modules'];
  return {
    rank: numberOf(config, 'r') ?? numberOf(parameters, 'rank'),
    alpha: numberOf(config, 'lora_alpha'),
    scale: numberOf(parameters, 'scale'),
    targets: Array.isArray(targets)
      ? (targets as readonly unknown[]).filter((name) => typeof name === 'string').sort()
      : undefined,
  };
}

function configuredBase(folder: FolderFacts): string | undefined {
  const config = jsonOf(folder, ADAPTER_CONFIG);
  return stringOf(config, 'base_model_name_or_path') ?? stringOf(config, 'model') ?? readModelCardBase(folder);
}

function kindOf(folder: FolderFacts, adapter: Adapter | undefined): ArtefactKind {
  const config = jsonOf(folder, ADAPTER_CONFIG);
  const format = adapter?.format ?? (config === undefined ? undefined : recogniseAdapter(config));
  const isMlx =
    format === 'mlx' ||
    (format === undefined &&
      !folder.files.has(PEFT_WEIGHTS) &&
      !folder.files.has(PEFT_PICKLE) &&
      adapterWeights(folder) !== undefined);
  return isMlx ? 'mlx-adapter' : 'peft-adapter';
}
