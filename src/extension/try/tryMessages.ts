import * as z from 'zod/mini';

/** Longest text of one message, and most messages of a conversation, that a page may send. */
const MAX_TEXT = 400_000;
const MAX_MESSAGES = 1000;

const NAME = z.string().check(z.minLength(1), z.maxLength(512));
const CHAT = z
  .array(z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string().check(z.maxLength(MAX_TEXT)) }))
  .check(z.maxLength(MAX_MESSAGES));

/** Sampling as the page names it; what is left out is the model's own. */
const OPTIONS = z.object({
  temperature: z.optional(z.number().check(z.minimum(0), z.maximum(100))),
  top_p: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
  seed: z.optional(z.int()),
  num_ctx: z.optional(z.int().check(z.minimum(1))),
  num_predict: z.optional(z.int().check(z.minimum(-2))),
});

/** What the page sends. */
export const TRY_MESSAGE = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({
    type: z.literal('send'),
    turn: z.int(),
    chats: z.array(z.object({ model: NAME, messages: CHAT })).check(z.minLength(1), z.maxLength(2)),
    options: OPTIONS,
  }),
  z.object({ type: z.literal('stop') }),
  z.object({
    type: z.literal('show-prompt'),
    turn: z.int(),
    column: z.int().check(z.minimum(0), z.maximum(1)),
    model: NAME,
    messages: CHAT,
    options: OPTIONS,
  }),
]);

export type TryMessage = z.infer<typeof TRY_MESSAGE>;
export type TryChat = Extract<TryMessage, { type: 'send' }>['chats'][number];
export type TryOptions = z.infer<typeof OPTIONS>;

/** What survives a reload: written by the page, read here only for the models. */
export const TRY_STATE = z.object({ models: z.array(NAME).check(z.maxLength(2)) });
