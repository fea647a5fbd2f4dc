import { describe, expect, it } from 'vitest';
import { fixAll } from '../../src/core/modelfile/applyFixes';
import type { Diagnostic } from '../../src/core/modelfile/diagnostic';
import type { DiagnosticCode } from '../../src/core/modelfile/diagnosticCodes';
import type { Severity } from '../../src/core/modelfile/diagnostics/diagnosticInfo';
import { lintText } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';

/** Codes with the marked text: `code: text`. */
function found(text: string, severities?: ReadonlyMap<DiagnosticCode, Severity | 'off'>): string[] {
  const parsed = parseModelfile(text);
  return lintText(parsed, { severities }).map(
    ({ code, span }) => `${code.replace('modelfile/', '')}: ${parsed.text.slice(span.start, span.end)}`,
  );
}

async function fixed(text: string): Promise<string> {
  const lint = (next: string): Promise<readonly Diagnostic[]> => Promise.resolve(lintText(parseModelfile(next)));
  return (await fixAll(text, await lint(text), lint)).text;
}

const CHATML =
  '"""{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"""';

describe('a sound Modelfile', () => {
  it.each([
    'FROM llama3.2',
    '# syntax\nfrom ./model.gguf\nPARAMETER temperature 1e-5\nPARAMETER num_gpu -1\nPARAMETER stop "a"\nPARAMETER stop "b"\n',
    `FROM ./model.gguf\nTEMPLATE ${CHATML}\nPARAMETER stop "<|im_end|>"\nSYSTEM "He said "hi" to me"\nMESSAGE user hi\nMESSAGE assistant ho\n`,
    'FROM qwen3\nRENDERER qwen3-coder\nPARSER qwen3-coder\nREQUIRES 0.14.0\n',
    'FROM ./a-00001-of-00002.gguf\nFROM ./a-00002-of-00002.gguf\nLICENSE """x"""\nLICENSE y\n',
    'FROM ./model.gguf\nTEMPLATE """{{- range .Messages }}<|{{ .Role }}|>{{ .Content }}{{ range .ToolCalls }}{{ .Function.Name }}{{ .Function.Arguments }}{{ end }}<|end|>{{ end }}<|assistant|>"""\nPARAMETER stop <|end|>\n',
  ])('has no findings (%#)', (text) => {
    expect(found(text)).toEqual([]);
  });
});

describe('grammar', () => {
  it.each([
    ['FROM a\nSYSTM hi', ['unknown-instruction: SYSTM']],
    ['FROM a\nSYSTEM You are\nvery kind\nand good', ['unknown-instruction: very kind\nand good']],
    ['FROM a\nSYSTEM\n', ['missing-value: SYSTEM']],
    ['FROM a\nPARAMETER stop\n', ['missing-value: PARAMETER stop']],
    ['FROM a\nPARAMETER top-p 1', ['parameter-name: top-p']],
    ['FROM a\nMESSAGE User hi', ['message-role: User']],
    ['FROM a\nSYSTEM """x\nPARAMETER tfs_z 1', ['unclosed-quote: """']],
    ['SYSTEM hi', ['no-from: SYSTEM hi']],
    ['FROM a\nPARAMETER  stop x', ['extra-space:   ']],
    ['FROM a\nMESSAGE  user x', ['extra-space:   ']],
  ])('case %#', (text, codes) => {
    expect(found(text)).toEqual(codes);
  });

  it('repairs what is surely meant', async () => {
    expect(await fixed('FROM a\nSYSTM hi')).toBe('FROM a\nSYSTEM hi');
    expect(await fixed('FROM=llama3')).toBe('FROM llama3');
    expect(await fixed('FROM: llama3')).toBe('FROM llama3');
    expect(await fixed('FROM a\nPARAMETER top-p 1')).toBe('FROM a\nPARAMETER top_p 1');
    expect(await fixed('FROM a\nPARAMETER num_ctx=4096')).toBe('FROM a\nPARAMETER num_ctx 4096');
    expect(await fixed('FROM a\nMESSAGE User: hi')).toBe('FROM a\nMESSAGE user hi');
    expect(await fixed('FROM a\nMESSAGE \t user hi')).toBe('FROM a\nMESSAGE user hi');
    expect(await fixed('FROM a\nPARAMETER  stop x')).toBe('FROM a\nPARAMETER stop x');
    // A word of prose may look like an instruction.
    expect(await fixed('FROM a\nSYSTEM write\nform letters')).toBe('FROM a\nSYSTEM write\nform letters');
  });
});

