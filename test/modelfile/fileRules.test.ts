import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { string, u32, strings, f32 } from '../../src/core/formats/gguf/ggufValue';
import type { GgufValue } from '../../src/core/formats/gguf/ggufTypes';
import { encodeGgufHeader } from '../../src/core/formats/gguf/writeGguf';
import { lintModelfile } from '../../src/core/modelfile/lintModelfile';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';
import { OllamaFacts } from '../../src/node/modelfile/ollamaFacts';
import { isUntouchable, NodeWorkspaceFacts } from '../../src/node/modelfile/workspaceFacts';

const fixtures = new URL('../fixtures/rugby/', import.meta.url).pathname;
const LLAMA_CONFIG = JSON.stringify({
  architectures: ['LlamaForCausalLM'],
  hidden_size: 64,
  max_position_embeddings: 2048,
});

/** A GGUF with these keys, one small tensor, and its data. */
function gguf(
  metadata: readonly (readonly [string, GgufValue])[],
  tensor = { name: 'token_embd.weight', shape: [32, 4] },
): Uint8Array {
  const { header, dataBytes } = encodeGgufHeader({ metadata, tensors: [{ ...tensor, type: 'F32' }] });
  return Uint8Array.from([...header, ...new Uint8Array(dataBytes)]);
}

const MODEL: readonly (readonly [string, GgufValue])[] = [
  ['general.architecture', string('llama')],
  ['general.type', string('model')],
  ['llama.context_length', u32(8192)],
  ['llama.embedding_length', u32(64)],
  ['general.file_type', u32(15)],
  ['tokenizer.ggml.tokens', strings(['a', '<|im_start|>', '<|im_end|>', '</s>'])],
  ['tokenizer.ggml.token_type', { type: 'array', elements: 'i32', value: [1, 3, 3, 3] }],
  ['tokenizer.ggml.eos_token_id', u32(2)],
];
const ADAPTER: readonly (readonly [string, GgufValue])[] = [
  ['general.architecture', string('qwen3')],
  ['general.type', string('adapter')],
  ['adapter.type', string('lora')],
  ['adapter.lora.alpha', f32(16)],
];
const CHATML =
  'TEMPLATE """{{ .System }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"""';

let folder = '';

function build(): void {
  const put = (path: string, content: string | Uint8Array): void => writeFileSync(join(folder, path), content);
  for (const name of ['base', 'lora', 'rslora', 'dora', 'mlx-lora', 'mlx-full']) {
    cpSync(join(fixtures, name), join(folder, name), { recursive: true });
  }
  for (const name of ['llama', 'linked', 'pickles', 'empty', 'noconfig', 'pointer', 'alias']) {
    mkdirSync(join(folder, name));
  }
  const weights = join(folder, 'base/model.safetensors');
  cpSync(weights, join(folder, 'llama/model.safetensors'));
  cpSync(weights, join(folder, 'noconfig/model.safetensors'));
  put('llama/config.json', LLAMA_CONFIG);
  put('linked/config.json', LLAMA_CONFIG);
  symlinkSync(weights, join(folder, 'linked/model.safetensors'));
  put('pickles/pytorch_model.bin', Uint8Array.of(0x50, 0x4b, 3, 4));
  put('pickles/config.json', LLAMA_CONFIG);
  put(
    'pointer/model.safetensors',
    'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n',
  );
  put('pointer/config.json', LLAMA_CONFIG);
  put('model.gguf', gguf(MODEL));
  put(
    'jinja.gguf',
    gguf([
      ...MODEL,
      [
        'tokenizer.chat_template',
        string(
          '{% for m in messages %}{{ tools }}{{ m.tool_calls }}{% if message.role == "tool" %}{% endif %}{% endfor %}',
        ),
      ],
    ]),
  );
  put(
    'gemma4.gguf',
    gguf([
      ['general.architecture', string('gemma4')],
      ['general.type', string('model')],
    ]),
  );
  put('cut.gguf', gguf(MODEL).subarray(0, -64));
  put('text.gguf', 'hello');
  put(
    'lfs.gguf',
    'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n',
  );
  put('adapter.gguf', gguf(ADAPTER, { name: 'blk.0.attn_q.weight.lora_a', shape: [64, 8] }));
  put(
    'part-00001-of-00003.gguf',
    gguf([...MODEL, ['split.no', { type: 'u16', value: 0 }], ['split.count', { type: 'u16', value: 3 }]]),
  );
  put('tuned', gguf(MODEL));
  brokenAdapters(put);
  foldersOfManyKinds(put);
}

