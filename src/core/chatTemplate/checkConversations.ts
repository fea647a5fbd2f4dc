import type { Conversation, JinjaMessage, JinjaObject } from './chatFormat';

const user = (content: string): JinjaMessage => ({ role: 'user', content });
const assistant = (content: string): JinjaMessage => ({ role: 'assistant', content });
const system = (content: string): JinjaMessage => ({ role: 'system', content });

/** Keys in the order in which Ollama hands them to templates: alphabetical. */
const WEATHER: JinjaObject = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Tells the weather of a city.',
    parameters: {
      type: 'object',
      properties: {
        city: { type: 'string', description: 'Name of the city' },
        unit: { type: 'string', description: 'Unit of the temperature', enum: ['celsius', 'fahrenheit'] },
      },
      required: ['city'],
    },
  },
};
const SCORE: JinjaObject = {
  type: 'function',
  function: {
    name: 'add_score',
    description: 'Adds points to a team.',
    parameters: {
      type: 'object',
      properties: {
        points: { type: 'integer', description: 'How many' },
        team: { type: 'string', description: 'Which team' },
      },
      required: ['points', 'team'],
    },
  },
};

const call = (id: string, name: string, parameters: JinjaObject, content = '', reasoning?: string): JinjaMessage => ({
  role: 'assistant',
  content,
  ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
  tool_calls: [{ type: 'function', id, function: { name, arguments: parameters } }],
});
const result = (id: string, name: string, content: string): JinjaMessage => ({
  role: 'tool',
  content,
  tool_call_id: id,
  name,
});

const ASK = user('What is the weather in Oslo?');
const CALL = call('call00001', 'get_weather', { city: 'Oslo', unit: 'celsius' });
const RESULT = result('call00001', 'get_weather', '{"temperature": 4}');
const TOOLS = [WEATHER, SCORE];

/**
 * The conversations that a TEMPLATE must render as the model's Jinja template does. A name tells what is tried; `prefill` ends in
 * an answer to be continued. Those for tools and thinking count only for models that know such things.
 */
export const CHECK_CONVERSATIONS: readonly Conversation[] = [
  { name: 'one question', messages: [user('Who won the match?')] },
  { name: 'system and question', messages: [system('You are a referee.'), user('Who won the match?')] },
  {
    name: 'several turns',
    messages: [
      user('Who won?'),
      assistant('The home side.'),
      user('By how much?'),
      assistant('By three points.'),
      user('Thanks. And the week before?'),
    ],
  },
  {
    name: 'system and several turns',
    messages: [
      system('You are a referee.\nBe brief.'),
      user('Who won?'),
      assistant('The home side.'),
      user('By how much?'),
      assistant('Three.'),
      user('Really?'),
    ],
  },
  { name: 'prefill', messages: [user('Name three colours.'), assistant('Red, green')] },
  {
    name: 'system and prefill',
    messages: [system('Answer in one word.'), user('Capital of Norway?'), assistant('Os')],
  },
  { name: 'empty question', messages: [user('')] },
  { name: 'empty answer', messages: [user('Hello'), assistant(''), user('Are you there?')] },
  {
    name: 'unicode',
    messages: [
      system('Répondez en français.'),
      user('Où est la bibliothèque ? 图书馆 🏉'),
      assistant('À gauche — près de l’église.'),
      user('ありがとう'),
    ],
  },
  {
    name: 'several lines',
    messages: [
      user('First line\n\nThird line\twith a tab'),
      assistant('1. one\n2. two\n\n```js\nlet a = "b";\n```'),
      user('More'),
    ],
  },
  {
    name: 'marks of templates',
    messages: [
      user('Explain {{ .System }} and {% if x %} and <b>"quoted"</b> & \\n'),
      assistant("It's {{ text }}."),
      user('And <|x|>?'),
    ],
  },
  {
    name: 'system message in the middle',
    messages: [
      system('You are a referee.'),
      user('Who won?'),
      assistant('The home side.'),
      system('From now on, answer in French.'),
      user('By how much?'),
    ],
  },
  {
    name: 'white space at the ends',
    messages: [system(' Be kind. \n'), user('  Hello \n'), assistant('\n Hi there  '), user('\tBye ')],
  },
  { name: 'tools', messages: [ASK], tools: TOOLS },
  { name: 'system and tools', messages: [system('You are a referee.'), ASK], tools: TOOLS },
  { name: 'tools after several turns', messages: [user('Hello'), assistant('Hi.'), ASK], tools: TOOLS },
  { name: 'tool call and result', messages: [ASK, CALL, RESULT], tools: TOOLS },
  {
    name: 'tool call, result and answer',
    messages: [system('You are a referee.'), ASK, CALL, RESULT, assistant('Four degrees.'), user('And tomorrow?')],
    tools: TOOLS,
  },
  {
    name: 'text and tool call',
    messages: [ASK, call('call00001', 'get_weather', { city: 'Oslo', unit: 'celsius' }, 'Let me look.'), RESULT],
    tools: TOOLS,
  },
  {
    name: 'two tool calls',
    messages: [
      user('The weather in Oslo, and three points for Norway.'),
      {
        role: 'assistant',
        content: '',
        tool_calls: [
          {
            type: 'function',
            id: 'call00001',
            function: { name: 'get_weather', arguments: { city: 'Oslo', unit: 'celsius' } },
          },
          {
            type: 'function',
            id: 'call00002',
            function: { name: 'add_score', arguments: { points: 3, team: 'Norway' } },
          },
        ],
      },
      RESULT,
      result('call00002', 'add_score', 'done'),
    ],
    tools: TOOLS,
  },
  { name: 'thinking on', messages: [user('Is 91 a prime?')], think: true },
  { name: 'thinking off', messages: [system('You are a referee.'), user('Is 91 a prime?')], think: false },
  {
    name: 'thinking in the history',
    messages: [
      user('Is 91 a prime?'),
      { role: 'assistant', content: 'No.', reasoning_content: '91 is 7 times 13.' },
      user('And 97?'),
    ],
  },
  {
    name: 'thinking before a tool call',
    messages: [
      ASK,
      call('call00001', 'get_weather', { city: 'Oslo', unit: 'celsius' }, '', 'I should ask the tool.'),
      RESULT,
    ],
    tools: TOOLS,
    think: true,
  },
];

/** Whether a conversation is about something that the template has no words for, so that it tells nothing. */
export function applies(
  conversation: Conversation,
  { tools, thinking }: { readonly tools: boolean; readonly thinking: boolean },
): boolean {
  const thinks =
    conversation.think !== undefined ||
    conversation.messages.some((message) => message.reasoning_content !== undefined);
  return (conversation.tools === undefined || tools) && (!thinks || thinking);
}

/** Whether the last message is an answer that is to be continued. */
export function isPrefill({ messages }: Conversation): boolean {
  return messages.at(-1)?.role === 'assistant';
}
