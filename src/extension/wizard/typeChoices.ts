import { FILE_TYPES, type FileTypeName } from '../../core/engine/fileTypes';
import { GGML_TYPES } from '../../core/formats/gguf/ggmlTypes';
import { formatBytes } from '../../core/formatBytes';
import { TYPE_QUALITY } from '../../core/routes/typeQuality';

export interface TypeChoice {
  readonly type: FileTypeName;
  /** Size and loss, as far as they are known. */
  readonly description: string;
  readonly isRecommended: boolean;
  /** Among the few that most people choose from. */
  readonly isUsual: boolean;
}

/** From all that the weights had to the smallest that most people take. */
const USUAL: readonly FileTypeName[] = ['BF16', 'Q8_0', 'Q6_K', 'Q5_K_M', 'Q4_K_M'];

/** Models of fewer parameters lose much at four bits. */
const SMALL = 1.2e9;

/** The type that most people want for a model of this size: 8 bits for small ones, four for the rest. */
export function recommendedType(parameters: number | undefined): FileTypeName {
  return parameters !== undefined && parameters < SMALL ? 'Q8_0' : 'Q4_K_M';
}

/** The types to choose from, the usual ones first, in each group best first, with what each costs. Figures of loss are llama.cpp's, measured on Llama 3 8B. */
export function typeChoices(
  parameters: number | undefined,
  types: readonly FileTypeName[] = Object.keys(FILE_TYPES) as FileTypeName[],
): readonly TypeChoice[] {
  const recommended = recommendedType(parameters);
  const sorted = [...types].sort((a, b) => Number(USUAL.includes(b)) - Number(USUAL.includes(a)));
  return sorted.map((type) => {
    const { bitsPerWeight = bitsOf(type), perplexity } = TYPE_QUALITY[type] ?? {};
    const size = parameters === undefined ? undefined : `about ${formatBytes((parameters * bitsPerWeight) / 8)}`;
    const bits = `${bitsPerWeight.toFixed(1)} bits a weight`;
    const loss =
      perplexity === undefined
        ? undefined
        : perplexity === 0
          ? 'no loss'
          : `perplexity +${perplexity.toFixed(perplexity < 0.1 ? 3 : 2)}`;
    return {
      type,
      isRecommended: type === recommended,
      isUsual: USUAL.includes(type),
      description: [size, bits, loss].filter((fact) => fact !== undefined).join(' · '),
    };
  });
}

/** Bits of the type that most tensors get, for a target whose whole is not published. */
function bitsOf(type: FileTypeName): number {
  const { block, bytes } = GGML_TYPES[FILE_TYPES[type].base];
  return (8 * bytes) / block;
}