/** Adapters that say one thing and hold another. */
function brokenAdapters(put: (path: string, content: string | Uint8Array) => void): void {
  const config = readFileSync(join(fixtures, 'lora/adapter_config.json'), 'utf8');
  for (const name of ['rank', 'bare', 'pickled']) {
    mkdirSync(join(folder, name));
    put(`${name}/adapter_config.json`, name === 'rank' ? config.replace('"r": 8', '"r": 4') : config);
  }
  cpSync(join(fixtures, 'lora/adapter_model.safetensors'), join(folder, 'rank/adapter_model.safetensors'));
  put('pickled/adapter_model.bin', Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0));
  const factors = (path: string, rank: number, width: number, rows: number, block = 0): void => {
    const name = `blk.${block}.attn_q.weight`;
    const { header, dataBytes } = encodeGgufHeader({
      metadata: [
        ['general.architecture', string('llama')],
        ['general.type', string('adapter')],
        ['adapter.type', string('lora')],
        ['adapter.lora.alpha', f32(16)],
      ],
      tensors: [
        { name: `${name}.lora_a`, shape: [width, 8], type: 'F32' },
        { name: `${name}.lora_b`, shape: [rank, rows], type: 'F32' },
      ],
    });
    put(path, Uint8Array.from([...header, ...new Uint8Array(dataBytes)]));
  };
  factors('good-lora.gguf', 8, 32, 32);
  factors('wide-lora.gguf', 8, 64, 32);
  factors('torn-lora.gguf', 4, 32, 32);
  factors('deep-lora.gguf', 8, 32, 32, 7);
  put(
    'blocks.gguf',
    gguf([...MODEL.slice(0, 3), ['tokenizer.chat_template', string('{{ messages }}')]], {
      name: 'blk.0.attn_q.weight',
      shape: [32, 32],
    }),
  );
}

function foldersOfManyKinds(put: (path: string, content: string | Uint8Array) => void): void {
  const weights = join(folder, 'base/model.safetensors');
  const folders: Record<string, Record<string, string>> = {
    classless: { 'config.json': '{"hidden_size": 64}' },
    mlx4: {
      'config.json': JSON.stringify({
        ...(JSON.parse(LLAMA_CONFIG) as object),
        quantization: { bits: 4, group_size: 64 },
      }),
    },
    bnb: {
      'config.json': JSON.stringify({
        ...(JSON.parse(LLAMA_CONFIG) as object),
        quantization_config: { quant_method: 'bitsandbytes' },
      }),
    },
    fp8: {
      'config.json': JSON.stringify({
        ...(JSON.parse(LLAMA_CONFIG) as object),
        quantization_config: { quant_method: 'fp8' },
      }),
      'tokenizer_config.json': '{"chat_template": "{{ messages }}"}',
    },
    binary: { 'config.json': '\u0000\u0001\u0002' },
    exotic: { 'config.json': '{"architectures": ["MambaForCausalLM"]}' },
    separate: { 'config.json': LLAMA_CONFIG, 'chat_template.jinja': '{{ messages }}' },
    gemma4: {
      'config.json': '{"architectures": ["Gemma4ForConditionalGeneration"]}',
      'tokenizer_config.json': '{"chat_template": "{{ messages }}"}',
    },
  };
  for (const [name, files] of Object.entries(folders)) {
    mkdirSync(join(folder, name));
    cpSync(weights, join(folder, name, 'model.safetensors'));
    Object.entries(files).forEach(([file, content]) => put(`${name}/${file}`, content));
  }
  for (const name of ['holds-gguf', 'holds-cut', 'holds-bin']) {
    mkdirSync(join(folder, name));
  }
  cpSync(join(folder, 'jinja.gguf'), join(folder, 'holds-gguf/model.gguf'));
  cpSync(join(folder, 'cut.gguf'), join(folder, 'holds-cut/model.gguf'));
  put('holds-bin/training_args.bin', Uint8Array.of(1, 2, 3, 0));
  put(
    'mmproj.gguf',
    gguf([
      ['general.architecture', string('clip')],
      ['general.type', string('mmproj')],
    ]),
  );
}

