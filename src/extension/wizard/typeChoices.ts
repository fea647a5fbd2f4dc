import { FILE_TYPES, type FileTypeName } from '../../core/engine/fileTypes';
import { formatBytes } from '../../core/formatBytes';
import { TYPE_QUALITY } from '../../core/routes/typeQuality';

export interface TypeChoice {
  readonly type: FileTypeName;
  /** Size and loss, as far as they are known. */
  readonly description: string;
  readonly isRecommended: boolean;
}

/** Models of fewer parameters lose much at four bits. */
const SMALL = 1.2e9;

/** The type that most people want for a model of this size: 8 bits for small ones, four for the rest. */
export function recommendedType(parameters: number | undefined): FileTypeName {
  return parameters !== undefined && parameters < SMALL ? 'Q8_0' : 'Q4_K_M';
}

/** The types to choose from, best first, with what each costs. Figures of loss are llama.cpp's, for a model of 8 B. */
export function typeChoices(
  parameters: number | undefined,
  types: readonly FileTypeName[] = Object.keys(FILE_TYPES) as FileTypeName[],
): readonly TypeChoice[] {
  const recommended = recommendedType(parameters);
  return types.map((type) => {
    const { bitsPerWeight, perplexity } = TYPE_QUALITY[type] ?? {};
    const size =
      parameters === undefined || bitsPerWeight === undefined
        ? undefined
        : `about ${formatBytes((parameters * bitsPerWeight) / 8)}`;
    const bits = bitsPerWeight === undefined ? undefined : `${bitsPerWeight.toFixed(1)} bits a weight`;
    const loss =
      perplexity === undefined
        ? undefined
        : perplexity === 0
          ? 'no loss'
          : `perplexity +${perplexity.toFixed(perplexity < 0.1 ? 3 : 2)}`;
    return {
      type,
      isRecommended: type === recommended,
      description: [size, bits, loss].filter((fact) => fact !== undefined).join(' · '),
    };
  });
}
