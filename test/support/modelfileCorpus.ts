/** A Modelfile made after shapes that people write, with what a careful reader would want to be told: `line code`. */
export interface CorpusFile {
  readonly name: string;
  readonly text: string;
  readonly wanted: readonly string[];
}

const q3 = (text: string): string => `"""${text}"""`;

/** Templates that work, by their format, with the stops that people write for them. */
const SOUND: Readonly<Record<string, readonly [template: string, ...stops: string[]]>> = {
  chatml: [
    '{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}{{ if .Prompt }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n{{ end }}<|im_start|>assistant\n{{ .Response }}<|im_end|>\n',
    '<|im_start|>',
    '<|im_end|>',
  ],
  'chatml loop': [
    '{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n',
    '<|im_end|>',
  ],
  'chatml with tools': [
    '{{- if or .System .Tools }}<|im_start|>system\n{{ .System }}{{ if .Tools }}\n# Tools\n{{ range .Tools }}{{ .Function }}\n{{ end }}{{ end }}<|im_end|>\n{{ end }}{{ range .Messages }}{{ if ne .Role "system" }}<|im_start|>{{ .Role }}\n{{ .Content }}{{ range .ToolCalls }}{{ .Function.Name }} {{ .Function.Arguments }}{{ end }}<|im_end|>\n{{ end }}{{ end }}<|im_start|>assistant\n',
    '<|im_end|>',
  ],
  llama3: [
    '{{ if .System }}<|start_header_id|>system<|end_header_id|>\n\n{{ .System }}<|eot_id|>{{ end }}{{ if .Prompt }}<|start_header_id|>user<|end_header_id|>\n\n{{ .Prompt }}<|eot_id|>{{ end }}<|start_header_id|>assistant<|end_header_id|>\n\n{{ .Response }}<|eot_id|>',
    '<|start_header_id|>',
    '<|end_header_id|>',
    '<|eot_id|>',
  ],
  gemma: [
    '<start_of_turn>user\n{{ if .System }}{{ .System }} {{ end }}{{ .Prompt }}<end_of_turn>\n<start_of_turn>model\n{{ .Response }}<end_of_turn>\n',
    '<end_of_turn>',
  ],
  'gemma loop': [
    '{{ range .Messages }}{{ if eq .Role "assistant" }}<start_of_turn>model\n{{ .Content }}<end_of_turn>\n{{ else }}<start_of_turn>user\n{{ .Content }}<end_of_turn>\n{{ end }}{{ end }}<start_of_turn>model\n',
    '<end_of_turn>',
  ],
  mistral: [
    '[INST] {{ if .System }}{{ .System }} {{ end }}{{ .Prompt }} [/INST]{{ .Response }}</s>',
    '[INST]',
    '[/INST]',
  ],
  'mistral without an end': ['[INST] {{ if .System }}{{ .System }} {{ end }}{{ .Prompt }} [/INST]', '[INST]'],
  llama2: [
    '[INST] <<SYS>>{{ .System }}<</SYS>>\n\n{{ .Prompt }} [/INST]\n{{ .Response }}</s>',
    '[INST]',
    '[/INST]',
    '<<SYS>>',
    '<</SYS>>',
  ],
  zephyr: [
    '{{ if .System }}<|system|>\n{{ .System }}</s>\n{{ end }}<|user|>\n{{ .Prompt }}</s>\n<|assistant|>\n{{ .Response }}</s>\n',
    '</s>',
  ],
  phi3: [
    '{{ if .System }}<|system|>\n{{ .System }}<|end|>\n{{ end }}<|user|>\n{{ .Prompt }}<|end|>\n<|assistant|>\n{{ .Response }}<|end|>\n',
    '<|end|>',
  ],
  deepseek: [
    '{{ if .System }}{{ .System }}{{ end }}<｜User｜>{{ .Prompt }}<｜Assistant｜>{{ .Response }}<｜end▁of▁sentence｜>',
    '<｜User｜>',
    '<｜end▁of▁sentence｜>',
  ],
  'deepseek loop': [
    '{{ range .Messages }}{{ if eq .Role "system" }}{{ .Content }}{{ else if eq .Role "user" }}<｜User｜>{{ .Content }}{{ else }}<｜Assistant｜>{{ .Content }}{{ end }}{{ end }}<｜Assistant｜>',
    '<｜User｜>',
  ],
  alpaca: [
    '{{ if .System }}{{ .System }}\n\n{{ end }}### Instruction:\n{{ .Prompt }}\n\n### Response:\n{{ .Response }}\n\n',
    '### Instruction:',
    '### Response:',
  ],
  'alpaca that ends early': ['{{ .System }}\n\n### Instruction:\n{{ .Prompt }}\n\n### Response:\n', '### Instruction:'],
  vicuna: ['{{ .System }}\nUSER: {{ .Prompt }}\nASSISTANT: {{ .Response }}</s>\n', 'USER:', 'ASSISTANT:'],
  openchat: [
    '{{ .System }}<|end_of_turn|>GPT4 Correct User: {{ .Prompt }}<|end_of_turn|>GPT4 Correct Assistant: {{ .Response }}<|end_of_turn|>',
    '<|end_of_turn|>',
  ],
  'command r': [
    '{{ if .System }}<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{{ .System }}<|END_OF_TURN_TOKEN|>{{ end }}<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{{ .Prompt }}<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{{ .Response }}<|END_OF_TURN_TOKEN|>',
    '<|END_OF_TURN_TOKEN|>',
  ],
  'thinking begun': [
    '{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n<think>\n',
    '<|im_end|>',
  ],
};

