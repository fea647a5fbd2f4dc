import { canonicalTensorName, withoutWrappers } from '../huggingface/tensorNames';

/** What a tensor of a PEFT file is for. */
export type PeftRole =
  | 'loraA'
  | 'loraB'
  | 'loraBias'
  | 'embeddingA'
  | 'embeddingB'
  | 'magnitude'
  /** The base tensor that the adapter was trained on (`base_layer`). */
  | 'base'
  /** A trained tensor that takes the base's place. */
  | 'replace'
  | 'tokens'
  /** A copy of something that the base has. */
  | 'ignored';

/** A name of `adapter_model.safetensors`, taken apart. */
export interface PeftTensorName {
  readonly role: PeftRole;
  /** Module path as PEFT saw it, without its own prefix: what rank and alpha patterns are matched against. */
  readonly path: string;
  /** `weight` or `bias`: which parameter of the module is meant. */
  readonly parameter: 'weight' | 'bias';
  /** The base tensor that is changed, in canonical form. */
  readonly target: string;
}

/** Suffix patterns in the order of trial. An adapter's own name (`default`) may stand after the marker. */
const SUFFIXES: readonly (readonly [RegExp, PeftRole, 'weight' | 'bias'])[] = [
  [/\.lora_A(?:\.[^.]+)?\.weight$/, 'loraA', 'weight'],
  [/\.lora_B(?:\.[^.]+)?\.weight$/, 'loraB', 'weight'],
  [/\.lora_B(?:\.[^.]+)?\.bias$/, 'loraBias', 'bias'],
  [/\.lora_embedding_A(?:\.[^.]+)?$/, 'embeddingA', 'weight'],
  [/\.lora_embedding_B(?:\.[^.]+)?$/, 'embeddingB', 'weight'],
  [/\.lora_magnitude_vector(?:\.[^.]+){0,2}$/, 'magnitude', 'weight'],
  [/\.token_adapter\.trainable_tokens_delta(?:\.[^.]+)?$/, 'tokens', 'weight'],
  [/\.token_adapter\.trainable_tokens_original(?:\.[^.]+)?$/, 'ignored', 'weight'],
  [/\.original_module\..+$/, 'ignored', 'weight'],
  [/\.token_adapter\.base_layer\.weight$/, 'base', 'weight'],
  [/\.base_layer\.weight$/, 'base', 'weight'],
  [/\.base_layer\.bias$/, 'replace', 'bias'],
  [/\.modules_to_save\.(?:[^.]+\.)?weight$/, 'replace', 'weight'],
  [/\.modules_to_save\.(?:[^.]+\.)?bias$/, 'replace', 'bias'],
  [/\.weight$/, 'replace', 'weight'],
  [/\.bias$/, 'replace', 'bias'],
];

/** Marks of adapter tensors; one that is left after its suffix was taken off belongs to a variant that is not known. */
const LEFTOVER =
  /(?:^|\.)(?:lora_|base_layer\b|modules_to_save\b|token_adapter\b|hada_|lokr_|vera_|ia3_|oft_|boft_|adapter_)/;

/**
 * The name as the model knows it: without PEFT's prefix, and without the wrappers (DistributedDataParallel, torch.compile, FSDP)
 * that a training loop put around the PEFT model or inside it.
 */
function modulePath(name: string): string {
  return withoutWrappers(name)
    .replace(/^(?:module\.)+/, '')
    .replace(/^(?:base_model\.model\.|base_model\.)/, '')
    .replace(/^(?:module\.)+/, '');
}

/** The name taken apart; undefined when its suffix is none that is known. */
export function parsePeftTensorName(name: string): PeftTensorName | undefined {
  const inner = modulePath(name);
  for (const [suffix, role, parameter] of SUFFIXES) {
    const found = suffix.exec(inner);
    if (found === null) {
      continue;
    }
    const path = inner.slice(0, found.index);
    if (role !== 'ignored' && (LEFTOVER.test(path) || path === '')) {
      return undefined;
    }
    return { role, path, parameter, target: canonicalTensorName(`${path}.${parameter}`) };
  }
  return undefined;
}

/** A factor on the fused parameters of experts (`target_parameters`), which hangs on `experts` itself. */
export interface ExpertFactorName {
  /** Module path as PEFT saw it. */
  readonly path: string;
  /** The experts in canonical form: `model.layers.0.mlp.experts`. */
  readonly target: string;
  readonly factor: 'A' | 'B';
  /** True for the wrapper next to the parameters, where two are nested. */
  readonly inner: boolean;
}

/** The name of a factor on fused experts taken apart; undefined for any other. */
export function parseExpertFactorName(name: string): ExpertFactorName | undefined {
  const inner = modulePath(name);
  const found = /^(.+\.experts)\.(base_layer\.)?lora_([AB])(?:\.[^.]+)?\.weight$/.exec(inner);
  if (found === null) {
    return undefined;
  }
  const [, path, nested, factor] = found;
  return {
    path: path!,
    target: canonicalTensorName(`${path!}.weight`).replace(/\.weight$/, ''),
    factor: factor === 'A' ? 'A' : 'B',
    inner: nested !== undefined,
  };
}
