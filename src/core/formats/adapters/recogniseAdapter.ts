import type { JsonObject } from '../../json';
import type { AdapterFormat } from './adapter';

const MLX_KEYS = ['fine_tune_type', 'lora_parameters', 'lora_layers'];
const PEFT_KEYS = ['r', 'lora_alpha', 'target_modules'];

/**
 * Which tool wrote an `adapter_config.json`: mlx-lm dumps the arguments of its training run (`fine_tune_type`,
 * `lora_parameters`), PEFT names its `peft_type`. Undefined when it is neither.
 */
export function recogniseAdapter(config: JsonObject): Exclude<AdapterFormat, 'gguf'> | undefined {
  if (config['peft_type'] !== undefined) {
    return 'peft';
  }
  if (MLX_KEYS.some((key) => config[key] !== undefined)) {
    return 'mlx';
  }
  return PEFT_KEYS.some((key) => config[key] !== undefined) ? 'peft' : undefined;
}
