/** Conversations of Ollama's API that the recorded templates are rendered with. */
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather <now> & here',
    parameters: {
      type: 'object',
      required: ['city'],
      properties: {
        city: { type: 'string', description: 'Name of the "city"' },
        unit: { type: ['string', 'null'], enum: ['celsius', 'fahrenheit', null, 1.5, true, { a: 1 }] },
        10: { type: 'integer' },
        9: { anyOf: [{ type: 'number' }, { type: ['boolean', 'array'] }] },
        place: {
          type: 'object',
          description: 'Where',
          properties: { z: { type: 'number' }, a: { type: 'null' } },
          required: ['z'],
          items: { type: 'string' },
        },
      },
    },
  },
};

const bare = { type: 'function', function: { name: 'now', description: '', parameters: { type: 'object' } } };
const odd = {
  type: 'function',
  items: [1, 'x', null],
  function: {
    name: 'odd',
    parameters: {
      type: '',
      $defs: { D: { type: 'string' } },
      items: { type: 'number' },
      required: [],
      properties: { 'k"<': { type: 'other' }, '': {} },
    },
  },
};

export const CONVERSATIONS: Readonly<Record<string, object>> = {
  none: { messages: [] },
  user: { messages: [{ role: 'user', content: 'Why is the sky blue?' }] },
  system: {
    messages: [
      { role: 'system', content: 'You are terse.' },
      { role: 'user', content: 'Hi' },
    ],
  },
  systemOnly: { messages: [{ role: 'system', content: 'You are terse.' }] },
  turns: {
    messages: [
      { role: 'system', content: 'Be kind.' },
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'two' },
      { role: 'user', content: 'three' },
      { role: 'assistant', content: 'four' },
      { role: 'user', content: 'five' },
    ],
  },
  prefill: {
    messages: [
      { role: 'user', content: 'Count' },
      { role: 'assistant', content: 'one, two' },
    ],
  },
  collated: {
    messages: [
      { role: 'system', content: 'a' },
      { role: 'system', content: 'b' },
      { role: 'user', content: 'c' },
      { role: 'user', content: 'd' },
      { role: 'tool', content: 'e', tool_name: 'x' },
      { role: 'tool', content: 'f' },
      { role: 'assistant', content: '' },
      { role: 'assistant', content: 'g' },
      { role: 'system', content: 'h' },
      { role: 'user', content: 'i' },
    ],
  },
  unicode: {
    messages: [
      { role: 'User', content: 'é日本 🦙\u2028\u0000\u00ad' },
      { role: 'assistant', content: '<b>&"\'\\' },
      { role: 'other', content: '\t\n' },
    ],
  },
  thinking: {
    messages: [
      { role: 'user', content: 'Think' },
      { role: 'assistant', content: 'Done', thinking: 'Hmm…' },
      { role: 'user', content: 'Again' },
    ],
    think: true,
    thinkLevel: 'high',
    isThinkSet: true,
  },
  noThinking: { messages: [{ role: 'user', content: 'Think' }], think: false, isThinkSet: true },
  tools: {
    messages: [
      { role: 'system', content: 'Use tools.' },
      { role: 'user', content: 'Weather in Paris?' },
    ],
    tools: [weather, bare],
  },
  oddTools: { messages: [{ role: 'user', content: 'x' }], tools: [odd] },
  noTools: { messages: [{ role: 'user', content: 'x' }], tools: [] },
  toolCalls: {
    messages: [
      { role: 'user', content: 'Weather in Paris?' },
      {
        role: 'assistant',
        content: '',
        thinking: 'call it',
        tool_calls: [
          {
            id: 'call_1',
            function: {
              index: 0,
              name: 'get_weather',
              arguments: { city: 'Paris', unit: null, 10: [1, 2.5, 'x'], 9: { b: 1e21, a: 1e-7 }, '<k>': true },
            },
          },
          { function: { index: 1, name: 'now', arguments: {} } },
          { function: { name: 'none' } },
        ],
      },
      { role: 'tool', content: '{"temp": 20}', tool_name: 'get_weather', tool_call_id: 'call_1' },
      { role: 'tool', content: 'noon', tool_name: 'now' },
    ],
    tools: [weather],
  },
  images: {
    messages: [
      { role: 'user', content: 'See', images: ['aGVsbG8=', '', 'AP8='] },
      { role: 'assistant', content: '' },
    ],
  },
  insert: { messages: [{ role: 'user', content: 'ignored' }], prompt: 'def f(', suffix: 'return 1' },
  promptOnly: { messages: [{ role: 'user', content: 'kept' }], prompt: 'def f(', suffix: '' },
  empty: {
    messages: [
      { role: 'user', content: '' },
      { role: 'assistant', content: '' },
      { role: '', content: '' },
    ],
  },
};
