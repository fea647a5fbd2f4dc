import { StudioError } from '../../errors';
import { isJsonObject, type JsonObject } from '../../json';
import type { TensorRef } from '../tensorRef';

/** What is needed to tell a quantised checkpoint, and to name the one that it was made from. */
export interface QuantisedBaseFacts {
  readonly path: string;
  readonly directoryName: string;
  readonly config: JsonObject;
  readonly tensors: ReadonlyMap<string, TensorRef>;
}

/** Endings by which publishers mark quantised copies of a model, longest first. */
const SUFFIXES =
  /[-_.](?:(?:unsloth-)?bnb-(?:4|8)bit|gptq(?:-int[48])?(?:-[\w.]+)?|awq(?:-int4)?|fp8(?:-dynamic|-block)?|int[48]|w\d+a\d+(?:-\w+)?|hqq|aqlm[\w-]*|exl2|4bit|8bit|quantized[.\w]*)$/i;

/** The name of the 16-bit model that a quantised copy was made from: `unsloth/X-bnb-4bit` is `unsloth/X`. */
export function sixteenBitName(name: string): string | undefined {
  const stripped = name.replace(SUFFIXES, '');
  return stripped === name || stripped === '' ? undefined : stripped;
}

/**
 * Refuses checkpoints whose weights are packed in a form that is not read (`model/quantised`), naming the 16-bit base. What the
 * tensors are decides: a `quantization_config` left over in the config of a merged 16-bit model does no harm, and mlx's own
 * quantisation is dequantised elsewhere.
 */
export function refuseQuantisedBase(facts: QuantisedBaseFacts): void {
  const method =
    packedMethod(facts.tensors) ?? (looksUnpacked(facts.tensors) ? undefined : configuredMethod(facts.config));
  if (method === undefined) {
    return;
  }
  const base = [facts.config['_name_or_path'], facts.directoryName]
    .map((name) => (typeof name === 'string' ? sixteenBitName(name) : undefined))
    .find((name) => name !== undefined);
  const advice =
    base === undefined
      ? 'Get the 16-bit model that it was made from and use that as the base'
      : `Get the 16-bit model (${base}) and use that as the base`;
  throw new StudioError(
    'model/quantised',
    `The weights are quantised with ${method}, so what they were cannot be had back exactly. ${advice}; an adapter that was trained on the quantised copy fits it.`,
    {
      path: facts.path,
      detail: { method, base },
    },
  );
}

/** The method that tensor names and dtypes give away. */
function packedMethod(tensors: ReadonlyMap<string, TensorRef>): string | undefined {
  for (const name of tensors.keys()) {
    if (
      name.includes('.weight.quant_state.') ||
      name.endsWith('.weight.absmax') ||
      name.endsWith('.weight_format') ||
      name.endsWith('.SCB')
    ) {
      return 'bitsandbytes';
    }
    if (name.endsWith('.qweight')) {
      return 'GPTQ or AWQ';
    }
  }
  return undefined;
}

function looksUnpacked(tensors: ReadonlyMap<string, TensorRef>): boolean {
  return (
    tensors.size > 0 &&
    [...tensors.values()].every(
      ({ dtype }) => dtype === 'F16' || dtype === 'BF16' || dtype === 'F32' || dtype === 'F64',
    )
  );
}

function configuredMethod(config: JsonObject): string | undefined {
  const nested = config['text_config'];
  const quantisation =
    config['quantization_config'] ?? (isJsonObject(nested) ? nested['quantization_config'] : undefined);
  const method = isJsonObject(quantisation) ? quantisation['quant_method'] : undefined;
  // Levels with a scale beside them are undone exactly, or refused where their weights are read.
  return typeof method === 'string' && !['fp8', 'compressed-tensors', 'mxfp4'].includes(method)
    ? method.slice(0, 40)
    : undefined;
}
