import { join } from 'node:path';
import { parseModelName } from '../../core/ollama/modelName';
import { pathParts } from '../artefacts/artefactLabel';

/** Names that training tools give to every run: the folder above tells more. */
export const GENERIC_NAME =
  /^(?:lora|qlora|dora|rslora|adapters?|mlx(?:-\w+)?|outputs?|results?|runs?|model|models|base|merged|fused|final|final_model|last|best|checkpoints?|checkpoint-\d+|epoch_?\d+|\d+_adapters\.safetensors|adapter_model\.safetensors|adapters\.safetensors)$/i;

/** A short name for what is made from an artefact: its folder's, with the one above where its own says nothing. */
export function stemOf(path: string): string {
  const cached = /[\\/]models--([^\\/]+)[\\/]snapshots[\\/]/.exec(path);
  if (cached !== null) {
    return clean(cached[1]!.split('--').at(-1)!);
  }
  const parts = pathParts(path);
  const last = (parts.at(-1) ?? 'model').replace(/\.(?:gguf|safetensors)$/i, '');
  const above = parts.at(-2);
  const isGeneric = GENERIC_NAME.test(parts.at(-1) ?? '') && above !== undefined && !/^[a-z]:$/i.test(above);
  return clean(isGeneric ? `${above}-${last}` : last);
}

/** The stem without the type that a GGUF's name ends in: `rugby.F16` and `rugby-f16` give `rugby`. */
export function withoutType(stem: string): string {
  return stem.replace(/[.-](?:f32|f16|bf16|fp16|i?q\d\w*)$/i, '') || stem;
}

/** Where a result would lie: in the folder that is asked for, under a name that tells what it is. */
export function resultPath(folder: string, stem: string, type?: string): string {
  return join(folder, type === undefined ? stem : `${withoutType(stem)}.${type}.gguf`);
}

/** A name that Ollama takes, from a stem: lower case, everything else a hyphen. */
export function modelNameFrom(stem: string): string {
  const name = withoutType(stem)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .slice(0, 80);
  return name === '' || parseModelName(name) === undefined ? 'my-model' : name;
}

/** File names are kept as they are but for what some system refuses. */
function clean(name: string): string {
  return name.replace(/[<>:"|?*\u0000-\u001f]+/g, '-').replace(/[. ]+$/, '') || 'model';
}
