import type * as z from 'zod';
import type { InstalledModel, ModelAnswer, ModelDescription, ModelTensors, RunningModel } from './ollamaModels';
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
  return { info: model_info ?? {}, quantisation: filled(details?.quantization_level), tensors: new Map((tensors ?? []).map(({ name, shape }) => [name, shape])) };
}

function filled(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text;
}

/** A piece of an answer, of `chat` or `generate`; durations in nanoseconds. */
export interface AnswerPiece {
  readonly text?: string | undefined;
  readonly thinking?: string | undefined;
  readonly toolCalls: readonly unknown[];
  readonly done_reason?: string | undefined;
  readonly total_duration?: number | undefined;
  readonly load_duration?: number | undefined;
  readonly prompt_eval_count?: number | undefined;
  readonly prompt_eval_duration?: number | undefined;
  readonly eval_count?: number | undefined;
  readonly eval_duration?: number | undefined;
}

const NANOSECONDS = 1e9;

/** The whole answer of its pieces; the last one has the figures. */
export function answerOf(pieces: readonly AnswerPiece[]): ModelAnswer {
  const last = pieces.at(-1);
  return {
    text: pieces.map(({ text }) => text ?? '').join(''),
    thinking: pieces.map(({ thinking }) => thinking ?? '').join(''),
    toolCalls: pieces.flatMap(({ toolCalls }) => toolCalls),
    stopReason: filled(last?.done_reason),
    promptTokens: last?.prompt_eval_count ?? 0,
    tokens: last?.eval_count ?? 0,
    tokensPerSecond: rate(last?.eval_count, last?.eval_duration),
    promptTokensPerSecond: rate(last?.prompt_eval_count, last?.prompt_eval_duration),
    loadSeconds: (last?.load_duration ?? 0) / NANOSECONDS,
    seconds: (last?.total_duration ?? 0) / NANOSECONDS,
  };
}

function rate(count: number | undefined, duration: number | undefined): number | undefined {
  return count === undefined || duration === undefined || duration === 0 ? undefined : count / (duration / NANOSECONDS);
}
