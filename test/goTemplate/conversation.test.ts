import { describe, expect, it } from 'vitest';
import { StudioError } from '../../src/core/errors';
import { executeTemplate } from '../../src/core/goTemplate/executeTemplate';
import { decodeConversation } from '../../src/core/goTemplate/ollama/decodeConversation';
import { parseOrderedJson } from '../../src/core/goTemplate/ollama/orderedJson';
import { parseTemplate } from '../../src/core/goTemplate/parseTemplate';
import { namedConversations, renderConversation } from '../../src/core/goTemplate/renderConversations';

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (thrown) {
    return thrown instanceof StudioError ? `${thrown.code} ${thrown.message}` : String(thrown);
  }
}

function render(template: string, conversation: string): unknown {
  const parsed = parseTemplate(template);
  if (!parsed.ok) {
    throw new Error(parsed.error);
  }
  return renderConversation(parsed.template, parseOrderedJson(conversation));
}

describe('JSON of conversations', () => {
  it('keeps the order of keys, of numbers among them too, and the last of doubles', () => {
    const json = parseOrderedJson('{"b": 1, "10": 2, "2": [3, {"__proto__": null}], "b": 4}');
    expect(json).toEqual(
      new Map<string, unknown>([
        ['b', 4],
        ['10', 2],
        ['2', [3, new Map([['__proto__', null]])]],
      ]),
    );
  });

  it.each([
    '',
    '{',
    '[1,]',
    '{"a" 1}',
    '{"a":1,}',
    "{'a':1}",
    '01',
    '1.',
    '+1',
    'tru',
    '"\n"',
    '"\\x"',
    '"a',
    '[1] 2',
    '{1:2}',
    '"\\u12"',
    '1e999',
    'NaN',
    '\ufeff{}',
  ])('refuses %j', (text) => {
    expect(codeOf(() => parseOrderedJson(text))).toMatch(/^json\/syntax Not valid JSON at line \d+: /);
  });

  it('is read however long a string is, and not beyond a depth', () => {
    const long = 'x'.repeat(2_000_000);
    expect(parseOrderedJson(`"${long}"`)).toBe(long);
    expect(codeOf(() => parseOrderedJson('['.repeat(100_000)))).toMatch(/nested/);
  });
});

describe('values', () => {
  it('take names in any case, roles in lower case, and nothing where there is null', () => {
    expect(
      decodeConversation(
        parseOrderedJson('{"MESSAGES": [{"Role": "USER", "CONTENT": "a", "content": null}, null], "isthinkset": true}'),
      ),
    ).toMatchObject({
      messages: [
        { role: 'user', content: 'a' },
        { role: '', content: '', images: null, toolCalls: null },
      ],
      tools: null,
      isThinkSet: true,
    });
  });

  it.each([
    ['{"messages": 1}', 'messages must be a list'],
    ['{"messages": [1]}', 'messages[0] must be an object'],
    ['{"messages": [{"content": 1}]}', 'messages[0].content must be a string'],
    ['{"messages": [{"images": ["?"]}]}', 'messages[0].images[0] must be base64'],
    ['{"messages": [{"images": ["a==="]}]}', 'messages[0].images[0] must be base64'],
    [
      '{"messages": [{"tool_calls": [{"function": {"arguments": []}}]}]}',
      'messages[0].tool_calls[0].function.arguments must be an object',
    ],
    [
      '{"messages": [{"tool_calls": [{"function": {"index": 1.5}}]}]}',
      'messages[0].tool_calls[0].function.index must be an integer',
    ],
    [
      '{"tools": [{"function": {"parameters": {"properties": {"a": {"type": 1}}}}}]}',
      'tools[0].function.parameters.properties.a.type must be a list',
    ],
    ['{"think": "high"}', 'think must be true or false'],
    ['[]', 'The conversation must be an object'],
    ['{"messages": [{"images": [[256]]}]}', 'messages[0].images[0] must be base64'],
  ])('are refused where they are of the wrong type: %s', (json, message) => {
    const text = codeOf(() => decodeConversation(parseOrderedJson(json)));
    expect(text).toContain('template/values ');
    expect(text).toContain(message);
  });

  it('take names and bytes as Go does: the long s is an s, numbers are bytes', () => {
    expect(
      decodeConversation(
        parseOrderedJson(
          '{"me\u017f\u017fages": [{"role": "\u0130\u03a3", "images": [[104, 105, null]]}], "thin\u212a": true}',
        ),
      ),
    ).toMatchObject({
      messages: [{ role: 'i\u03c3', images: ['hi\u0000'] }],
      think: true,
    });
  });

  it('a conversation that is wrong says so and is no failure of the template', () => {
    expect(render('{{ .Prompt }}', '{"messages": [{"content": 1}]}')).toMatchObject({ ok: false, fault: 'values' });
    expect(codeOf(() => namedConversations([]))).toMatch(/^template\/values/);
  });
});

describe('a rendering says', () => {
  it('where it failed', () => {
    const text = 'é\n{{ .Messages.X }}';
    const parsed = parseTemplate(text);
    const result = parsed.ok ? executeTemplate(parsed.template, decodeConversation(parseOrderedJson('{}'))) : undefined;
    expect(result).toMatchObject({
      ok: false,
      fault: 'error',
      line: 2,
      error: 'template: :2:12: executing "" at <.Messages.X>: can\'t evaluate field X in type interface {}',
    });
    expect(result?.ok === false ? text.slice(result.start, result.end) : '').toBe('.Messages.X');
  });

  it('that the server would panic', () => {
    expect(render('{{ if .Response }}{{ .Response }}{{ else }}…{{ end }}', '{"messages": []}')).toEqual({
      ok: false,
      fault: 'panic',
      error:
        "Ollama's server panics and answers HTTP 500: interface conversion: parse.Node is nil, not *parse.ListNode",
    });
  });

  it('whether it is the same at every run', () => {
    const repeatable = (text: string): boolean | undefined => {
      const parsed = parseTemplate(text);
      return parsed.ok
        ? executeTemplate(
            parsed.template,
            decodeConversation(parseOrderedJson('{"messages": [{"role": "user", "content": "x"}]}')),
          ).repeatable
        : undefined;
    };
    expect([
      repeatable('{{ .Messages }}'),
      repeatable('{{ range .Messages }}{{ . }}{{ end }}'),
      repeatable('{{ len (print .Messages) }}'),
    ]).toEqual([false, true, false]);
  });

  it('the date that it is told', () => {
    const parsed = parseTemplate('{{ currentDate }} {{ yesterdayDate }}{{ if .Messages }}{{ end }}');
    const now = new Date(2024, 2, 1, 0, 30);
    expect(
      parsed.ok && executeTemplate(parsed.template, decodeConversation(parseOrderedJson('{}')), { now }),
    ).toMatchObject({ ok: true, text: '2024-03-01 2024-02-29' });
  });
});