/** An Ollama that still takes adapters and folders: what it says of them is what most of these rules are about. */
const ADAPTERS_AND_FOLDERS = '0.32.15';

async function found(
  text: string,
  options: { readonly ollama?: OllamaFacts; readonly ollamaVersion?: string; readonly isTrusted?: boolean } = {},
): Promise<string[]> {
  const facts = new NodeWorkspaceFacts({
    directory: folder,
    isTrusted: options.isTrusted ?? true,
    ollama: options.ollama,
    ollamaVersion:
      options.ollama === undefined ? (options.ollamaVersion ?? ADAPTERS_AND_FOLDERS) : options.ollamaVersion,
  });
  const parsed = parseModelfile(text);
  // That every ADAPTER is only for a time has a test of its own.
  const findings = (await lintModelfile(parsed, { facts })).filter(({ code }) => code !== 'modelfile/adapter-ending');
  return findings.map(
    ({ code, span }) => `${code.replace('modelfile/', '')}: ${parsed.text.slice(span.start, span.end)}`,
  );
}

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'modelfile-files-')));
  build();
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('FROM', () => {
  it.each([
    ['FROM ./nothing.gguf', ['from-missing-path: ./nothing.gguf']],
    ['FROM my model', ['from-invalid-name: my model']],
    ['FROM ./base/model.safetensors', ['from-weights-file: ./base/model.safetensors']],
    ['FROM ./base', ['from-unsupported-architecture: ./base']],
    ['FROM ./llama', ['template-missing: ./llama']],
    ['FROM ./linked', ['from-outside-link: ./linked']],
    ['FROM pickles', ['from-pickle: pickles']],
    ['FROM empty', ['from-shadowed: empty']],
    ['FROM lora', ['from-is-adapter: lora']],
    ['FROM noconfig', ['from-no-config: noconfig']],
    ['FROM pointer', ['from-lfs-pointer: pointer']],
    ['FROM lfs.gguf', ['from-lfs-pointer: lfs.gguf']],
    ['FROM cut.gguf', ['gguf-truncated: cut.gguf']],
    ['FROM text.gguf', ['gguf-invalid: text.gguf']],
    ['FROM adapter.gguf', ['gguf-is-adapter: adapter.gguf']],
    [`FROM part-00001-of-00003.gguf\n${CHATML}`, ['gguf-split: part-00001-of-00003.gguf']],
    ['FROM model.gguf', ['template-missing: model.gguf']],
    ['FROM jinja.gguf', []],
    ['FROM llama3.2\nFROM jinja.gguf', ['from-name-and-file: jinja.gguf']],
    ['FROM llama3.2\nFROM qwen3', ['from-several-names: llama3.2']],
    ['FROM jinja.gguf\nPARAMETER num_ctx 16384', ['num-ctx-above-model: 16384']],
    ['FROM classless', ['from-no-architecture: classless']],
    ['FROM mlx4', ['from-quantised-folder: mlx4']],
    ['FROM bnb', ['from-quantised-folder: bnb']],
    ['FROM fp8', []],
    ['FROM binary', ['from-folder-refused: binary']],
    ['FROM exotic', ['from-unsupported-architecture: exotic']],
    ['FROM separate', ['template-missing: separate']],
    ['FROM holds-gguf', []],
    ['FROM holds-cut', ['gguf-truncated: holds-cut']],
    ['FROM holds-bin', ['from-no-weights: holds-bin']],
    ['FROM mmproj.gguf', ['gguf-is-projector: mmproj.gguf']],
    ['FROM jinja.gguf\nFROM mmproj.gguf', []],
    ['FROM \\\\server\\share\\x.gguf', ['file-is-remote: \\\\server\\share\\x.gguf']],
  ])('case %#', async (text, codes) => {
    expect(await found(text)).toEqual(codes);
  });

  it('is not looked at in an untrusted workspace', async () => {
    expect(await found('FROM ./nothing.gguf\nADAPTER ./nothing', { isTrusted: false })).toEqual([]);
  });
});

