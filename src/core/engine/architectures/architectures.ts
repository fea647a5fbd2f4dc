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
  const known = ARCHITECTURES.map((architecture) => architecture.label).join(', ');
  throw new StudioError(
    'model/architecture',
    `${className.slice(0, 100)} is not built in (built in: ${known}). Convert the model with llama.cpp's own converter, \`convert_hf_to_gguf.py DIRECTORY --outtype f16 --outfile MODEL.gguf\`, and then run \`modelfile-studio quantize MODEL.gguf OUT.gguf Q4_K_M\`. An adapter must be merged into its base with PEFT before that.`,
    { detail: { className, builtIn: [...BY_CLASS.keys()] } },
  );
}
