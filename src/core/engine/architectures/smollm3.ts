import { StudioError } from '../../errors';
import { u32 } from '../../formats/gguf/ggufValue';
import type { Architecture, ModelConfig } from './architecture';
import { baseHyperparameters, checkRope, checkSilu } from './baseHyperparameters';
import { PERMUTED_LAYER_TENSORS, sameLayers } from './textTensors';

/** Every fourth layer has no rotary positions; llama.cpp has that number built in and no key for another. */
const NO_ROPE_INTERVAL = 4;

/** SmolLM3. */
export const smollm3: Architecture = {
  name: 'smollm3',
  classes: ['SmolLM3ForCausalLM'],
  label: 'SmolLM3',
  defaults: {
    SmolLM3ForCausalLM: {
      max_position_embeddings: 32_768,
      num_key_value_heads: 4,
      rms_norm_eps: 1e-6,
      rope_theta: 2_000_000,
      vocab_size: 128_256,
      tie_word_embeddings: true,
    },
  },
  vocabulary: 'llama',
  hyperparameters: (config) => baseHyperparameters('smollm3', config),
  lateParameters: (config) => [
    ['smollm3.vocab_size', u32(config.vocabSize)],
    ['smollm3.rope.dimension_count', u32(config.headDim)],
  ],
  tensors: (config) => sameLayers(config, PERMUTED_LAYER_TENSORS),
  check(config) {
    checkRope(config, ['linear', 'yarn']);
    checkSilu(config);
    checkNoRope(config);
  },
};

function checkNoRope(config: ModelConfig): void {
  const layers = config.raw['no_rope_layers'];
  const interval = config.raw['no_rope_layer_interval'] ?? NO_ROPE_INTERVAL;
  const fits =
    Array.isArray(layers) && layers.length > 0
      ? layers.length === config.layers &&
        layers.every((rotates: unknown, layer) => rotates === ((layer + 1) % NO_ROPE_INTERVAL === 0 ? 0 : 1))
      : interval === NO_ROPE_INTERVAL;
  if (!fits) {
    throw new StudioError(
      'model/config',
      'config.json gives rotary positions to other layers than three of every four (`no_rope_layers`, `no_rope_layer_interval`), which llama.cpp cannot express: the model would answer nonsense.',
      { detail: { interval } },
    );
  }
}