const SYSTEMS: readonly string[] = [
  'SYSTEM You are a helpful assistant.',
  'SYSTEM "You are Mario from Super Mario Bros. Answer as Mario, the assistant, only."',
  `SYSTEM ${q3('You are a careful reviewer.\n\n- Be brief.\n- Quote the line that you mean.\n')}`,
  `SYSTEM ${q3('\nYou write SQL.\n\n## Rules\n1. Only SELECT.\n2. Use "double quotes" for names.\n\nExample: {"a": [1, 2]}\n')}`,
  `SYSTEM ${q3('Du bist ein Übersetzer. Übersetze alles ins Deutsche — ohne Erklärung.')}`,
  `SYSTEM ${q3('你是一个有用的助手。请用中文回答。')}`,
  `SYSTEM ${q3('Write bash. Use \\n in printf, and never `rm -rf`.\nPaths such as C:\\new are kept.')}`,
  'SYSTEM """You are kind."""\nMESSAGE user Is Toronto in Canada?\nMESSAGE assistant yes\nMESSAGE user Is Paris in Canada?\nMESSAGE assistant no',
];
const BASES: readonly string[] = [
  'llama3.2',
  'qwen2.5-coder:7b',
  'hf.co/bartowski/Some-7B-GGUF:Q4_K_M',
  'mistral-nemo:latest',
];
const SETTINGS: readonly string[] = [
  'PARAMETER temperature 0.7\nPARAMETER num_ctx 8192',
  '# sampling\nPARAMETER temperature 0\nPARAMETER top_p 0.95\nPARAMETER top_k 40\nPARAMETER repeat_penalty 1.1\nPARAMETER seed 42',
  'PARAMETER num_gpu -1\nPARAMETER num_thread 8\nPARAMETER num_predict -1\nPARAMETER stop "</s>"',
  'parameter temperature 1e-1\nparameter stop "User:"\nparameter stop "Assistant:"',
];

