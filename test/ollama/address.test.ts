import { describe, expect, it } from 'vitest';
import { isLoopbackHost, resolveOllamaAddress } from '../../src/core/ollama/ollamaAddress';

const url = (environment: string): string => resolveOllamaAddress({ environment }).url;

describe('the address of the server', () => {
  it('is the setting, else OLLAMA_HOST, else this machine', () => {
    expect(resolveOllamaAddress({})).toEqual({
      url: 'http://127.0.0.1:11434',
      host: '127.0.0.1:11434',
      isLoopback: true,
      isEncrypted: false,
      origin: 'default',
    });
    expect(resolveOllamaAddress({ setting: ' ', environment: '' }).origin).toBe('default');
    expect(resolveOllamaAddress({ setting: '', environment: 'gpu' })).toMatchObject({
      url: 'http://gpu:11434',
      isLoopback: false,
      origin: 'OLLAMA_HOST',
    });
    expect(resolveOllamaAddress({ setting: 'https://a.example/ollama/', environment: 'gpu' })).toMatchObject({
      url: 'https://a.example/ollama',
      host: 'a.example:443',
      isEncrypted: true,
      origin: 'setting',
    });
  });

  it.each([
    // What Ollama's own client makes of OLLAMA_HOST (envconfig.Host and ConnectableHost).
    ['1.2.3.4', 'http://1.2.3.4:11434'],
    [':1234', 'http://127.0.0.1:1234'],
    ['1.2.3.4:1337', 'http://1.2.3.4:1337'],
    ['http://1.2.3.4', 'http://1.2.3.4'],
    ['https://1.2.3.4', 'https://1.2.3.4'],
    ['https://1.2.3.4:1337', 'https://1.2.3.4:1337'],
    ['example.com/', 'http://example.com:11434'],
    ['example.com:1337/', 'http://example.com:1337'],
    ['https://example.com:1337/base', 'https://example.com:1337/base'],
    ['0.0.0.0', 'http://127.0.0.1:11434'],
    ['0.0.0.0:8080', 'http://127.0.0.1:8080'],
    ['[::]', 'http://[::1]:11434'],
    ['::', 'http://[::1]:11434'],
    ['[::1]', 'http://[::1]:11434'],
    ['::1', 'http://[::1]:11434'],
    ['[::1]:1337', 'http://[::1]:1337'],
    ['"1.2.3.4"', 'http://1.2.3.4:11434'],
    ["'1.2.3.4:5'", 'http://1.2.3.4:5'],
    ['example.com:99999', 'http://example.com:11434'],
    ['example.com:no', 'http://example.com:11434'],
    ['ollama.com', 'https://ollama.com'],
  ])('reads %s', (environment, expected) => {
    expect(url(environment)).toBe(expected);
  });

  it.each([
    'http://user:secret@host',
    'user@host:11434',
    'ftp://host',
    'file:///etc/passwd',
    'host?x=1',
    'host#x',
    'ho st',
    'host\\x',
    'http://[::1',
    'host:99999',
  ])('refuses %s as a setting, without repeating a secret', (setting) => {
    let thrown: unknown;
    try {
      resolveOllamaAddress({ setting });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'ollama/address' });
    expect((thrown as Error).message).not.toContain('secret');
  });

  it('knows this machine by all its names, and no other', () => {
    for (const host of ['localhost', 'LOCALHOST', 'a.localhost', '127.0.0.1', '127.1.2.3', '[::1]', 'localhost.']) {
      expect(isLoopbackHost(host), host).toBe(true);
    }
    for (const host of [
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '128.0.0.1',
      '10.0.0.1',
      '[::2]',
      'xlocalhost',
    ]) {
      expect(isLoopbackHost(host), host).toBe(false);
    }
  });
});
