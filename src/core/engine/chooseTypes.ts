import type { TypeCandidate, MixtureModel } from './typeCandidate';
import { StudioError } from '../errors';
import { GGML_TYPES, type GgmlTypeName } from '../formats/gguf/ggmlTypes';
import { FILE_TYPES, isQuantised, type FileTypeName, type WritableType } from './fileTypes';
import { mixedType, type MixtureState } from './tensorTypeRules';
import { allowsConversion, allowsQuantisation, isValueLike, tensorCategory } from './tensorCategory';

/** The options of llama-quantize that choose types. */
export interface TypeOptions {
  readonly fileType: FileTypeName;
  readonly hasImatrix: boolean;
  /** As the converter chooses: a few small matrices that llama-quantize leaves alone are converted there. */
  readonly asConverter?: boolean | undefined;
  readonly outputTensorType?: WritableType | undefined;
  readonly tokenEmbeddingType?: WritableType | undefined;
  /** First match wins; the pattern is a regular expression, searched in the tensor's name. */
  readonly tensorTypes?: readonly { readonly pattern: string; readonly type: WritableType }[] | undefined;
  readonly pure?: boolean | undefined;
  readonly leaveOutputTensor?: boolean | undefined;
}

export interface ChosenType {
  readonly type: GgmlTypeName;
  /** The type that the rules wanted, when the shape did not allow it. */
  readonly requestedType?: GgmlTypeName | undefined;
}

/**
 * The type of every tensor as llama-quantize of llama.cpp v0.5.0 chooses it.
 * @param tensors in llama-quantize's order (`compareTensorNames`): the rules count along it
 * @throws StudioError quantize/shape for an explicit type that a row does not divide into; quantize/pattern
 */
export function chooseTypes(
  tensors: readonly TypeCandidate[],
  model: MixtureModel,
  options: TypeOptions,
): ChosenType[] {
  const patterns = compilePatterns(options);
  const state: MixtureState = {
    model,
    fileType: options.fileType,
    hasImatrix: options.hasImatrix,
    outputTensorType: options.outputTensorType,
    tied: !tensors.some((tensor) => tensor.name === 'output.weight'),
    valueCount: tensors.filter((tensor) => isValueLike(tensorCategory(tensor.name))).length,
    valueIndex: 0,
    downIndex: 0,
  };
  return tensors.map((tensor) => chooseOne(tensor, state, options, patterns));
}

type CompiledPattern = readonly [RegExp, WritableType];

function compilePatterns(options: TypeOptions): CompiledPattern[] {
  return (options.tensorTypes ?? []).map(({ pattern, type }) => {
    try {
      return [new RegExp(pattern.toLowerCase()), type] as const;
    } catch {
      throw new StudioError(
        'quantize/pattern',
        `--tensor-type ${pattern}=${type}: the pattern is not a regular expression. Write one that is searched in tensor names, as attn_v or blk\\.[0-3]\\.ffn_down.`,
        { detail: { pattern } },
      );
    }
  });
}

function chooseOne(
  tensor: TypeCandidate,
  state: MixtureState,
  options: TypeOptions,
  patterns: readonly CompiledPattern[],
): ChosenType {
  if (
    tensor.fixed === true ||
    !(options.asConverter === true
      ? allowsConversion(tensor.name, tensor.shape)
      : allowsQuantisation(tensor.name, tensor.shape, options.leaveOutputTensor === true))
  ) {
    // Rules count along all tensors of a kind, whether their type is theirs to choose or not.
    if (tensor.fixed === true && isQuantised(FILE_TYPES[options.fileType].base)) {
      mixedType(FILE_TYPES[options.fileType].base, tensor, tensorCategory(tensor.name), state);
    }
    return { type: tensor.type };
  }
  const category = tensorCategory(tensor.name);
  const base = FILE_TYPES[options.fileType].base;
  if (category === 'tokenEmbedding' && options.tokenEmbeddingType !== undefined && !namedApart(tensor.name, patterns)) {
    return explicit(tensor, options.tokenEmbeddingType, '--token-embedding-type');
  }
  if (category === 'output' && options.outputTensorType !== undefined) {
    return explicit(tensor, options.outputTensorType, '--output-tensor-type');
  }
  if (!isQuantised(base)) {
    return { type: base };
  }
  const named = patterns.find(([pattern]) => pattern.test(tensor.name))?.[1];
  const wanted = named ?? (options.pure === true ? base : mixedType(base, tensor, category, state));
  const type = fitToShape(wanted, tensor.shape[0] ?? 0);
  return type === wanted ? { type } : { type, requestedType: wanted };
}

/** A second, per-layer embedding follows an explicit --tensor-type rather than --token-embedding-type. */
function namedApart(name: string, patterns: readonly CompiledPattern[]): boolean {
  return name === 'per_layer_token_embd.weight' && patterns.some(([pattern]) => pattern.test(name));
}

function explicit(tensor: TypeCandidate, type: WritableType, option: string): ChosenType {
  const { block } = GGML_TYPES[type];
  const columns = tensor.shape[0] ?? 0;
  if (columns % block !== 0) {
    throw new StudioError(
      'quantize/shape',
      `${option} ${type}: rows of ${tensor.name} have ${columns} values, which do not divide into blocks of ${block}. Choose a type with smaller blocks (Q8_0 has 32, F16 has 1).`,
      {
        detail: { tensor: tensor.name, type, columns, block },
      },
    );
  }
  return { type };
}

const FALLBACKS: Partial<Record<GgmlTypeName, GgmlTypeName>> = {
  IQ4_XS: 'IQ4_NL',
  Q2_K: 'Q4_0',
  Q3_K: 'Q4_0',
  Q4_K: 'Q5_0',
  Q5_K: 'Q5_1',
  Q6_K: 'Q8_0',
};

/** The type itself, or the one that llama-quantize falls back to where rows do not divide into its blocks. */
export function fitToShape(type: GgmlTypeName, columns: number): GgmlTypeName {
  if (columns % GGML_TYPES[type].block === 0) {
    return type;
  }
  const smaller = FALLBACKS[type] ?? type;
  return columns % GGML_TYPES[smaller].block === 0 ? smaller : 'F16';
}
