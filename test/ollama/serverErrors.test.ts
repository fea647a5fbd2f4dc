import { describe, expect, it } from 'vitest';
import { serverError } from '../../src/core/ollama/serverErrors';

const refused = (text: string, status = 400): ReturnType<typeof serverError> =>
  serverError({ status, text, what: 'create' });

/** Ollama's own words since 0.33, from its sources, with what they are about. */
const TEXTS: readonly (readonly [text: string, code: string, instruction?: string])[] = [
  ['LoRA adapters are no longer supported', 'ollama/adapter', 'ADAPTER'],
  ['invalid GGUF: lora.gguf is a LoRA adapter', 'ollama/adapter', 'ADAPTER'],
  [
    'create-time quantization is only supported for safetensors imports; quantize GGUF models with llama.cpp tools before importing',
    'ollama/quantise',
  ],
  [
    'draft quantization during create is only supported for safetensors imports; quantize GGUF draft models before importing',
    'ollama/draft',
    'DRAFT',
  ],
  [
    'unsupported draft quantize type "Q4_K_M": supported types are int4, int8, nvfp4, mxfp4, mxfp8',
    'ollama/draft',
    'DRAFT',
  ],
  ['typical_p is no longer supported', 'ollama/server', 'PARAMETER'],
  ['unsupported MLX architecture: model "Qwen2ForCausalLM"', 'ollama/architecture', 'FROM'],
  ['MLX runtime is not available', 'ollama/architecture', 'FROM'],
  ['safetensors imports require exactly one FROM source', 'ollama/file', 'FROM'],
  ['safetensors imports do not support FROM model overlays', 'ollama/file', 'FROM'],
  ['DRAFT model references must be local safetensors directories for safetensors create: x', 'ollama/draft', 'DRAFT'],
  ['mixed model file types: found both GGUF and safetensors inputs', 'ollama/file', 'FROM'],
  ['invalid split GGUF: split GGUF "a-00002-of-00003.gguf" is missing first shard', 'ollama/file', 'FROM'],
  ['invalid split GGUF: split GGUF has 2 remaining shards, expected 3', 'ollama/file', 'FROM'],
  ['too many files: 1025 exceeds maximum 1024', 'ollama/file', 'FROM'],
  ['model.gguf changed during create: expected digest sha256:a, got sha256:b', 'ollama/digest'],
  ['license must be a string or a list of strings', 'ollama/server', 'LICENSE'],
  ['invalid requires version: "x" is not valid semantic version', 'ollama/server', 'REQUIRES'],
  ['syntax error in pattern', 'ollama/file', 'FROM'],
  ['unsupported tensor "blk.0.attn_q.weight": offset+size exceeds file size', 'ollama/file', 'FROM'],
  ['tensor "x" element count overflows', 'ollama/file', 'FROM'],
  ['stat /models/manifests/unfinished: no such file', 'ollama/lost'],
];

describe('what servers say since 0.33', () => {
  it.each(TEXTS.map(([text, code, instruction]) => [text, code, instruction] as const))(
    '%s',
    (text, code, instruction) => {
      const error = refused(text);
      expect(error.code).toBe(code);
      expect(error.detail?.['instruction']).toBe(instruction);
      // The server's words, and after them what to do.
      expect(error.message).toContain(text);
      expect(error.message.length).toBeGreaterThan(text.length + 40);
      expect(error.message).not.toContain('log says more');
    },
  );

  it('names the log only where the server wrote something into it', () => {
    expect(refused('something new', 400).message).not.toContain('log says more');
    expect(refused('something new', 500).message).toContain('log says more');
  });
});
