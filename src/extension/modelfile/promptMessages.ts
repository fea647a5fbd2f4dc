import * as z from 'zod/mini';
import { SAMPLE_CONVERSATIONS } from '../../core/goTemplate/sampleConversations';

const QUESTION = z.string().check(z.maxLength(20_000));

/** What the page of the prompt preview sends: once it listens, at every choice, and to have the prompt checked. */
export const PROMPT_MESSAGE = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({
    type: z.literal('choose'),
    conversation: z.enum(SAMPLE_CONVERSATIONS),
    /** Left out until the user writes one. */
    question: z.optional(QUESTION),
    comparing: z.boolean(),
  }),
  z.object({ type: z.literal('check') }),
]);

/** What survives a reload of the window. */
export const PROMPT_STATE = z.object({
  uri: z.string(),
  conversation: z.enum(SAMPLE_CONVERSATIONS),
  question: z.optional(QUESTION),
  comparing: z.optional(z.boolean()),
});

export type PromptMessage = z.infer<typeof PROMPT_MESSAGE>;
export type PromptState = z.infer<typeof PROMPT_STATE>;
