import type { DiagnosticCode } from '../../src/core/modelfile/diagnosticCodes';

/** Modelfiles with a finding and without it; `files` says what lies beside them, where that is what it is about. */
export interface DiagnosticExample {
  readonly before: string;
  readonly after: string;
  readonly files?: string;
}

const Q = '"""';
const CHATML =
  '{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n';
const WHOLE = `TEMPLATE ${Q}${CHATML}{{ .Response }}<|im_end|>\n${Q}\nPARAMETER stop "<|im_end|>"`;
const LOOP = '{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}';

/** `from a` stands for any base. */
const of = (
  before: string,
  after: string,
  more: Omit<DiagnosticExample, 'before' | 'after'> = {},
): DiagnosticExample => ({
  before: `FROM llama3.2\n${before}`,
  after: `FROM llama3.2\n${after}`,
  ...more,
});
const files = (lies: string, before: string, after: string): DiagnosticExample => ({ before, after, files: lies });

export const DIAGNOSTIC_EXAMPLES: Readonly<Partial<Record<DiagnosticCode, DiagnosticExample>>> = {
  'modelfile/unknown-instruction': of('SYSTEM You are kind.\nBe brief.', `SYSTEM ${Q}You are kind.\nBe brief.${Q}`),
  'modelfile/missing-value': of('SYSTEM\nYou are kind.', `SYSTEM ${Q}\nYou are kind.${Q}`),
  'modelfile/parameter-name': of('PARAMETER top-p 0.9', 'PARAMETER top_p 0.9'),
  'modelfile/message-role': of('MESSAGE User hi', 'MESSAGE user hi\nMESSAGE assistant hello'),
  'modelfile/unclosed-quote': of(`SYSTEM ${Q}You are kind.`, `SYSTEM ${Q}You are kind.${Q}`),
  'modelfile/no-from': { before: 'SYSTEM You are kind.', after: 'FROM llama3.2\nSYSTEM You are kind.' },
  'modelfile/extra-space': of('PARAMETER  top_k 40', 'PARAMETER top_k 40'),
  'modelfile/unknown-parameter': of('PARAMETER max_tokens 512', 'PARAMETER num_predict 512'),
  'modelfile/removed-parameter': of('PARAMETER tfs_z 1', 'PARAMETER min_p 0.05'),
  'modelfile/parameter-value': of('PARAMETER temperature 0.7 # warm', '# warm\nPARAMETER temperature 0.7'),
  'modelfile/requires-version': of('REQUIRES >=0.14', 'REQUIRES 0.14'),
  'modelfile/template-syntax': of(`TEMPLATE ${Q}{{ if .System }}{{ .System }}${Q}`, WHOLE),
  'modelfile/template-panics': of(
    `TEMPLATE ${Q}{{ .System }}{{ .Prompt }}|{{ if .Response }}{{ .Response }}{{ else }}x{{ end }}${Q}`,
    WHOLE,
  ),
  'modelfile/gone-parameter': of('PARAMETER typical_p 0.9', 'PARAMETER min_p 0.05'),
  'modelfile/from-needs-mlx': files(
    './base is a folder with safetensors',
    'FROM ./base',
    '# after: modelfile-studio build --base ./base --type Q4_K_M --out model.gguf\nFROM ./model.gguf',
  ),
  'modelfile/from-pattern': { before: 'FROM ./model[1.gguf', after: 'FROM ./model-1.gguf' },
  'modelfile/adapter-gone': files(
    './base with the adapter ./lora, for Ollama 0.34.1 or newer',
    'FROM ./base\nADAPTER ./lora',
    '# after: modelfile-studio build --base ./base --adapter ./lora --type Q4_K_M --out model.gguf\nFROM ./model.gguf',
  ),
  'modelfile/adapter-ending': files(
    './base with the adapter ./lora, for Ollama 0.34.0 or older',
    'FROM ./base\nADAPTER ./lora',
    '# after: modelfile-studio build --base ./base --adapter ./lora --type Q4_K_M --out model.gguf\nFROM ./model.gguf',
  ),
  'modelfile/deprecated-parameter': of('PARAMETER mirostat 2', 'PARAMETER temperature 0.7'),
  'modelfile/parameter-range': of('PARAMETER top_p 1.5', 'PARAMETER top_p 0.95'),
  'modelfile/duplicate-parameter': of('PARAMETER seed 1\nPARAMETER seed 2', 'PARAMETER seed 2'),
  'modelfile/duplicate-stop': of('PARAMETER stop "</s>"\nPARAMETER stop "</s>"', 'PARAMETER stop "</s>"'),
  'modelfile/num-ctx-above-model': files(
    'model.gguf was made for 8192 tokens',
    'FROM ./model.gguf\nPARAMETER num_ctx 32768',
    'FROM ./model.gguf\nPARAMETER num_ctx 8192',
  ),
  'modelfile/parameter-is-instruction': of('PARAMETER system Be kind.', 'SYSTEM Be kind.'),
  'modelfile/stop-never-matches': of(
    'PARAMETER stop ["<|im_end|>", "</s>"] # ends',
    '# ends\nPARAMETER stop "<|im_end|>"\nPARAMETER stop "</s>"',
  ),
  'modelfile/stop-unknown-token': files(
    'qwen.gguf ends turns with <|im_end|>',
    'FROM ./qwen.gguf\nPARAMETER stop "<|eot_id|>"',
    'FROM ./qwen.gguf\nPARAMETER stop "<|im_end|>"',
  ),
  'modelfile/from-missing-path': files('model.gguf', 'FROM ./modle.gguf', 'FROM ./model.gguf'),
  'modelfile/from-invalid-name': { before: 'FROM llama3.1 8b', after: 'FROM llama3.1:8b' },
  'modelfile/from-web-address': {
    before: 'FROM https://huggingface.co/acme/Tiny-GGUF/resolve/main/tiny.Q4_K_M.gguf',
    after: 'FROM hf.co/acme/Tiny-GGUF:tiny.Q4_K_M.gguf',
  },
  'modelfile/from-not-installed': files('an Ollama with llama3.2:latest', 'FROM lama3.2', 'FROM llama3.2'),
  'modelfile/from-shadowed': files('an empty folder llama3', 'FROM llama3', 'FROM llama3:latest'),
  'modelfile/from-empty': { before: 'FROM \nSYSTEM hi', after: 'FROM .\nSYSTEM hi' },
  'modelfile/from-weights-file': files(
    'model/ with config.json and model.safetensors',
    'FROM ./model/model.safetensors',
    'FROM ./model',
  ),
  'modelfile/from-lfs-pointer': files(
    'model.gguf, of 134 bytes',
    'FROM ./model.gguf',
    '# after: git lfs pull\nFROM ./model.gguf',
  ),
  'modelfile/from-no-weights': files('model/ with notes.bin only', 'FROM ./model', 'FROM ./model-with-weights'),
  'modelfile/from-no-config': files(
    'model/ with model.safetensors only',
    'FROM ./model',
    '# with the config.json of the original model\nFROM ./model',
  ),
  'modelfile/from-no-architecture': files(
    'config.json without architectures',
    'FROM ./model',
    '# with the config.json of the original model\nFROM ./model',
  ),
  'modelfile/from-folder-refused': files(
    'a .json that is no text',
    'FROM ./model',
    '# without that file\nFROM ./model',
  ),
  'modelfile/from-quantised-folder': files('weights packed by bitsandbytes', 'FROM ./model-4bit', 'FROM ./model-bf16'),
  'modelfile/from-is-adapter': files(
    'lora/ with adapter_config.json',
    'FROM ./lora',
    '# after: modelfile-studio build --base ./base --adapter ./lora --type Q4_K_M --out model.gguf\nFROM ./model.gguf',
  ),
  'modelfile/from-pickle': files(
    'pytorch_model.bin',
    'FROM ./model',
    '# saved as safetensors\nFROM ./model-safetensors',
  ),
  'modelfile/from-outside-link': files(
    'a snapshot of the Hugging Face cache',
    'FROM ./snapshots/1a2b3c',
    '# after: hf download acme/tiny --local-dir tiny\nFROM ./tiny',
  ),
  'modelfile/from-unsupported-architecture': files(
    'config.json with Qwen3ForCausalLM',
    'FROM ./qwen3',
    '# after: modelfile-studio build --base ./qwen3 --type Q4_K_M --out qwen3.gguf\nFROM ./qwen3.gguf',
  ),
  'modelfile/from-name-and-file': files('model.gguf', 'FROM llama3.2\nFROM ./model.gguf', 'FROM ./model.gguf'),
  'modelfile/from-several-names': { before: 'FROM llama3.2\nFROM qwen3', after: 'FROM qwen3' },
  'modelfile/gguf-truncated': files(
    'a download that was cut short',
    'FROM ./model.gguf',
    '# fetched again\nFROM ./model.gguf',
  ),
  'modelfile/gguf-invalid': files(
    'a text called model.gguf',
    'FROM ./model.gguf',
    '# fetched again\nFROM ./model.gguf',
  ),
  'modelfile/gguf-split': files(
    'two parts of one model',
    'FROM ./m-00001-of-00002.gguf',
    'FROM ./m-00001-of-00002.gguf\nFROM ./m-00002-of-00002.gguf',
  ),
  'modelfile/gguf-is-adapter': files(
    'lora.gguf',
    'FROM ./lora.gguf',
    '# after: modelfile-studio build --base ./base --adapter ./lora.gguf --type Q4_K_M --out model.gguf\nFROM ./model.gguf',
  ),
  'modelfile/gguf-is-projector': files(
    'mmproj.gguf and model.gguf',
    'FROM ./mmproj.gguf',
    'FROM ./model.gguf\nFROM ./mmproj.gguf',
  ),
  'modelfile/file-is-remote': { before: 'FROM \\\\server\\share\\model.gguf', after: 'FROM ./model.gguf' },
  'modelfile/adapter-missing': files(
    'model.gguf',
    'FROM ./model.gguf\nADAPTER ./lroa.gguf',
    'FROM ./model.gguf\nADAPTER ./lora.gguf',
  ),
  'modelfile/adapter-directory': files('lora/ of PEFT', 'FROM llama3.2\nADAPTER ./lora', 'FROM ./fused.gguf'),
  'modelfile/adapter-architecture': files('lora/ for a Qwen', 'FROM ./qwen\nADAPTER ./lora', 'FROM ./fused.gguf'),
  'modelfile/adapter-scale-lost': files('adapters/ of mlx-lm', 'FROM ./llama\nADAPTER ./adapters', 'FROM ./fused.gguf'),
  'modelfile/adapter-attention-scrambled': files(
    'lora/ with q_proj and k_proj',
    'FROM ./llama\nADAPTER ./lora',
    'FROM ./fused.gguf',
  ),
  'modelfile/adapter-dora': files('a DoRA', 'FROM ./llama\nADAPTER ./dora', 'FROM ./fused.gguf'),
  'modelfile/adapter-full': files('a full fine-tune', 'FROM ./llama\nADAPTER ./full', 'FROM ./fused.gguf'),
  'modelfile/adapter-base-mismatch': files(
    'a LoRA of another size',
    'FROM ./llama-1b\nADAPTER ./lora-8b.gguf',
    'FROM ./llama-8b\nADAPTER ./lora-8b.gguf',
  ),
  'modelfile/adapter-base-name': files(
    'a LoRA of Llama-3.1-8B',
    'FROM llama3:8b\nADAPTER ./lora.gguf',
    'FROM llama3.1:8b\nADAPTER ./lora.gguf',
  ),
  'modelfile/adapter-refused': files(
    'a LoRA without one of its factors',
    'FROM ./llama\nADAPTER ./lora',
    '# saved anew by the trainer\nFROM ./llama\nADAPTER ./lora',
  ),
  'modelfile/adapter-not-adapter': files(
    'model.gguf, a whole model',
    'FROM ./llama\nADAPTER ./model.gguf',
    'FROM ./model.gguf',
  ),
  'modelfile/several-adapters': of('ADAPTER ./a.gguf\nADAPTER ./b.gguf', 'ADAPTER ./b.gguf'),
  'modelfile/draft-not-model': files(
    'notes.txt',
    'FROM ./model.gguf\nDRAFT ./notes.txt',
    'FROM ./model.gguf\nDRAFT ./small.gguf',
  ),
  'modelfile/draft-same-as-from': files(
    'model.gguf',
    'FROM ./model.gguf\nDRAFT ./model.gguf',
    'FROM ./model.gguf\nDRAFT ./small.gguf',
  ),
  'modelfile/draft-parameter-without-draft': of(
    'PARAMETER draft_num_predict 4',
    'DRAFT ./small.gguf\nPARAMETER draft_num_predict 4',
  ),
  'modelfile/template-dead': of(
    `RENDERER qwen3-coder\nPARSER qwen3-coder\nTEMPLATE ${Q}${LOOP}${Q}`,
    'RENDERER qwen3-coder\nPARSER qwen3-coder',
  ),
  'modelfile/template-overridden': of(`TEMPLATE {{ .Prompt }}\n${WHOLE}`, WHOLE),
  'modelfile/template-syntax-unused': of(`TEMPLATE {{ if }}\n${WHOLE}`, WHOLE),
  'modelfile/template-is-jinja': of(`TEMPLATE ${Q}{% for m in messages %}{{ .Prompt }}{% endfor %}${Q}`, WHOLE),
  'modelfile/template-empty': of('TEMPLATE ""', WHOLE),
  'modelfile/template-no-turn-end': of(`TEMPLATE ${Q}${CHATML}${Q}\nPARAMETER stop "<|im_end|>"`, WHOLE),
  'modelfile/template-no-stop': files(
    'model.gguf',
    `FROM ./model.gguf\n${WHOLE.replace(/\nPARAMETER.*$/, '')}`,
    `FROM ./model.gguf\n${WHOLE}`,
  ),
  'modelfile/template-unknown-field': of(
    `TEMPLATE ${Q}{{ if .First }}{{ .System }}{{ end }}USER: {{ .Prompt }}\nASSISTANT: {{ .Response }}</s>${Q}`,
    `TEMPLATE ${Q}{{ if .System }}{{ .System }}{{ end }}USER: {{ .Prompt }}\nASSISTANT: {{ .Response }}</s>${Q}`,
  ),
  'modelfile/template-ignores-system': of(
    `TEMPLATE ${Q}[INST] {{ .Prompt }} [/INST]{{ .Response }}</s>${Q}\nSYSTEM Be kind.`,
    `TEMPLATE ${Q}[INST] {{ .System }} {{ .Prompt }} [/INST]{{ .Response }}</s>${Q}\nSYSTEM Be kind.`,
  ),
  'modelfile/template-system-twice': of(
    `TEMPLATE ${Q}<|im_start|>system\n{{ .System }}<|im_end|>\n${LOOP}<|im_start|>assistant\n${Q}`,
    `TEMPLATE ${Q}${LOOP}<|im_start|>assistant\n${Q}`,
  ),
  'modelfile/template-fails': of(
    `TEMPLATE ${Q}{{ range .Messages }}{{ .Text }}{{ end }}${Q}`,
    `TEMPLATE ${Q}${LOOP}<|im_start|>assistant\n${Q}`,
  ),
  'modelfile/template-missing': files(
    'model.gguf without a chat template',
    'FROM ./model.gguf',
    `FROM ./model.gguf\n${WHOLE}`,
  ),
  'modelfile/template-suspicious': of(
    `TEMPLATE ${Q}{{ .System }}{{ .Prompt }} see https://evil.example/x {{ .Response }}</s>${Q}`,
    WHOLE,
  ),
  'modelfile/unknown-renderer': of(
    'RENDERER qwen3coder\nPARSER qwen3-coder',
    'RENDERER qwen3-coder\nPARSER qwen3-coder',
  ),
  'modelfile/unknown-parser': of('RENDERER qwen3-coder\nPARSER qwen3coder', 'RENDERER qwen3-coder\nPARSER qwen3-coder'),
  'modelfile/parser-without-renderer': files(
    'model.gguf',
    'FROM ./model.gguf\nPARSER qwen3-coder',
    'FROM ./model.gguf\nRENDERER qwen3-coder\nPARSER qwen3-coder',
  ),
  'modelfile/duplicate-instruction': of(
    'RENDERER qwen3-coder\nRENDERER qwen3-coder\nPARSER qwen3-coder',
    'RENDERER qwen3-coder\nPARSER qwen3-coder',
  ),
  'modelfile/system-duplicate': of('SYSTEM Be kind.\nSYSTEM Be brief.', 'SYSTEM Be kind and brief.'),
  'modelfile/system-empty': of('SYSTEM ""', 'SYSTEM Be kind.'),
  'modelfile/context-overflow': files(
    'a SYSTEM of 6,000 words',
    'FROM llama3.2\nSYSTEM …',
    'FROM llama3.2\nPARAMETER num_ctx 16384\nSYSTEM …',
  ),
  'modelfile/message-order': of('MESSAGE user hi', 'MESSAGE user hi\nMESSAGE assistant hello'),
  'modelfile/message-empty': of('MESSAGE user hi\nMESSAGE assistant ""', 'MESSAGE user hi\nMESSAGE assistant hello'),
  'modelfile/quotes-dropped': of('SYSTEM "yes" and "no"', `SYSTEM ${Q}"yes" and "no"${Q}`),
  'modelfile/single-quotes': of("SYSTEM 'Be kind.'", 'SYSTEM "Be kind."'),
  'modelfile/swallowed-instruction': of(
    'SYSTEM "Be kind.\nPARAMETER stop "x"',
    'SYSTEM "Be kind."\nPARAMETER stop "x"',
  ),
  'modelfile/dropped-characters': of('SYSTEM Be\u00a0kind.', 'SYSTEM Be kind.'),
  'modelfile/comment-in-value': { before: 'FROM llama3.2 # small', after: '# small\nFROM llama3.2' },
  'modelfile/requires-too-low': of(
    'REQUIRES 0.10.0\nRENDERER qwen3-coder\nPARSER qwen3-coder',
    'REQUIRES 0.14.0\nRENDERER qwen3-coder\nPARSER qwen3-coder',
  ),
  'modelfile/requires-above-installed': files(
    'Ollama 0.14.0',
    'FROM llama3.2\nREQUIRES 0.30.0',
    '# with Ollama 0.30.0 or later\nFROM llama3.2\nREQUIRES 0.30.0',
  ),
  'modelfile/too-new': files(
    'Ollama 0.11.0',
    'FROM llama3.2\nRENDERER qwen3-coder',
    '# with Ollama 0.12.0 or later\nFROM llama3.2\nRENDERER qwen3-coder',
  ),
  'modelfile/unknown-ignore': of('# modelfile-studio: ignore top-p\nPARAMETER top_p 0.9', 'PARAMETER top_p 0.9'),
  'modelfile/large-file': files(
    'a Modelfile of 5 MiB',
    'FROM llama3.2\nSYSTEM …',
    'FROM llama3.2\nSYSTEM a shorter one',
  ),
  'modelfile/template-completion': of('TEMPLATE {{ .Prompt }}', WHOLE),
  'modelfile/template-no-answer-header': of(
    `TEMPLATE ${Q}${LOOP}${Q}`,
    `TEMPLATE ${Q}${LOOP}<|im_start|>assistant\n${Q}`,
  ),
  'modelfile/template-answer-closed': of(
    `TEMPLATE ${Q}${CHATML.trimEnd()}<|im_end|>\n{{ .Response }}<|im_end|>\n${Q}`,
    WHOLE,
  ),
  'modelfile/template-role-mismatch': of(
    `TEMPLATE ${Q}{{ range .Messages }}<start_of_turn>{{ .Role }}\n{{ .Content }}<end_of_turn>\n{{ end }}<start_of_turn>model\n${Q}`,
    `TEMPLATE ${Q}{{ range .Messages }}<start_of_turn>{{ if eq .Role "assistant" }}model{{ else }}{{ .Role }}{{ end }}\n{{ .Content }}<end_of_turn>\n{{ end }}<start_of_turn>model\n${Q}`,
  ),
  'modelfile/template-foreign-markers': files(
    'gemma.gguf ends turns with <end_of_turn>',
    `FROM ./gemma.gguf\n${WHOLE}`,
    'FROM ./gemma.gguf',
  ),
  'modelfile/template-differs': files(
    'llama.gguf with a chat template',
    `FROM ./llama.gguf\n${WHOLE}`,
    'FROM ./llama.gguf',
  ),
  'modelfile/stop-foreign': files(
    'model.gguf',
    `FROM ./model.gguf\n${WHOLE}\nPARAMETER stop "<end_of_turn>"`,
    `FROM ./model.gguf\n${WHOLE}`,
  ),
  'modelfile/system-markers': of(
    `SYSTEM ${Q}Be kind.\n<|im_start|>user\nhi<|im_end|>${Q}`,
    'SYSTEM Be kind.\nMESSAGE user hi\nMESSAGE assistant hello',
  ),
  'modelfile/literal-escape': of('SYSTEM "Be kind.\\nBe brief."', `SYSTEM ${Q}Be kind.\nBe brief.${Q}`),
  'modelfile/text-is-path': of('SYSTEM ./prompt.txt', `SYSTEM ${Q}what stands in prompt.txt${Q}`),
};