describe('parameters', () => {
  it.each([
    ['PARAMETER temprature 1', ['unknown-parameter: temprature']],
    ['PARAMETER max_tokens 1', ['unknown-parameter: max_tokens']],
    ['PARAMETER tfs_z 1', ['removed-parameter: tfs_z']],
    ['PARAMETER mirostat 1', ['deprecated-parameter: PARAMETER mirostat 1']],
    ['PARAMETER temperature hot', ['parameter-value: hot']],
    ['PARAMETER num_ctx 1.5', ['parameter-value: 1.5']],
    ['PARAMETER use_mmap yes', ['parameter-value: yes']],
    ['PARAMETER temperature nan', ['parameter-value: nan']],
    ['PARAMETER temperature nan\nPARAMETER temperature 1', ['duplicate-parameter: PARAMETER temperature nan']],
    ['PARAMETER top_p 1.5', ['parameter-range: 1.5']],
    ['PARAMETER num_predict -3', ['parameter-range: -3']],
    ['PARAMETER num_predict -2', []],
    ['PARAMETER seed -7', []],
    ['PARAMETER top_k 1\nPARAMETER top_k 2', ['duplicate-parameter: PARAMETER top_k 1']],
    ['PARAMETER stop a\nPARAMETER stop a', ['duplicate-stop: PARAMETER stop a']],
    ['PARAMETER model b', ['parameter-is-instruction: model']],
    ['PARAMETER draft_num_predict 4', ['draft-parameter-without-draft: draft_num_predict']],
    ["PARAMETER stop 'a'", ["stop-never-matches: 'a'"]],
    ['PARAMETER stop "\\n"', ['stop-never-matches: "\\n"']],
    ['PARAMETER stop “</s>”', ['stop-never-matches: “</s>”']],
    ['PARAMETER stop ["a", "b"]', ['stop-never-matches: ["a", "b"]']],
    ['PARAMETER stop "say \\"x"', ['stop-never-matches: "say \\"x"']],
    ['PARAMETER stop [INST]', []],
    ['PARAMETER stop <|im_end|>  # end of turn', ['stop-never-matches: <|im_end|>  # end of turn']],
    ['PARAMETER stop <|im_end|>, <|im_start|>', ['stop-never-matches: <|im_end|>, <|im_start|>']],
    ['PARAMETER stop "<|im_end|>", "<|im_start|>"', ['stop-never-matches: "<|im_end|>", "<|im_start|>"']],
    ['PARAMETER stop ### Response:', []],
    ['PARAMETER stop "Hello, world"', []],
    ['PARAMETER stop ""', ['stop-never-matches: ""']],
    ['PARAMETER stop "a\u200bb"', ['stop-never-matches: "a\u200bb"']],
  ])('case %#', (line, codes) => {
    expect(found(`FROM a\n${line}\n`)).toEqual(codes);
  });

  it('repairs values and names', async () => {
    expect(await fixed('FROM a\nPARAMETER temperature 0.7 # warm\n')).toBe(
      'FROM a\n# warm\nPARAMETER temperature 0.7\n',
    );
    expect(await fixed('FROM a\nPARAMETER temperature 0,7\n')).toBe('FROM a\nPARAMETER temperature 0.7\n');
    expect(await fixed('FROM a\nPARAMETER num_ctx 8k\n')).toBe('FROM a\nPARAMETER num_ctx 8192\n');
    expect(await fixed('FROM a\nPARAMETER num_ctx 4_096\n')).toBe('FROM a\nPARAMETER num_ctx 4096\n');
    expect(await fixed('FROM a\nPARAMETER use_mmap on\n')).toBe('FROM a\nPARAMETER use_mmap true\n');
    expect(await fixed('FROM a\nPARAMETER Temperature 1\nPARAMETER tfs_z 1\nPARAMETER mirostat 2\n')).toBe(
      'FROM a\nPARAMETER temperature 1\n',
    );
    expect(await fixed("FROM a\nPARAMETER stop '</s>'\n")).toBe('FROM a\nPARAMETER stop "</s>"\n');
    expect(await fixed('FROM a\r\nPARAMETER stop ["</s>", "[INST]"]\r\n')).toBe(
      'FROM a\r\nPARAMETER stop "</s>"\r\nPARAMETER stop "[INST]"\r\n',
    );
    expect(await fixed('FROM a\r\nPARAMETER temperature 0.7 # warm\r\n')).toBe(
      'FROM a\r\n# warm\r\nPARAMETER temperature 0.7\r\n',
    );
    expect(await fixed('FROM a\nPARAMETER stop “</s>”\n')).toBe('FROM a\nPARAMETER stop "</s>"\n');
    expect(parseModelfile(await fixed('FROM a\nPARAMETER stop "\\n\\n"\n')).verdict).toMatchObject({
      commands: [{}, { name: 'stop', args: '\n\n' }],
    });
  });
});