describe('paths that are never touched', () => {
  it.each([
    '\\\\host\\share',
    '//host/share',
    '\\\\?\\C:\\x',
    '\\\\.\\pipe\\x',
    'http://x/y',
    'file:///x',
    '/dev/zero',
    '/proc/self/mem',
    'CON',
    'models/NUL',
    'lpt1.txt',
  ])('%s', (path) => {
    expect(isUntouchable(path)).toBe(true);
  });
  it.each(['a', './a', '/a/b', 'C:\\a', '~/x', 'console', 'hf.co/a/b:Q4', 'llama3:8b'])('but %s is', (path) => {
    expect(isUntouchable(path)).toBe(false);
  });
});

describe('ADAPTER and DRAFT', () => {
  it.each([
    ['ADAPTER ./none', ['adapter-missing: ./none']],
    [
      'ADAPTER ./lora',
      ['adapter-directory: ./lora', 'adapter-attention-scrambled: ./lora', 'adapter-base-mismatch: ./lora'],
    ],
    ['ADAPTER adapter.gguf', ['adapter-base-mismatch: adapter.gguf', 'adapter-base-mismatch: adapter.gguf']],
    ['ADAPTER model.gguf', ['adapter-not-adapter: model.gguf']],
    ['ADAPTER base/model.safetensors', ['adapter-not-adapter: base/model.safetensors']],
    ['ADAPTER ./bare', ['adapter-refused: ./bare']],
    ['ADAPTER ./pickled', ['adapter-refused: ./pickled']],
    [
      'ADAPTER ./rank',
      [
        'adapter-refused: ./rank',
        'adapter-refused: ./rank',
        'adapter-directory: ./rank',
        'adapter-attention-scrambled: ./rank',
        'adapter-base-mismatch: ./rank',
      ],
    ],
    ['DRAFT ./lora', ['draft-not-model: ./lora']],
    ['DRAFT ./empty', ['from-no-weights: ./empty']],
    ['DRAFT text.gguf', ['gguf-invalid: text.gguf']],
    ['DRAFT pickles/pytorch_model.bin', ['from-pickle: pickles/pytorch_model.bin']],
    ['DRAFT pickles', ['from-pickle: pickles']],
    ['DRAFT model.gguf', []],
    ['DRAFT ./none', ['adapter-missing: ./none']],
    ['DRAFT ./jinja.gguf', ['draft-same-as-from: ./jinja.gguf']],
  ])('on a llama base, case %#', async (line, codes) => {
    expect(await found(`FROM jinja.gguf\n${line}\n`)).toEqual(codes);
  });

  it.each([
    ['good-lora.gguf', []],
    ['wide-lora.gguf', ['adapter-base-mismatch: wide-lora.gguf']],
    ['torn-lora.gguf', ['adapter-base-mismatch: torn-lora.gguf']],
    ['deep-lora.gguf', ['adapter-base-mismatch: deep-lora.gguf']],
  ])('GGUF to GGUF, %s', async (name, codes) => {
    expect(await found(`FROM blocks.gguf\nADAPTER ${name}\n`)).toEqual(codes);
  });

  it('adapters in older versions went through the command line', async () => {
    expect(await found('FROM jinja.gguf\nADAPTER ./lora\n', { ollamaVersion: '0.12.0' })).not.toContain(
      'adapter-directory: ./lora',
    );
  });

  it('a GGUF against the folder of its base', async () => {
    expect(await found('FROM ./base\nADAPTER good-lora.gguf\n')).toEqual([
      'from-unsupported-architecture: ./base',
      'adapter-base-mismatch: good-lora.gguf',
      'adapter-base-mismatch: good-lora.gguf',
    ]);
  });

  it.each([
    ['0.31.0', 'adapter-ending', ['from-unsupported-architecture: ./base']],
    ['0.34.0', 'adapter-ending', ['from-unsupported-architecture: ./base']],
    ['0.34.4', 'adapter-gone', ['from-needs-mlx: ./base']],
    [undefined, 'adapter-gone', ['from-needs-mlx: ./base']],
  ])('are judged for the Ollama that counts: %s', async (ollamaVersion, adapter, folders) => {
    const facts = new NodeWorkspaceFacts({ directory: folder, isTrusted: true, ollamaVersion });
    const parsed = parseModelfile('FROM ./base\nADAPTER ./lora\n');
    const findings = await lintModelfile(parsed, { facts });
    const texts = findings.map(
      ({ code, span }) => `${code.replace('modelfile/', '')}: ${parsed.text.slice(span.start, span.end)}`,
    );
    expect(texts).toEqual(expect.arrayContaining(folders));
    expect(findings.map(({ code }) => code)).toContain(`modelfile/${adapter}`);
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  it('name the route that works, with the adapter of the file', async () => {
    const lint = async (text: string): Promise<string> =>
      (
        await lintModelfile(parseModelfile(text), {
          facts: new NodeWorkspaceFacts({ directory: folder, isTrusted: true, ollamaVersion: ADAPTERS_AND_FOLDERS }),
        })
      )[0]?.message ?? '';
    expect(await lint('FROM ./base\nADAPTER ./lora\n')).toContain(
      'modelfile-studio build --base ./base --adapter ./lora --type Q4_K_M --out model.gguf',
    );
    expect(await lint('FROM exotic\n')).toContain('convert_hf_to_gguf.py exotic');
  });

  it.each([
    ['rslora', 'adapter-scale-lost'],
    ['mlx-lora', 'adapter-scale-lost'],
    ['dora', 'adapter-dora'],
    ['mlx-full', 'adapter-full'],
    ['lora', 'adapter-architecture'],
  ])('%s on the base it was trained on gives %s', async (name, code) => {
    const codes = await found(`FROM ./base\nADAPTER ./${name}\n`);
    expect(codes).toContain(`${code}: ./${name}`);
    expect(codes.some((text) => text.startsWith('adapter-base-mismatch'))).toBe(false);
  });
});

describe('TEMPLATE and stop texts against the model', () => {
  it.each([
    [`FROM model.gguf\n${CHATML}`, []],
    [
      'FROM model.gguf\nTEMPLATE """{{ .System }}{{ .Prompt }}|{{ .Response }}<|eot_id|>"""',
      ['template-foreign-markers: TEMPLATE'],
    ],
    [
      'FROM model.gguf\nTEMPLATE """{{ .System }}{{ .Prompt }}|{{ .Response }}<|done|>"""',
      ['template-no-stop: TEMPLATE'],
    ],
    ['FROM model.gguf\nTEMPLATE """{{ .System }}{{ .Prompt }}|{{ .Response }}<|done|>"""\nPARAMETER stop <|done|>', []],
    [`FROM model.gguf\n${CHATML}\nPARAMETER stop <|eot_id|>`, ['stop-unknown-token: <|eot_id|>']],
    [`FROM jinja.gguf\n${CHATML}`, ['template-dead: TEMPLATE']],
    [`FROM gemma4.gguf\n${CHATML}`, ['template-dead: TEMPLATE']],
    [`FROM ./gemma4\n${CHATML}`, ['template-dead: TEMPLATE']],
    ['FROM model.gguf\nPARSER qwen3-coder', ['parser-without-renderer: PARSER qwen3-coder']],
  ])('case %#', async (text, codes) => {
    expect(await found(text)).toEqual(codes);
  });
});

describe('an installed Ollama', () => {
  let server: Server;
  let ollama: OllamaFacts;
  const asked: string[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(request.url ?? '');
      const answers: Record<string, unknown> = {
        '/api/version': { version: '0.13.0' },
        '/api/tags': { models: [{ name: 'tuned:latest' }, { name: 'llama3.2:latest', size: 1234 }] },
        '/api/show': {
          modelfile: 'FROM /blob\nPARAMETER stop <|eot_id|>\nPARAMETER num_ctx 2048\n',
          template: '{{ .Prompt }}',
          renderer: 'qwen3-coder',
          details: { quantization_level: 'Q4_K_M' },
          model_info: { 'general.architecture': 'llama', 'llama.context_length': 4096 },
        },
      };
      response.end(JSON.stringify(answers[request.url ?? ''] ?? {}));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ollama = new OllamaFacts(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterAll(() => server.close());

  it.each([
    ['FROM llama3.1', ['from-not-installed: llama3.1']],
    ['FROM llama3.2', []],
    ['FROM tuned', ['from-shadowed: tuned', 'template-missing: tuned']],
    ['FROM llama3.2\nPARAMETER num_ctx 8192', ['num-ctx-above-model: 8192']],
    [`FROM llama3.2\n${CHATML}`, ['template-dead: TEMPLATE']],
    [
      'FROM llama3.2\nRENDERER olmo3-think\nPARSER olmo3\nREQUIRES 0.14.0',
      ['too-new: olmo3-think', 'too-new: olmo3', 'too-new: REQUIRES', 'requires-above-installed: 0.14.0'],
    ],
  ])('case %#', async (text, codes) => {
    expect(await found(text, { ollama })).toEqual(codes);
  });

  it('answers the next request, too, when the one that asked was given up', async () => {
    const own = new OllamaFacts(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const controller = new AbortController();
    const first = own.version(controller.signal);
    controller.abort();
    await expect(first).rejects.toThrow();
    expect(await own.version()).toBe('0.13.0');
    const facts = new NodeWorkspaceFacts({ directory: folder, isTrusted: true });
    const again = new AbortController();
    const lost = facts.path('./llama', again.signal);
    again.abort();
    await expect(lost).rejects.toThrow();
    expect(await facts.path('./llama')).toMatchObject({
      kind: 'model-folder',
      model: { architecture: 'LlamaForCausalLM' },
    });
  });

  it('gives num_ctx and size of the base', async () => {
    expect(await found(`FROM llama3.2\nSYSTEM """${'word and word '.repeat(1100)}"""`, { ollama })).toEqual([
      'context-overflow: SYSTEM',
    ]);
    expect(await ollama.model('llama3.2:latest')).toMatchObject({ numCtx: 2048, bytes: 1234 });
  });

  it('is not asked in an untrusted workspace', async () => {
    asked.length = 0;
    const silent = new OllamaFacts(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await found('FROM llama3.1', { ollama: silent, isTrusted: false });
    expect(asked).toEqual([]);
  });

  it('that does not answer makes no difference', async () => {
    expect(await found('FROM llama3.1', { ollama: new OllamaFacts('http://127.0.0.1:9') })).toEqual([]);
  });

  it('gives way to a configured version', async () => {
    expect(await found('FROM llama3.2\nDRAFT model.gguf', { ollamaVersion: '0.20.0' })).toEqual(['too-new: DRAFT']);
  });
});
