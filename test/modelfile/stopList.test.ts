import { describe, expect, it } from 'vitest';
import { readStopList } from '../../src/core/modelfile/stopList';

describe('several stop texts in one value', () => {
  it.each<[string, readonly string[], string | undefined, boolean]>([
    ['["</s>", "[INST]"]', ['</s>', '[INST]'], undefined, true],
    ['["\\n\\n", "###"]  # where to end', ['\n\n', '###'], '# where to end', true],
    ['<|im_end|>  # end of turn', ['<|im_end|>'], '# end of turn', true],
    ['"<|im_end|>" # end', ['<|im_end|>'], '# end', true],
    ['### User: # the next question', ['### User:'], '# the next question', false],
    ['<|im_end|>, <|im_start|>', ['<|im_end|>', '<|im_start|>'], undefined, true],
    ['"<|im_end|>", "<|im_start|>"', ['<|im_end|>', '<|im_start|>'], undefined, true],
    ['"<|im_end|>" "<|im_start|>"', ['<|im_end|>', '<|im_start|>'], undefined, true],
    ["'a', 'b'", ['a', 'b'], undefined, true],
    ["['a', 'b']", ['a', 'b'], undefined, true],
    ['<|im_end|> <|im_start|>', ['<|im_end|>', '<|im_start|>'], undefined, true],
    ['[<|im_end|>, <|im_start|>]', ['<|im_end|>', '<|im_start|>'], undefined, true],
    ['[<|im_end|>]', ['<|im_end|>'], undefined, true],
    ['User:, Assistant:', ['User:', 'Assistant:'], undefined, false],
    ['</s>, User:', ['</s>', 'User:'], undefined, false],
    ['"</s>", "</s>"', ['</s>'], undefined, true],
  ])('%s', (source, texts, comment, isSure) => {
    expect(readStopList(source)).toEqual({ texts, comment, isSure });
  });

  it.each([
    '</s>',
    '"</s>"',
    '[INST]',
    '"[INST]"',
    '[/INST]',
    '### Response:',
    '###',
    '"#"',
    'User: #',
    '"Hello, world"',
    'Hello, world',
    "'</s>'",
    '<|start_header_id|>assistant<|end_header_id|>',
    '\\n',
    '"say \\"x"',
    '# Instruction',
    '"a',
    '[',
    '[]',
    '""',
    '"""a, b"""',
    'x'.repeat(5000),
  ])('one text stays one: %s', (source) => {
    expect(readStopList(source)).toBeUndefined();
  });
});