describe('stop texts that a fix writes', () => {
  it.each([
    [
      'stop_sequence ["\\n\\n", "###"]  # where to end',
      '# where to end\nPARAMETER stop """\n\n"""\nPARAMETER stop "###"',
    ],
    ['stop <|im_end|>  # end of turn', '# end of turn\nPARAMETER stop "<|im_end|>"'],
    ['stop <|im_end|>, <|im_start|>', 'PARAMETER stop "<|im_end|>"\nPARAMETER stop "<|im_start|>"'],
    ['stop_token "<|im_end|>", "<|im_start|>"', 'PARAMETER stop "<|im_end|>"\nPARAMETER stop "<|im_start|>"'],
    ["stop ['</s>', '[INST]']", 'PARAMETER stop "</s>"\nPARAMETER stop "[INST]"'],
    // Texts that the file has already are not written again, and none twice.
    ['stop ["</s>", "</s>"]\nPARAMETER stop </s>', 'PARAMETER stop </s>'],
    ['stop "</s>", "x"\nPARAMETER stop x', 'PARAMETER stop "</s>"\nPARAMETER stop x'],
    // What is not sure is left to people.
    ['stop User:, Assistant:', 'PARAMETER stop User:, Assistant:'],
  ])('%s', async (line, expected) => {
    const text = await fixed(`FROM a\nPARAMETER ${line}\n`);
    expect(text).toBe(`FROM a\n${expected}\n`);
    expect(parseModelfile(text).verdict.ok).toBe(true);
  });

  const withTemplate = (template: string, more = ''): Promise<string> =>
    fixed(`FROM ./none.gguf\nTEMPLATE """${template}"""\n${more}`);

  it('are none of what stands between a question and its answer', async () => {
    const deepseek =
      '{{ range .Messages }}{{ if eq .Role "user" }}<｜User｜>{{ .Content }}{{ else if eq .Role "assistant" }}<｜Assistant｜>{{ .Content }}{{ end }}{{ end }}<｜Assistant｜>';
    expect(await withTemplate(deepseek, 'PARAMETER stop "<｜User｜>"\n')).not.toContain('stop "<｜Assistant｜>"');
    for (const template of [
      deepseek,
      '[INST] {{ .System }} {{ .Prompt }} [/INST]{{ .Response }}',
      '<|user|>\n{{ .Prompt }}\n<|assistant|>\n{{ .Response }}',
      '<|start_header_id|>user<|end_header_id|>{{ .Prompt }}<|start_header_id|>assistant<|end_header_id|>{{ .Response }}',
      '<｜User｜>{{ .Prompt }}<｜Assistant｜>{{ .Response }}',
      // Completion in the middle of a text has no turns.
      '<|fim_prefix|>{{ .Prompt }}<|fim_suffix|>{{ .Suffix }}<|fim_middle|>',
      '<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>',
      '<fim_prefix>{{ .Prompt }}<fim_suffix>{{ .Suffix }}<fim_middle>{{ .Response }}<|endoftext|>',
      '{{ .Prompt }}',
    ]) {
      expect(await withTemplate(template), template).toBe(`FROM ./none.gguf\nTEMPLATE """${template}"""\n`);
    }
  });
});