function sound(): CorpusFile[] {
  const personas = BASES.flatMap((base, b) =>
    SYSTEMS.map((system, s) => ({
      name: `persona ${base} ${s}`,
      text: `# ${base}\nFROM ${base}\n\n${SETTINGS[(b + s) % SETTINGS.length] ?? ''}\n\n${system}\n`,
      wanted: [],
    })),
  );
  const chats = Object.entries(SOUND).flatMap(([format, [template, ...stops]]) => [
    {
      name: `${format} on a file that is elsewhere`,
      text: `FROM ./model.gguf\nTEMPLATE ${q3(template)}\n${stops.map((stop) => `PARAMETER stop "${stop}"\n`).join('')}SYSTEM You are kind.\n`,
      wanted: ['1 from-missing-path'],
    },
    {
      name: `${format} on a model by name`,
      text: `FROM some-model:7b\nTEMPLATE ${q3(template)}\nPARAMETER temperature 0.5\n`,
      wanted: [],
    },
  ]);
  return [...personas, ...chats];
}

const gguf = (template: string, more = ''): string => `FROM ./model.gguf\nTEMPLATE ${q3(template)}\n${more}`;
const OPEN_CHATML =
  '{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n';
const MISSING = '1 from-missing-path';

/** Templates with something wrong, or something to be known. */
const TEMPLATES: readonly (readonly [string, string, readonly string[]])[] = [
  ['an open ChatML', gguf(OPEN_CHATML, 'PARAMETER stop "<|im_end|>"\n'), [MISSING, '2 template-no-turn-end']],
  ['an open ChatML without stops', gguf(OPEN_CHATML), [MISSING, '2 template-no-turn-end']],
  ['an open ChatML on a name', `FROM qwen2.5\nTEMPLATE ${q3(OPEN_CHATML)}\n`, ['2 template-no-turn-end']],
  [
    'an open Zephyr',
    gguf('<|system|>\n{{ .System }}\n</s>\n<|user|>\n{{ .Prompt }}\n</s>\n<|assistant|>\n', 'PARAMETER stop "</s>"\n'),
    [MISSING, '2 template-no-turn-end'],
  ],
  [
    'an open Phi',
    gguf('{{ .System }}<|user|>{{ .Prompt }}<|end|><|assistant|>', 'PARAMETER stop "<|end|>"\n'),
    [MISSING, '2 template-no-turn-end'],
  ],
  [
    'an open Llama 3',
    gguf(
      '{{ .System }}<|start_header_id|>user<|end_header_id|>\n\n{{ .Prompt }}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n',
      'PARAMETER stop "<|eot_id|>"\n',
    ),
    [MISSING, '2 template-no-turn-end'],
  ],
  ['ChatML without a stop', gguf(SOUND['chatml']?.[0] ?? ''), [MISSING, '2 template-no-stop']],
  ['Llama 3 without a stop', gguf(SOUND['llama3']?.[0] ?? ''), [MISSING, '2 template-no-stop']],
  ['Phi without a stop', gguf(SOUND['phi3']?.[0] ?? ''), [MISSING, '2 template-no-stop']],
  ['Gemma without a stop', gguf(SOUND['gemma']?.[0] ?? ''), [MISSING, '2 template-no-stop']],
  [
    'Gemma with another stop',
    gguf(SOUND['gemma']?.[0] ?? '', 'PARAMETER stop "<|im_end|>"\n'),
    [MISSING, '2 template-no-stop', '7 stop-foreign'],
  ],
  ['Zephyr without a stop', gguf(SOUND['zephyr']?.[0] ?? ''), [MISSING]],
  ['the prompt alone', 'FROM codellama:7b-code\nTEMPLATE {{ .Prompt }}\n', ['2 template-completion']],
  ['the prompt alone in quotes', gguf('{{ .Prompt }}'), [MISSING, '2 template-completion']],
  [
    'system and prompt',
    'FROM llama3.2\nTEMPLATE """{{ .System }}\n\n{{ .Prompt }}"""\nSYSTEM Be kind.\n',
    ['2 template-completion'],
  ],
  [
    'the prompt beside a renderer',
    'FROM qwen3\nTEMPLATE {{ .Prompt }}\nRENDERER qwen3-coder\nPARSER qwen3-coder\n',
    ['2 template-dead'],
  ],
  ['a middle', gguf('<|fim_prefix|>{{ .Prompt }}<|fim_suffix|>{{ .Suffix }}<|fim_middle|>'), [MISSING]],
  ['a middle of another kind', gguf('<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>'), [MISSING]],
  [
    '.First',
    gguf(
      '{{ if .First }}<|system|>{{ .System }}</s>{{ end }}<|user|>\n{{ .Prompt }}</s>\n<|assistant|>\n{{ .Response }}</s>\n',
    ),
    [MISSING, '2 template-unknown-field'],
  ],
  [
    '.First in Mistral',
    gguf(
      '[INST] {{ if and .First .System }}{{ .System }} {{ end }}{{ .Prompt }} [/INST]{{ .Response }}</s>',
      'SYSTEM Hi.\n',
    ),
    [MISSING, '2 template-unknown-field'],
  ],
  [
    '.First twice',
    gguf(
      '{{ if .First }}<s>{{ end }}[INST] {{ if .First }}{{ .System }}{{ end }}{{ .Prompt }} [/INST]{{ .Response }}</s>',
    ),
    [MISSING, '2 template-unknown-field'],
  ],
  [
    'a misspelt field',
    gguf('{{ .System }}USER: {{ .Promt }}{{ .Prompt }}\nASSISTANT: {{ .Response }}</s>\n'),
    [MISSING, '2 template-unknown-field'],
  ],
  [
    'SYSTEM that is never written',
    gguf(
      '<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}<|im_end|>\n',
      'SYSTEM Hi.\nPARAMETER stop "<|im_end|>"\n',
    ),
    [MISSING, '2 template-ignores-system'],
  ],
  ['no system at all', gguf('[INST] {{ .Prompt }} [/INST]{{ .Response }}</s>'), [MISSING, '2 template-ignores-system']],
  [
    'the system message twice',
    gguf(
      '<|start_header_id|>system<|end_header_id|>\n\n{{ .System }}<|eot_id|>{{ range .Messages }}<|start_header_id|>{{ .Role }}<|end_header_id|>\n\n{{ .Content }}<|eot_id|>{{ end }}<|start_header_id|>assistant<|end_header_id|>\n\n',
      'PARAMETER stop <|eot_id|>\n',
    ),
    [MISSING, '2 template-system-twice'],
  ],
  [
    'two speakers',
    gguf(
      '{{ range .Messages }}<start_of_turn>{{ .Role }}\n{{ .Content }}<end_of_turn>\n{{ end }}<start_of_turn>model\n',
      'PARAMETER stop "<end_of_turn>"\n',
    ),
    [MISSING, '2 template-role-mismatch'],
  ],
  [
    'two speakers in words',
    gguf('{{ range .Messages }}{{ .Role }}:\n{{ .Content }}</s>\n{{ end }}Assistant:\n'),
    [MISSING, '2 template-role-mismatch'],
  ],
  [
    'no head of the answer',
    gguf(
      '{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}',
      'PARAMETER stop "<|im_end|>"\n',
    ),
    [MISSING, '2 template-no-answer-header'],
  ],
  [
    'no head in words',
    gguf('{{ range .Messages }}{{ .Role }}: {{ .Content }}\n{{ end }}'),
    [MISSING, '2 template-no-answer-header'],
  ],
  [
    'an answer that is closed',
    gguf(
      '{{ .System }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant<|im_end|>\n{{ .Response }}<|im_end|>',
      'PARAMETER stop "<|im_end|>"\n',
    ),
    [MISSING, '2 template-answer-closed'],
  ],
  [
    'Jinja',
    gguf(
      '{% for message in messages %}{{ .System }}<|user|>{{ .Prompt }}</s><|assistant|>{{ .Response }}</s>{% endfor %}',
    ),
    [MISSING, '2 template-is-jinja'],
  ],
  [
    'newlines written out',
    'FROM llama3.1\nTEMPLATE "{{ .System }}\\nUser: {{ .Prompt }}\\nAssistant: {{ .Response }}</s>"\n',
    ['2 literal-escape'],
  ],
  [
    'newlines written out in SYSTEM',
    'FROM llama3.1\nSYSTEM "You are kind.\\nBe brief.\\n\\nAlways."\n',
    ['2 literal-escape'],
  ],
  ['a file for SYSTEM', 'FROM llama3.1\nSYSTEM ./system-prompt.txt\n', ['2 text-is-path']],
  ['a file for LICENSE', 'FROM llama3.1\nLICENSE ./LICENSE.md\n', ['2 text-is-path']],
  [
    'a conversation in SYSTEM',
    'FROM llama3.1\nSYSTEM """Be kind.\n<|im_start|>user\nHi<|im_end|>\n"""\n',
    ['3 system-markers'],
  ],
  [
    'two TEMPLATEs',
    `FROM a\nTEMPLATE {{ .Prompt }}\nTEMPLATE ${q3(SOUND['zephyr']?.[0] ?? '')}\n`,
    ['2 template-overridden'],
  ],
  ['a broken template', 'FROM a\nTEMPLATE """{{ if .System }}{{ .System }}\n"""\n', ['3 template-syntax']],
];

