import * as z from 'zod';
import { StudioError } from '../errors';

/**
 * The records that an Ollama server sends, as far as they are used (`api/types.go` of Ollama 0.32.15). Unknown fields
 * are kept: other versions may have more.
 */
const count = z.number().int().nonnegative();
const text = z.string();

const details = z.looseObject({
  format: text.optional(),
  family: text.optional(),
  families: z.array(text).nullish(),
  parameter_size: text.optional(),
  quantization_level: text.optional(),
  context_length: count.optional(),
});

export const versionSchema = z.looseObject({ version: text.min(1).max(100) });

export const listSchema = z.looseObject({
  models: z
    .array(
      z.looseObject({
        name: text,
        model: text.optional(),
        size: count,
        digest: text,
        modified_at: text.optional(),
        details: details.optional(),
        remote_host: text.optional(),
      }),
    )
    .nullish(),
});

export const runningSchema = z.looseObject({
  models: z
    .array(
      z.looseObject({
        name: text,
        size: count,
        size_vram: count.optional(),
        digest: text,
        expires_at: text.optional(),
        context_length: count.optional(),
        details: details.optional(),
      }),
    )
    .nullish(),
});

export const embedSchema = z.looseObject({ embeddings: z.array(z.array(z.number())) });

export const showSchema = z.looseObject({
  modelfile: text.optional(),
  template: text.optional(),
  parameters: text.optional(),
  system: text.optional(),
  license: z.union([text, z.array(text)]).optional(),
  renderer: text.optional(),
  parser: text.optional(),
  requires: text.optional(),
  capabilities: z.array(text).nullish(),
  details: details.optional(),
  model_info: z.record(text, z.unknown()).nullish(),
  messages: z.array(z.looseObject({ role: text, content: text.optional() })).nullish(),
  modified_at: text.optional(),
});

/** A `show` with `verbose`: shapes have the fastest dimension first, as a GGUF has them. */
export const tensorsSchema = z.looseObject({
  model_info: z.record(text, z.unknown()).nullish(),
  details: details.optional(),
  tensors: z.array(z.looseObject({ name: text, type: text, shape: z.array(count).max(8) })).nullish(),
});

/** A line of `create`, `pull` and `push`. */
export const statusSchema = z.looseObject({
  status: text,
  digest: text.optional(),
  total: count.optional(),
  completed: count.optional(),
});

const metrics = {
  done: z.boolean().optional(),
  done_reason: text.optional(),
  total_duration: count.optional(),
  load_duration: count.optional(),
  prompt_eval_count: count.optional(),
  prompt_eval_duration: count.optional(),
  eval_count: count.optional(),
  eval_duration: count.optional(),
  _debug_info: z.looseObject({ rendered_template: text, image_count: count.optional() }).nullish(),
};

/** A line of `chat`. */
export const chatSchema = z.looseObject({
  message: z
    .looseObject({
      role: text.optional(),
      content: text.optional(),
      thinking: text.optional(),
      tool_calls: z.array(z.unknown()).nullish(),
    })
    .optional(),
  ...metrics,
});

/** A line of `generate`. */
export const generateSchema = z.looseObject({ response: text.optional(), thinking: text.optional(), ...metrics });

/** What every failed request answers. */
export const errorSchema = z.looseObject({
  error: z.union([text, z.looseObject({ message: text })]),
  signin_url: text.optional(),
});

/**
 * A record checked against its schema.
 * @param what the request, for the message
 * @throws StudioError ollama/protocol
 */
export function readRecord<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new StudioError(
      'ollama/protocol',
      `The server's answer to ${what} is not what Ollama sends (${[issue?.path.join('.') ?? '', issue?.message ?? ''].filter((part) => part !== '').join(': ')}). Check that the address is that of an Ollama server, and update it.`,
      {
        detail: { request: what },
      },
    );
  }
  return result.data;
}
