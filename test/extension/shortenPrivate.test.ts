import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { shortenPrivate } from '../../src/extension/shortenPrivate';

describe('a text for a public report', () => {
  it('holds no name of a person, a project or a model, and no secret', () => {
    const text = [
      `${homedir()}/clients/acme-bank/runs/secret-plan/checkpoint-180/adapter_model.safetensors is truncated`,
      'C:\\Users\\jane.doe\\acme-bank\\model.Q4_K_M.gguf',
      'Create acme-bank:latest at http://jane:pa55word@gpu.acme.example:11434/api',
      'Authorization: Bearer hf_abcdefghijklmnop, HF_TOKEN hf_abcdefghijklmnop',
    ].join('\n');
    const short = shortenPrivate(text, ['acme-bank:latest', 'acme-bank']);
    for (const word of ['acme-bank', 'jane', 'secret-plan', 'pa55word', 'hf_abc', homedir()]) {
      expect(short, word).not.toContain(word);
    }
    expect(short).toContain('checkpoint-180');
    expect(short).toContain('.safetensors is truncated');
    expect(short).toContain(':latest');
  });

  it('keeps what a maintainer needs', () => {
    const text = 'adapter/base-mismatch after 312 ms, Ollama 0.32.15, exit 2, 40 of 315 artefacts';
    expect(shortenPrivate(text)).toBe(text);
  });
});
