import { describe, expect, it } from 'vitest';
import { parseModelName } from '../../src/core/ollama/modelName';
import { isLoopbackHost, registryFor } from '../../src/core/ollama/registryAddress';
import { userCacheFolder } from '../../src/node/files/userCacheFolder';

const url = (name: string, allowed?: string): string => registryFor(parseModelName(name)!, allowed).url;

describe('which registry a name means', () => {
  it.each([
    ['qwen3', undefined, 'https://registry.ollama.ai'],
    ['registry.ollama.ai/library/qwen3', undefined, 'https://registry.ollama.ai'],
    ['somebody/model:tag', undefined, 'https://registry.ollama.ai'],
    ['qwen3', 'localhost:5000', 'http://localhost:5000'],
    ['qwen3', 'http://192.168.1.5:5000/', 'http://192.168.1.5:5000'],
    ['qwen3', 'models.example.org', 'https://models.example.org'],
    ['HF.co/somebody/model', 'hf.co', 'https://hf.co'],
    ['qwen3', '[::1]:5000', 'http://[::1]:5000'],
  ])('%s with %s: %s', (name, allowed, expected) => {
    expect(url(name, allowed)).toBe(expected);
  });

  it.each([
    ['hf.co/a/b', undefined],
    ['hf.co/a/b', 'other.example'],
    ['evil.example:80/a/b', 'evil.example'],
    ['qwen3', 'ftp://x'],
    ['qwen3', 'a b'],
    ['qwen3', ''],
    ['qwen3', 'https://x/path'],
    ['qwen3', 'u:p@x'],
  ])('%s with %s is refused', (name, allowed) => {
    expect(() => url(name, allowed)).toThrow(expect.objectContaining({ code: 'registry/host' }) as Error);
  });

  it('knows this machine', () => {
    expect(
      ['localhost', 'LOCALHOST:1', '127.0.0.1', '127.1.2.3:80', '[::1]:5', 'a.localhost'].every(isLoopbackHost),
    ).toBe(true);
    expect(['127.0.0.1.example', 'localhost.example', '128.0.0.1', 'example.org:127'].some(isLoopbackHost)).toBe(false);
  });
});

describe('where answers are kept', () => {
  it("is the system's folder for caches", () => {
    expect(userCacheFolder({ XDG_CACHE_HOME: '/c' }, 'linux')).toBe('/c/modelfile-studio');
    expect(userCacheFolder({ MODELFILE_STUDIO_CACHE: '/own', XDG_CACHE_HOME: '/c' }, 'linux')).toBe('/own');
    expect(userCacheFolder({}, 'darwin')).toMatch(/Library\/Caches\/modelfile-studio$/);
    expect(userCacheFolder({ LOCALAPPDATA: 'L' }, 'win32')).toContain('L');
  });
});