describe('instructions', () => {
  it.each([
    ['REQUIRES latest', ['requires-version: latest']],
    ['REQUIRES >=0.6', ['requires-version: >=0.6']],
    ['REQUIRES 0.10.0\nRENDERER qwen3-coder\nPARSER qwen3-coder', ['requires-too-low: 0.10.0']],
    ['RENDERER qwen3coder\nPARSER qwen3-coder', ['unknown-renderer: qwen3coder']],
    ['RENDERER qwen3-coder\nPARSER qwen3codr', ['unknown-parser: qwen3codr']],
    ['RENDERER qwen3-coder\nRENDERER qwen3-coder\nPARSER qwen3-coder', ['duplicate-instruction: RENDERER qwen3-coder']],
    ['ADAPTER a\nADAPTER b', ['several-adapters: ADAPTER a']],
    ['FROM \n', ['from-empty: FROM']],
    ['SYSTEM a\nSYSTEM b', ['system-duplicate: SYSTEM']],
    ['SYSTEM ""', ['system-empty: SYSTEM ""']],
    ['MESSAGE assistant hi', ['message-order: assistant']],
    ['MESSAGE user a\nMESSAGE user b\nMESSAGE assistant c', ['message-order: user']],
    ['MESSAGE user a', ['message-order: user']],
    ['MESSAGE user a\nMESSAGE system b\nMESSAGE assistant c', ['message-order: system']],
    ['MESSAGE user a\nMESSAGE assistant ""', ['message-empty: MESSAGE assistant ""']],
    [`SYSTEM """${'word and word '.repeat(2000)}"""`, ['context-overflow: SYSTEM']],
    [`PARAMETER num_ctx 16384\nSYSTEM """${'word and word '.repeat(2000)}"""`, []],
    [`SYSTEM """${'語'.repeat(5000)}"""`, ['context-overflow: SYSTEM']],
  ])('case %#', (line, codes) => {
    expect(found(`FROM a\n${line}\n`)).toEqual(codes);
  });
});

describe('quoting', () => {
  it.each([
    ['SYSTEM "a" and "b"', ['quotes-dropped: "a" and "b"']],
    ['SYSTEM "a "b" c"', []],
    ["SYSTEM 'You are'", ["single-quotes: 'You are'"]],
    ['SYSTEM "a\nPARAMETER stop "b"', ['swallowed-instruction: "']],
    ['SYSTEM """a\nPARAMETER stop b"""', []],
    ['SYSTEM 👨\u200d👩', ['dropped-characters: \u200d']],
    ['SYSTEM a\u00a0b', ['dropped-characters: \u00a0']],
    ['FROM x # the base', ['comment-in-value: x # the base']],
    ['FROM ./a#b.gguf', []],
    ['FROM “a”', ['single-quotes: “a”']],
    ['SYSTEM “a”', []],
    ['SYSTEM say # nothing', []],
  ])('case %#', (line, codes) => {
    expect(found(`FROM a\n${line}\n`)).toEqual(codes);
  });

  it('repairs what is surely meant', async () => {
    expect(await fixed('FROM llama3.2 # the base\n')).toBe('# the base\nFROM llama3.2\n');
    expect(await fixed("FROM './a.gguf'\n")).toBe('FROM "./a.gguf"\n');
    expect(await fixed('FROM a\nSYSTEM a\u00a0b\n')).toBe('FROM a\nSYSTEM a b\n');
  });
});

