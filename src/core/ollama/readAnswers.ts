import type * as z from 'zod';
import type { InstalledModel, ModelDescription, ModelTensors, RunningModel } from './ollamaModels';
import type { listSchema, runningSchema, showSchema, tensorsSchema } from './wire';

/** The models of a `list`. */
export function installedModels({ models }: z.infer<typeof listSchema>): InstalledModel[] {
  return (models ?? []).map(({ name, digest, size, modified_at, details, remote_host }) => ({
    name,
    digest,
    bytes: size,
    modifiedAt: filled(modified_at),
    family: filled(details?.family),
    parameterSize: filled(details?.parameter_size),
    quantisation: filled(details?.quantization_level),
    isCloud: filled(remote_host) !== undefined,
  }));
}

/** The models of a `ps`. */
export function runningModels({ models }: z.infer<typeof runningSchema>): RunningModel[] {
  return (models ?? []).map(({ name, digest, size, size_vram, context_length, expires_at }) => ({
    name,
    digest,
    bytes: size,
    gpuBytes: size_vram ?? 0,
    contextLength: context_length,
    expiresAt: filled(expires_at),
  }));
}

/** The answer of a `show`. */
export function modelDescription(answer: z.infer<typeof showSchema>): ModelDescription {
  return {
    modelfile: answer.modelfile ?? '',
    template: filled(answer.template),
    system: filled(answer.system),
    parameters: filled(answer.parameters),
    licence: filled(Array.isArray(answer.license) ? answer.license.join('\n\n') : answer.license),
    renderer: filled(answer.renderer),
    parser: filled(answer.parser),
    requires: filled(answer.requires),
    capabilities: answer.capabilities ?? [],
    family: filled(answer.details?.family),
    parameterSize: filled(answer.details?.parameter_size),
    quantisation: filled(answer.details?.quantization_level),
    format: filled(answer.details?.format),
    messages: (answer.messages ?? []).map(({ role, content }) => ({ role, content: content ?? '' })),
    info: answer.model_info ?? {},
  };
}

/** The tensors of a verbose `show`. */
export function modelTensors({ model_info, details, tensors }: z.infer<typeof tensorsSchema>): ModelTensors {
  return {
    info: model_info ?? {},
    quantisation: filled(details?.quantization_level),
    tensors: new Map((tensors ?? []).map(({ name, shape }) => [name, shape])),
  };
}

function filled(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text;
}
