import { decodeConversation } from '../goTemplate/ollama/decodeConversation';
import type { TemplateValues } from '../goTemplate/ollama/conversation';
import type { OrderedJson } from '../goTemplate/ollama/orderedJson';
import type { ChatFormat, Conversation, JinjaMessage, JinjaObject, JinjaRequest, JinjaValue } from './chatFormat';
import { isPrefill } from './checkConversations';

/** A conversation as Ollama's server would hand it to a Go template. */
export function templateValues(conversation: Conversation): TemplateValues {
  return decodeConversation(
    new Map<string, OrderedJson>([
      ['messages', conversation.messages.map(ollamaMessage)],
      ['tools', conversation.tools === undefined ? null : conversation.tools.map(ordered)],
      ['think', conversation.think ?? false],
      ['isThinkSet', conversation.think !== undefined],
    ]),
  );
}

function ollamaMessage(message: JinjaMessage): OrderedJson {
  return new Map<string, OrderedJson>([
    ['role', message.role],
    ['content', message.content],
    ['thinking', message.reasoning_content ?? ''],
    [
      'tool_calls',
      (message.tool_calls ?? []).map(
        ({ id, function: { name, arguments: parameters } }, index) =>
          new Map<string, OrderedJson>([
            ['id', id],
            [
              'function',
              new Map<string, OrderedJson>([
                ['index', index],
                ['name', name],
                ['arguments', ordered(parameters)],
              ]),
            ],
          ]),
      ),
    ],
    ['tool_name', message.name ?? ''],
    ['tool_call_id', message.tool_call_id ?? ''],
  ]);
}

function ordered(value: JinjaValue): OrderedJson {
  if (Array.isArray(value)) {
    return (value as readonly JinjaValue[]).map(ordered);
  }
  return typeof value === 'object' && value !== null
    ? new Map(Object.entries(value as JinjaObject).map(([key, member]) => [key, ordered(member)]))
    : value;
}

/** The same for the Jinja template, as `apply_chat_template` of transformers calls it. */
export function jinjaRequest(
  format: ChatFormat,
  conversation: Conversation,
  now: JinjaRequest['now'],
  generate = !isPrefill(conversation),
): JinjaRequest {
  return {
    variables: {
      ...format.specials,
      messages: conversation.messages.map((message) =>
        format.contentParts === true ? { ...message, content: [{ type: 'text', text: message.content }] } : message,
      ) as unknown as readonly JinjaObject[],
      ...(conversation.tools === undefined ? {} : { tools: conversation.tools }),
      ...(conversation.think === undefined
        ? {}
        : { enable_thinking: conversation.think, thinking: conversation.think }),
      add_generation_prompt: generate,
    },
    now,
  };
}

/** What both engines' texts are compared by: of a prefill, what goes before its continuation; without a BOS that llama.cpp adds by itself. */
export function comparableText(text: string, format: ChatFormat, conversation: Conversation): string {
  const { bos_token: bos = '' } = format.specials;
  const own = format.addsBos && bos !== '' && text.startsWith(bos) ? text.slice(bos.length) : text;
  const last = conversation.messages.at(-1);
  if (last === undefined || !isPrefill(conversation)) {
    return own;
  }
  // As transformers' continue_final_message: everything behind the last message's content goes.
  const content = last.content.trim();
  const at = own.lastIndexOf(content);
  return at < 0 ? own : own.slice(0, at + content.length);
}
