import type { Note } from '../../note';
import { append } from '../../append';
import { StudioError } from '../../errors';
import { sixteenBitName } from '../huggingface/quantisedBase';
import type { TensorRef } from '../tensorRef';
import type { Adapter, AdapterMethod, AdapterPart } from './adapter';
import { checkTensors, mostCommon } from './adapterChecks';
import type { AdapterInput } from './adapterInput';
import { readPeftConfig, type PeftModule, type PeftSettings } from './peftConfig';
import { PeftModuleParts, type PeftModuleTensors } from './peftModuleParts';
import { parseExpertFactorName, parsePeftTensorName, type PeftTensorName } from './peftTensorName';
import { readExpertFactors } from './readExpertFactors';
import { canonicalTensorName, moduleLeaf } from '../huggingface/tensorNames';
import { isValueHead, purposeOfAdapter } from '../huggingface/modelPurpose';

/**
 * Reads a PEFT LoRA adapter (peft 0.21 and before; tensor names of `peft/utils/save_and_load.py`, scales of
 * `peft/tuners/lora/layer.py`): every tensor becomes a part or a refusal, none is left out. Nothing is thrown: what cannot
 * be merged stands in `refusals`, and the rest still describes the adapter.
 */
export function readPeftAdapter(input: AdapterInput): Adapter {
  const { settings, refusals } = readPeftConfig(input.config, input.path);
  const problems = [...refusals, ...checkTensors(input)];
  const aside: Aside = { valueHead: [], copies: [] };
  const modules = groupByModule(input, problems, aside);
  const parts: AdapterPart[] = [];
  const used: PeftModule[] = [];
  for (const tensors of modules.values()) {
    const module = new PeftModuleParts(tensors, settings, input.path);
    append(parts, module.parts());
    append(problems, module.problems);
    if (module.lowRank !== undefined) {
      used.push(module.lowRank);
    }
  }
  const experts = readExpertFactors(input, settings);
  append(parts, experts.parts);
  append(problems, experts.problems);
  append(used, experts.modules);
  if (problems.length === 0 && parts.length === 0) {
    problems.push(
      new StudioError(
        'adapter/empty',
        `${input.weightsFile} holds nothing but copies of base weights. Pass the adapter that was trained.`,
        { path: input.path },
      ),
    );
  }
  return {
    path: input.path,
    weightsFile: input.weightsFile,
    directory: input.directory,
    format: 'peft',
    method: methodOf(settings, parts),
    config: input.config,
    rank: mostCommon(used.map((module) => module.rank)),
    alpha: mostCommon(used.map((module) => module.alpha)),
    scale: mostCommon(used.map((module) => module.scale)),
    targets: [...new Set(parts.map((part) => moduleLeaf(part.target)))].sort(),
    baseName: settings.baseName,
    parts,
    tensors: input.tensors,
    hasTokenizer: input.hasTokenizer,
    refusals: problems,
    warnings: [...warningsOf(settings, used), ...valueHeadWarning(aside.valueHead)],
    purpose: purposeOfAdapter(
      input.config['task_type'],
      parts.map((part) => [part.target, 'source' in part ? part.source.shape[0] : undefined]),
    ),
    leftOut: aside.valueHead.length === 0 ? [] : [{ what: 'value head', tensors: aside.valueHead, modules: 1 }],
    withoutEffect: aside.copies,
  };
}

/** Tensors that become no part. */
interface Aside {
  readonly valueHead: string[];
  /** Of what the base, or another tensor of the file, holds. */
  readonly copies: string[];
}

