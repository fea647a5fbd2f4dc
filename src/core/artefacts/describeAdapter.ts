import { append } from '../append';
import type { Adapter } from '../formats/adapters/adapter';
import { notText } from '../formats/huggingface/modelPurpose';
import { recogniseAdapter } from '../formats/adapters/recogniseAdapter';
import { elementCount, type TensorRef } from '../formats/tensorRef';
import { isJsonObject, type JsonObject } from '../json';
import type { Artefact, ArtefactKind, ArtefactProblem } from './artefact';
import {
  adapterWeights,
  isAdapterWeights,
  missingWeightsError,
  numberedWeights,
  pickledAdapter,
  pickledAdapterError,
  readAdapter,
  unknownConfig,
} from './adapterFolder';
import { mostValues } from './describeModel';
import { isTrainingLog, mlxLosses, type MlxLosses } from './mlxLog';
import { describeTokenizer } from './describeTokenizer';
import {
  asProblem,
  errorOf,
  isoTime,
  jsonOf,
  numberOf,
  sizeOf,
  stringOf,
  textOf,
  type FolderFacts,
} from './folderFacts';
import type { Finding } from './finding';
import { readModelCardBase } from './modelCardBase';
import { producerOf } from './producer';
import { ADAPTER_CONFIG, hasTokenizerFiles, mlxIteration, PEFT_WEIGHTS } from './trainingFolders';

/** True when the folder is an adapter, or was to be one. */
export function isAdapterFolder(folder: FolderFacts): boolean {
  return folder.files.has(ADAPTER_CONFIG) || [...folder.files.keys()].some(isAdapterWeights);
}

/** Describes an adapter folder. */
export function describeAdapter(folder: FolderFacts): Finding {
  const measured = measuredOf(folder);
  const weights = measured.best?.file ?? adapterWeights(folder.files.keys());
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
    ...mlxSteps(folder, measured),
    problems: [...reading.problems, ...tokenizer.problems],
  };
  return { artefact, adapter: reading.adapter, identity: folder.identity };
}

/** Describes each numbered file of an mlx folder; `folderArtefact` is the folder they lie in. */
export function describeMlxCheckpoints(folder: FolderFacts, folderArtefact: Artefact): Finding[] {
  const names = numberedWeights(folder.files.keys());
  const measured = measuredOf(folder);
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
        evalLoss: measured.byFile.get(name),
        isNewest: name === names.at(-1),
        isBest: name === measured.best?.file,
        problems: reading.problems,
      },
      adapter: reading.adapter,
    };
  });
}

/** The validation losses that a log of mlx-lm in the folder gives to its weights. */
function measuredOf(folder: FolderFacts): MlxLosses {
  const logs = [...folder.files.keys()].filter(isTrainingLog).flatMap((name) => {
    const text = textOf(folder, name);
    return text === undefined ? [] : [[name, text] as const];
  });
  return mlxLosses(folder.files.keys(), new Map(logs));
}

/** The numbered files as the folder's checkpoints. */
function mlxSteps(folder: FolderFacts, { byFile, best }: MlxLosses): Partial<Artefact> {
  const names = numberedWeights(folder.files.keys());
  return names.length === 0
    ? {}
    : {
        checkpoints: names.map((name) => ({
          path: folder.pathOf(name),
          step: mlxIteration(name)!,
          evalLoss: byFile.get(name),
        })),
        newestCheckpoint: folder.pathOf(names.at(-1)!),
        ...(best === undefined ? {} : { bestCheckpoint: folder.pathOf(best.file), bestBy: 'eval-loss' as const }),
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
    problems.push(asProblem(unknownConfig(folder.path, name ?? ADAPTER_CONFIG, config)));
  }
  const tensors = name === undefined ? undefined : tensorsOf(folder, name, problems);
  if (name === undefined) {
    problems.push(missingWeights(folder));
  }
  const fromConfig = configured(config);
  if (tensors === undefined || config === undefined || format === undefined) {
    return { fields: { ...fromConfig, format, weightsFile: name, ...sizes(tensors) }, problems };
  }
  const adapter = readAdapter(
    {
      path: folder.path,
      directory: folder.path,
      weightsFile: folder.pathOf(name!),
      tensors,
      hasTokenizer: hasTokenizerFiles(folder.files.keys()),
    },
    config,
  );
  const { method, rank, alpha, scale, targets } = adapter;
  const modules = adapter.parts.filter((part) => part.kind === 'lowRank').length;
  append(problems, adapter.refusals.map(asProblem));
  if (adapter.purpose !== undefined) {
    problems.push(asProblem(notText(adapter.purpose.purpose, 'The adapter', adapter.purpose.seenBy)));
  }
  return {
    adapter,
    fields: {
      format,
      weightsFile: name,
      purpose: adapter.purpose?.purpose,
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
  if (facts?.format === 'npz') {
    return new Map(facts.tensors);
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
  append(problems, facts.description.problems.map(asProblem));
  return new Map(
    [...facts.description.tensors].map(([key, tensor]) => [key, { ...tensor, file: folder.pathOf(name) }]),
  );
}

function missingWeights(folder: FolderFacts): ArtefactProblem {
  const pickled = pickledAdapter(folder.files.keys());
  return asProblem(
    pickled === undefined
      ? missingWeightsError(folder.path, folder.folders)
      : pickledAdapterError(folder.path, pickled),
  );
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
  const weights = adapterWeights(folder.files.keys());
  const isMlx = format === 'mlx' || (format === undefined && weights !== undefined && weights !== PEFT_WEIGHTS);
  return isMlx ? 'mlx-adapter' : 'peft-adapter';
}