/** Grammar, parameters and stops. */
const LINES: readonly (readonly [string, string, readonly string[]])[] = [
  ['a list of stops', 'FROM a\nPARAMETER stop ["<|im_end|>", "</s>"]\n', ['2 stop-never-matches']],
  ['stops with commas', 'FROM a\nPARAMETER stop "<|im_end|>", "</s>"\n', ['2 stop-never-matches']],
  ['a comment behind a stop', 'FROM a\nPARAMETER stop <|im_end|> # the end\n', ['2 stop-never-matches']],
  ['a stop in single quotes', "FROM a\nPARAMETER stop '</s>'\n", ['2 stop-never-matches']],
  ['a stop with a newline written out', 'FROM a\nPARAMETER stop "\\nUser:"\n', ['2 stop-never-matches']],
  ['an empty stop', 'FROM a\nPARAMETER stop ""\n', ['2 stop-never-matches']],
  ['the same stop twice', 'FROM a\nPARAMETER stop "</s>"\nPARAMETER stop "</s>"\n', ['3 duplicate-stop']],
  ['a list of stops under another name', 'FROM a\nPARAMETER stop_sequences ["a", "b"]\n', ['2 unknown-parameter']],
  ['max_tokens', 'FROM a\nPARAMETER max_tokens 2048\n', ['2 unknown-parameter']],
  ['context_length', 'FROM a\nPARAMETER context_length 8192\n', ['2 unknown-parameter']],
  ['think', 'FROM qwen3\nPARAMETER think false\n', ['2 unknown-parameter']],
  ['keep_alive', 'FROM qwen3\nPARAMETER keep_alive 5m\n', ['2 unknown-parameter']],
  ['a misspelt parameter', 'FROM a\nPARAMETER temprature 0.2\n', ['2 unknown-parameter']],
  ['a parameter of 2023', 'FROM a\nPARAMETER tfs_z 1\n', ['2 removed-parameter']],
  ['a base of rotations', 'FROM a\nPARAMETER rope_frequency_base 1e6\n', ['2 removed-parameter']],
  [
    'mirostat',
    'FROM a\nPARAMETER mirostat 2\nPARAMETER mirostat_tau 5\n',
    ['2 deprecated-parameter', '3 deprecated-parameter'],
  ],
  ['a comment behind a number', 'FROM a\nPARAMETER temperature 0.7 # warm\n', ['2 parameter-value']],
  ['a comma in a number', 'FROM a\nPARAMETER temperature 0,7\n', ['2 parameter-value']],
  ['a placeholder', 'FROM a\nPARAMETER num_ctx <size>\n', ['2 parameter-value']],
  ['hot', 'FROM a\nPARAMETER temperature 7\n', ['2 parameter-range']],
  ['set twice', 'FROM a\nPARAMETER seed 1\nPARAMETER seed 2\n', ['2 duplicate-parameter']],
  ['a hyphen', 'FROM a\nPARAMETER top-k 20\n', ['2 parameter-name']],
  ['an equals sign', 'FROM a\nPARAMETER num_ctx=4096\n', ['2 parameter-name']],
  ['two spaces', 'FROM a\nPARAMETER  num_ctx 4096\n', ['2 extra-space']],
  ['a parameter alone', 'FROM a\nTEMPERATURE 0.7\n', ['2 unknown-instruction']],
  ['prose below SYSTEM', 'FROM a\nSYSTEM You are kind.\nYou never lie.\n\nYou are brief.\n', ['3 unknown-instruction']],
  ['a docstring', 'FROM a\nSYSTEM """Use:\ndef f():\n    """\n    Does it.\n    """\n"""\n', ['4 unknown-instruction']],
  ['an open SYSTEM', 'FROM a\nSYSTEM """You are kind.\nPARAMETER top_k 1\n', ['2 unclosed-quote']],
  ['an open stop', 'FROM a\nPARAMETER stop "Assistant:\n\nPARAMETER seed 0\n', ['2 unclosed-quote']],
  ['a fence', '```\nFROM a\nSYSTEM hi\n```\n', ['1 unknown-instruction']],
  ['a no-break space', 'FROM\u00a0a\nSYSTEM hi\n', ['1 unknown-instruction']],
  ['a misspelt instruction', 'FROM a\nSYSTM hi\n', ['2 unknown-instruction']],
  ['a Dockerfile', 'FROM a\nRUN apt-get update\n', ['2 unknown-instruction']],
  ['a role with a capital', 'FROM a\nMESSAGE User hi\nMESSAGE assistant ho\n', ['2 message-role']],
  ['JSON', '{"model": "a", "system": "b"}\n', ['1 unknown-instruction']],
  ['YAML', 'model: a\n# kind\nsystem: |\n  You are kind.\nparameters:\n  top_k: 1\n', ['1 unknown-instruction']],
  ['no FROM', 'SYSTEM hi\n', ['1 no-from']],
  ['an empty SYSTEM', 'FROM a\nSYSTEM ""\n', ['2 system-empty']],
  ['two SYSTEMs', 'FROM a\nSYSTEM hi\nSYSTEM ho\n', ['2 system-duplicate']],
  ['quotes that go', 'FROM a\nSYSTEM "yes" and "no"\n', ['2 quotes-dropped']],
  ['quotes that stay', "FROM a\nSYSTEM 'You are kind.'\n", ['2 single-quotes']],
  ['a comment behind a name', 'FROM llama3.2 # small\n', ['1 comment-in-value']],
  ['a placeholder for FROM', 'FROM <model>\n', ['1 from-invalid-name']],
  ['a variable for FROM', 'FROM ${BASE_MODEL}\n', ['1 from-invalid-name']],
  ['a home by variable', 'FROM $HOME/models/a.gguf\n', ['1 from-missing-path']],
  [
    'a blob',
    '# FROM llama3.2:3b\nFROM /home/u/.ollama/models/blobs/sha256-dde5aa3fc5ffc17176b5e8bdc82f587b24b2678c6c66101bf7da77af9f7ccdff\n',
    ['2 from-missing-path'],
  ],
  ['a web address', 'FROM https://huggingface.co/a/b-GGUF/resolve/main/b.Q4_K_M.gguf\n', ['1 from-web-address']],
  ['a web page of the library', 'FROM https://ollama.com/library/llama3.2\n', ['1 from-web-address']],
  [
    'two files that are elsewhere',
    'FROM ./a.gguf\nFROM ./mmproj.gguf\n',
    ['1 from-missing-path', '2 from-missing-path'],
  ],
  ['a misspelt renderer', 'FROM qwen3\nRENDERER qwen3coder\nPARSER qwen3-coder\n', ['2 unknown-renderer']],
  ['a user who speaks last', 'FROM a\nMESSAGE user hi\n', ['2 message-order']],
];

/** All of them. */
export const MODELFILE_CORPUS: readonly CorpusFile[] = [
  ...sound(),
  ...[...TEMPLATES, ...LINES].map(([name, text, wanted]) => ({ name, text, wanted })),
];
