import { StudioError } from '../../errors';
import { notText, purposeOfClass } from '../../formats/huggingface/modelPurpose';
import { isJsonObject, type JsonObject } from '../../json';
import type { Architecture } from './architecture';
import { gemma } from './gemma';
import { gemma2 } from './gemma2';
import { gemma3 } from './gemma3';
import { gemma4 } from './gemma4';
import { gptoss } from './gptoss';
import { granite } from './granite';
import { llama } from './llama';
import { mistral3 } from './mistral3';
import { mixtral } from './mixtral';
import { phi3 } from './phi3';
import { qwen2 } from './qwen2';
import { qwen2moe } from './qwen2moe';
import { qwen3 } from './qwen3';
import { qwen35 } from './qwen35';
import { qwen35moe } from './qwen35moe';
import { qwen3moe } from './qwen3moe';
import { qwen3next } from './qwen3next';
import { lfm2 } from './lfm2';
import { lfm2moe } from './lfm2moe';
import { qwen2vl } from './qwen2vl';
import { qwen3vl, qwen3vlmoe } from './qwen3vl';
import { seedoss } from './seedoss';
import { olmo2 } from './olmo2';
import { exaone4 } from './exaone4';
import { starcoder2 } from './starcoder2';
import { commandr, cohere2 } from './cohere';
import { glm4 } from './glm4';
import { ernie45 } from './ernie45';
import { stablelm } from './stablelm';
import { phi2 } from './phi2';
import { hunyuan } from './hunyuan';
import { glm4moe } from './glm4moe';
import { deepseek2, glm47flash } from './deepseek2';
import { hunyuanMoe } from './hunyuanMoe';
import { ernie45moe } from './ernie45moe';
import { llama4 } from './llama4';
import { graniteMoe, graniteHybrid, graniteAttention, graniteAttentionMoe } from './granite4';
import { falconh1 } from './falconh1';
import { nemotron } from './nemotron';
import { nemotronH, nemotronHMoe } from './nemotronH';
import { gemma3n } from './gemma3n';
import { smollm3 } from './smollm3';

/** Every architecture that is built in. A new one is one line here and one file beside this one. */
export const ARCHITECTURES: readonly Architecture[] = [
  llama,
  qwen2,
  qwen3,
  gemma,
  gemma2,
  gemma3,
  phi3,
  granite,
  smollm3,
  mixtral,
  mistral3,
  qwen2moe,
  qwen3moe,
  qwen35,
  qwen35moe,
  qwen3next,
  gemma4,
  gptoss,
  lfm2,
  lfm2moe,
  qwen2vl,
  qwen3vl,
  qwen3vlmoe,
  seedoss,
  olmo2,
  exaone4,
  starcoder2,
  commandr,
  cohere2,
  glm4,
  ernie45,
  stablelm,
  phi2,
  hunyuan,
  glm4moe,
  deepseek2,
  glm47flash,
  hunyuanMoe,
  ernie45moe,
  llama4,
  graniteMoe,
  graniteHybrid,
  graniteAttention,
  graniteAttentionMoe,
  falconh1,
  nemotron,
  nemotronH,
  nemotronHMoe,
  gemma3n,
];

const BY_CLASS = new Map(
  ARCHITECTURES.flatMap((architecture) => architecture.classes.map((name) => [name, architecture] as const)),
);

/**
 * The class that config.json names: `text_config.architectures[0]` where a multimodal checkpoint has one, else
 * `architectures[0]`. `model/config` when there is none.
 */
export function classNameOf(json: JsonObject): string {
  const nested = json['text_config'];
  const name = (isJsonObject(nested) ? firstClass(nested) : undefined) ?? firstClass(json);
  if (name === undefined) {
    throw new StudioError(
      'model/config',
      'config.json names no class in `architectures`, so nothing tells which model this is. Fetch the config.json of the original model.',
    );
  }
  return name;
}

function firstClass(json: JsonObject): string | undefined {
  const classes = json['architectures'];
  const first: unknown = Array.isArray(classes) ? classes[0] : undefined;
  return typeof first === 'string' && first !== '' ? first : undefined;
}

/** The architecture that converts a Hugging Face class; `model/architecture` with the route that works when none does. */
export function findArchitecture(className: string): Architecture {
  const found = BY_CLASS.get(className);
  if (found !== undefined) {
    return found;
  }
  const purpose = purposeOfClass(className);
  if (purpose !== undefined) {
    throw notText(purpose, 'The model', className.slice(0, 100));
  }
  const known = [...new Set(ARCHITECTURES.map((architecture) => architecture.label))].join(', ');
  throw new StudioError(
    'model/architecture',
    `${className.slice(0, 100)} is not built in (built in: ${known}). Convert the model with llama.cpp's own converter, \`convert_hf_to_gguf.py DIRECTORY --outtype f16 --outfile MODEL.gguf\`, and then run \`modelfile-studio quantize MODEL.gguf OUT.gguf Q4_K_M\`. An adapter must be merged into its base with PEFT before that.`,
    { detail: { className, builtIn: [...BY_CLASS.keys()] } },
  );
}
