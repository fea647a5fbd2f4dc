import type { ChatRequest } from '../ollama/ollamaModels';
import type { OrderedJson } from './ollama/orderedJson';

/** What a prompt can be previewed with. */
export const SAMPLE_CONVERSATIONS = [
  'question',
  'turns',
  'system',
  'tools',
  'toolAnswer',
  'thinking',
  'thinkingOff',
  'pastThinking',
  'begun',
  'infill',
] as const;

export type SampleConversation = (typeof SAMPLE_CONVERSATIONS)[number];

type Messages = readonly ReadonlyMap<string, OrderedJson>[];

const message = (
  role: string,
  content: string,
  more: Readonly<Record<string, OrderedJson>> = {},
): ReadonlyMap<string, OrderedJson> => toMap({ role, content, ...more });

const toMap = (entries: Readonly<Record<string, OrderedJson>>): ReadonlyMap<string, OrderedJson> =>
  new Map(Object.entries(entries));

/** What the assistant thought before an answer of the past. */
export const PAST_THOUGHT = '91 is 7 times 13.';

/** What a template writes that writes the tools of a request. */
export const SAMPLE_TOOL = 'get_weather';

const WEATHER = toMap({
  type: 'function',
  function: toMap({
    name: SAMPLE_TOOL,
    description: 'The weather of a city',
    parameters: toMap({
      type: 'object',
      required: ['city'],
      properties: toMap({ city: toMap({ type: 'string', description: 'Name of the city' }) }),
    }),
  }),
});

const CALL = toMap({ function: toMap({ name: SAMPLE_TOOL, arguments: toMap({ city: 'Oslo' }) }) });

/** The fields of Ollama's chat request beside the messages, and the messages; `question` is the user's last word. */
function fieldsOf(
  kind: SampleConversation,
  question: string,
): Readonly<Record<string, OrderedJson>> & { readonly messages: Messages } {
  const user = message('user', question);
  switch (kind) {
    case 'question':
      return { messages: [user] };
    case 'turns':
      return { messages: [message('user', 'Hello!'), message('assistant', 'Hello! What can I do for you?'), user] };
    case 'system':
      return { messages: [message('system', 'You answer in one short sentence.'), user] };
    case 'tools':
      return { messages: [user], tools: [WEATHER] };
    case 'toolAnswer':
      return {
        messages: [
          user,
          message('assistant', '', { tool_calls: [CALL] }),
          message('tool', '4 degrees, rain', { tool_name: SAMPLE_TOOL }),
        ],
        tools: [WEATHER],
      };
    case 'thinking':
      return { messages: [user], think: true, isThinkSet: true };
    case 'thinkingOff':
      return { messages: [user], think: false, isThinkSet: true };
    case 'pastThinking':
      return {
        messages: [message('user', 'Is 91 a prime?'), message('assistant', 'No.', { thinking: PAST_THOUGHT }), user],
        think: true,
        isThinkSet: true,
      };
    case 'begun':
      return { messages: [user, message('assistant', 'Let me begin:')] };
    case 'infill':
      return { messages: [], prompt: question, suffix: 'The end.' };
  }
}

/**
 * A conversation as `render` takes it.
 * @param system SYSTEM of a Modelfile: stands first, where the conversation has no system message of its own, as Ollama puts it
 * @param history MESSAGE lines of a Modelfile, before the conversation's own
 */
export function sampleConversation(
  kind: SampleConversation,
  question: string,
  system: string | undefined,
  history: readonly { readonly role: string; readonly content: string }[],
): OrderedJson {
  const { messages, ...fields } = fieldsOf(kind, question);
  const before = history.map(({ role, content }) => message(role, content));
  const own = messages[0]?.get('role') === 'system';
  const first = system === undefined || system === '' || own || kind === 'infill' ? [] : [message('system', system)];
  return toMap({ ...fields, messages: [...first, ...before, ...messages] });
}

/** The conversation as a request to Ollama has it: SYSTEM and MESSAGE lines are the model's, and the server adds them. */
export function plainConversation(
  kind: SampleConversation,
  question: string,
): Pick<ChatRequest, 'messages' | 'tools' | 'think'> {
  const { messages, tools, think } = plain(sampleConversation(kind, question, undefined, [])) as Pick<
    ChatRequest,
    'messages' | 'tools' | 'think'
  >;
  return { messages, ...(tools === undefined ? {} : { tools }), ...(think === undefined ? {} : { think }) };
}

function plain(value: OrderedJson): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...(value as ReadonlyMap<string, OrderedJson>)].map(([key, one]) => [key, plain(one)]));
  }
  return Array.isArray(value) ? (value as readonly OrderedJson[]).map(plain) : value;
}