function groupByModule(input: AdapterInput, problems: StudioError[], aside: Aside): Map<string, PeftModuleTensors> {
  const modules = new Map<string, PeftModuleTensors>();
  const unknown: string[] = [];
  for (const tensor of input.tensors.values()) {
    const name = parsePeftTensorName(tensor.name);
    if (parseExpertFactorName(tensor.name) !== undefined) {
      continue;
    }
    if (isValueHead(name?.path ?? canonicalTensorName(tensor.name))) {
      aside.valueHead.push(tensor.name);
    } else if (name === undefined) {
      unknown.push(tensor.name);
    } else if (name.role === 'ignored') {
      aside.copies.push(tensor.name);
    } else {
      place(modules, name, tensor, input, problems, aside.copies);
    }
  }
  if (unknown.length > 0) {
    problems.push(
      new StudioError(
        'adapter/unmatched',
        `${unknown[0]!} is nothing that a LoRA of PEFT has (${unknown.length} of ${input.tensors.size} tensors are not understood). Merge the adapter with the tool that trained it and pass the merged folder as the base.`,
        { path: input.path, detail: { tensors: unknown.slice(0, 20) } },
      ),
    );
  }
  return modules;
}

function place(
  modules: Map<string, PeftModuleTensors>,
  name: PeftTensorName,
  tensor: TensorRef,
  input: AdapterInput,
  problems: StudioError[],
  copies: string[],
): void {
  const module = name.target.replace(/\.(?:weight|bias)$/, '');
  let entry = modules.get(module);
  if (entry === undefined) {
    entry = { name, byRole: new Map() };
    modules.set(module, entry);
  }
  const role = name.role === 'replace' && name.parameter === 'bias' ? 'replaceBias' : name.role;
  const other = entry.byRole.get(role);
  if (other !== undefined && isSavedTwice(other, tensor)) {
    const [kept, copy] = other.name.includes('.modules_to_save.') ? [tensor, other] : [other, tensor];
    entry.byRole.set(role, kept);
    copies.push(copy.name);
    return;
  }
  if (other !== undefined) {
    problems.push(
      new StudioError(
        'adapter/unsupported',
        `${other.name} and ${tensor.name} are for the same place: the file holds several adapters. Save one adapter a file, or merge them in the training script.`,
        { path: input.path, detail: { tensors: [other.name, tensor.name] } },
      ),
    );
  }
  entry.byRole.set(role, tensor);
}

/**
 * PEFT saves a trained embedding or head twice where it also saves embeddings as such (after a resize): under its plain name, and
 * as `modules_to_save`; and the magnitude of a DoRA head as a vector and as the weight of one. They are the same tensor.
 */
function isSavedTwice(a: TensorRef, b: TensorRef): boolean {
  const marked = [a, b].filter(({ name }) => name.includes('.modules_to_save.'));
  const isMagnitude = [a, b].every(({ name }) => /\.lora_magnitude_vector(?:\.weight)?$/.test(name));
  return (marked.length === 1 || isMagnitude) && a.dtype === b.dtype && a.shape.join() === b.shape.join();
}

function methodOf(settings: PeftSettings, parts: readonly AdapterPart[]): AdapterMethod {
  if (settings.useDora) {
    return 'dora';
  }
  if (settings.useRslora) {
    return 'rslora';
  }
  return parts.length > 0 && parts.every((part) => part.kind === 'replace') ? 'full' : 'lora';
}

function valueHeadWarning(names: readonly string[]): Note[] {
  return names.length === 0
    ? []
    : [
        {
          code: 'adapter/value-head',
          message: `${names.length} tensors of a value head (${names[0]!}) are left out: it judged the answers while PPO trained, and the model is complete without it.`,
        },
      ];
}

function warningsOf(settings: PeftSettings, used: readonly PeftModule[]): Note[] {
  const warnings: Note[] = [];
  const original = settings.baseName === undefined ? undefined : sixteenBitName(settings.baseName);
  if (original !== undefined) {
    warnings.push({
      code: 'adapter/quantised-base',
      message: `The adapter was trained on a quantised copy (${settings.baseName!}). Pass the 16-bit model that it was made from (${original}) as the base.`,
    });
  }
  if (used.length > 0 && used.every((module) => module.scale === 0)) {
    warnings.push({
      code: 'adapter/no-effect',
      message: 'lora_alpha is 0: the low-rank part of the adapter changes nothing.',
    });
  }
  return warnings;
}