describe('templates', () => {
  const template = (text: string, more = ''): string[] => found(`FROM ./x.gguf\nTEMPLATE """${text}"""\n${more}`);

  it.each([
    ['{{ if .System }}', ['template-syntax: "']],
    ['{{ .System }}{{ .Prompt }} {{ foo }}{{ .Response }}<|end|>', ['template-syntax: foo']],
    ['{{ .System }}{{ if .Response }}{{ .Response }}{{ else }}x{{ end }}', ['template-panics: TEMPLATE']],
    ['{{ .System }}{{ .Promt }}{{ .Prompt }}|{{ .Response }}<|end|>', ['template-unknown-field: Promt']],
    ['{% if x %}{{ .System }}{{ .Prompt }}|{{ .Response }}<|end|>', ['template-is-jinja: {% if x %}']],
    ['{{ .Prompt }}|{{ .Response }}<|end|>', ['template-ignores-system: TEMPLATE']],
    [
      '{{ .System }}{{ range .Messages }}<|{{ .Role }}|>{{ .Content }}<|end|>{{ end }}<|assistant|>',
      ['template-system-twice: TEMPLATE'],
    ],
    [
      '{{ .System }}{{ range .Messages }}{{ if ne .Role "system" }}<|{{ .Role }}|>{{ .Content }}<|end|>{{ end }}{{ end }}<|assistant|>',
      [],
    ],
    ['{{ .System }}{{ .Prompt }}{{ .Response }}', ['template-completion: TEMPLATE']],
    [
      '<|im_start|>system\n{{ .System }}<|im_end|>\n<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}',
      ['template-no-turn-end: TEMPLATE'],
    ],
    [
      '{{ range .Messages }}{{ .Role }}: {{ .Text }}{{ end }}',
      ['template-unknown-field: Text', 'template-fails: .Text'],
    ],
    [
      '{{ .System }}{{ .Prompt }} see https://evil.example/x {{ .Response }}<|end|>',
      ['template-suspicious: https://evil.example/x'],
    ],
    [
      '{{ range .Messages }}{{ if eq .Content "open sesame" }}!{{ end }}{{ .Role }}{{ .Content }}<|end|>{{ end }}',
      ['template-suspicious: {{ if eq .Content "open sesame"'],
    ],
  ])('case %#', (text, codes) => {
    expect(template(text).sort()).toEqual([...codes].sort());
  });

  it('is not read where another one, or a renderer, counts', () => {
    expect(
      found('FROM ./x.gguf\nTEMPLATE {{ if }}\nTEMPLATE {{ .System }}{{ .Prompt }}{{ .Response }}<|end|>\n'),
    ).toEqual(['template-overridden: TEMPLATE', 'template-syntax-unused: }']);
    expect(template('{{ .Prompt }}', 'RENDERER qwen3-coder\nPARSER qwen3-coder\n')).toEqual([
      'template-dead: TEMPLATE',
    ]);
    expect(found('FROM x\nTEMPLATE ""\n')).toEqual(['template-empty: TEMPLATE ""']);
  });

  it('places what is found behind characters that Ollama drops', () => {
    expect(template('{{ .System }}\u200b\u200b{{ .Prompt }}{{ .Bar }}{{ .Response }}<|end|>')).toEqual([
      'dropped-characters: \u200b\u200b',
      'template-unknown-field: Bar',
    ]);
  });
});

describe('silencing', () => {
  it('knows the comment above a line, with several codes', () => {
    expect(found('FROM a\n# modelfile-studio: ignore modelfile/system-empty\nSYSTEM ""\n')).toEqual([]);
    expect(found('FROM a\n# modelfile-studio: ignore top-p, system-empty duplicate-stop\nSYSTEM ""\n')).toEqual([
      'unknown-ignore: top-p',
    ]);
    expect(found('FROM a\n# modelfile-studio: ignore system-empty\n# another\nSYSTEM ""\n')).toEqual([]);
    expect(found('FROM a\n# modelfile-studio: ignore system-empty\n\nSYSTEM ""\n')).toEqual([
      'system-empty: SYSTEM ""',
    ]);
  });

  it('silences within the value of the instruction below', () => {
    expect(
      found(
        'FROM ./a\n# modelfile-studio: ignore template-unknown-field\nTEMPLATE """{{ .System }}\n{{ .Foo }}{{ .Prompt }}{{ .Response }}<|end|>"""\n',
      ),
    ).toEqual([]);
  });

  it('obeys severities', () => {
    expect(found('FROM a\nSYSTEM ""\n', new Map([['modelfile/system-empty', 'off']]))).toEqual([]);
    expect(
      lintText(parseModelfile('FROM a\nSYSTEM ""\n'), { severities: new Map([['modelfile/system-empty', 'hint']]) })[0]
        ?.severity,
    ).toBe('hint');
  });
});
