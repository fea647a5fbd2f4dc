import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTensors, writeTensors, type TensorToWrite } from './tensors';

/** Width of the tower's layers. */
export const VISION_WIDTH = 32;
/** Modules of the tower, [VISION_WIDTH, VISION_WIDTH] each. */
export const VISION_MODULES = [0, 1].flatMap((layer) =>
  ['self_attn.q_proj', 'self_attn.out_proj', 'mlp.fc1'].map((name) => `encoder.layers.${layer}.${name}`),
);

/** Where tools and versions put the text model, the tower and the projector. */
export interface MultimodalLayout {
  readonly text: (name: string) => string;
  readonly vision: string;
  readonly projector: string;
}

export const MULTIMODAL_LAYOUTS: Readonly<Record<string, MultimodalLayout>> = {
  published: {
    text: (name) => `language_model.${name}`,
    vision: 'vision_tower.vision_model.',
    projector: 'multi_modal_projector.',
  },
  'transformers 4.52': {
    text: (name) => name.replace(/^model\./, 'model.language_model.'),
    vision: 'model.vision_tower.vision_model.',
    projector: 'model.multi_modal_projector.',
  },
  'transformers 5': {
    text: (name) => name.replace(/^model\./, 'model.language_model.'),
    vision: 'model.vision_tower.',
    projector: 'model.multi_modal_projector.',
  },
};

/** A tensor of one value. */
export function filled(shape: readonly number[], value: number): TensorToWrite {
  return { shape, values: new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(value) };
}

/**
 * A Gemma 3 that sees, made of one that does not: its text weights and a small tower of 0.5, under the names of a layout.
 * @param text a noise model of Gemma 3
 * @returns its folder, in `folder`
 */
export function makeMultimodal(text: string, layout: MultimodalLayout, folder: string): string {
  const out = mkdtempSync(join(folder, 'multimodal-'));
  cpSync(text, out, { recursive: true });
  const config = JSON.parse(readFileSync(join(text, 'config.json'), 'utf8')) as object;
  writeFileSync(
    join(out, 'config.json'),
    JSON.stringify({
      architectures: ['Gemma3ForConditionalGeneration'],
      model_type: 'gemma3',
      torch_dtype: 'bfloat16',
      text_config: config,
      vision_config: { model_type: 'siglip_vision_model', hidden_size: VISION_WIDTH },
    }),
  );
  const square = [VISION_WIDTH, VISION_WIDTH];
  writeTensors(join(out, 'model.safetensors'), {
    ...Object.fromEntries([...readTensors(text)].map(([key, tensor]) => [layout.text(key), tensor])),
    ...Object.fromEntries(VISION_MODULES.map((module) => [`${layout.vision}${module}.weight`, filled(square, 0.5)])),
    [`${layout.projector}linear.weight`]: filled(square, 0.5),
  });
  return out;
}
