import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { libraryNameOf } from '../../src/core/ollama/libraryNames';
import { executeTemplate } from '../../src/core/goTemplate/executeTemplate';
import { NO_VALUES, plainMessage } from '../../src/core/goTemplate/ollama/conversation';
import { parseTemplate } from '../../src/core/goTemplate/parseTemplate';
import { PARAMETERS } from '../../src/core/modelfile/parameters';
import { parseModelName } from '../../src/core/ollama/modelName';
import { bundledLibrary, libraryModelNames, libraryTemplate } from '../../src/node/registry/bundledLibrary';
import { CLI } from '../support/cli';

const BUNDLE = join(CLI, '..');

describe('the library model of a base', () => {
  it.each([
    ['Qwen/Qwen3-0.6B', 'qwen3:0.6b'],
    ['Qwen/Qwen3-8B-Base', 'qwen3:8b'],
    ['unsloth/Qwen3-4B-unsloth-bnb-4bit', 'qwen3:4b'],
    ['mlx-community/Qwen2.5-0.5B-Instruct-4bit', 'qwen2.5:0.5b'],
    ['meta-llama/Llama-3.2-3B-Instruct', 'llama3.2:3b'],
    ['meta-llama/Meta-Llama-3.1-8B-Instruct', 'llama3.1:8b'],
    ['meta-llama/Llama-2-7b-chat-hf', 'llama2:7b'],
    ['unsloth/llama-3-8b-bnb-4bit', 'llama3:8b'],
    ['google/gemma-3-1b-it', 'gemma3:1b'],
    ['google/gemma-2-2b-it', 'gemma2:2b'],
    ['mistralai/Mistral-7B-Instruct-v0.3', 'mistral:7b'],
    ['microsoft/Phi-3.5-mini-instruct', 'phi3.5:3.8b'],
    ['microsoft/phi-4', 'phi4:14b'],
    ['ibm-granite/granite-3.3-2b-instruct', 'granite3.3:2b'],
    ['HuggingFaceTB/SmolLM2-135M-Instruct', 'smollm2:135m'],
    ['deepseek-ai/DeepSeek-R1-Distill-Qwen-7B', 'deepseek-r1:7b'],
    ['/home/me/models/Qwen3-1.7B/', 'qwen3:1.7b'],
    ['C:\\models\\Qwen3-1.7B', 'qwen3:1.7b'],
  ])('%s is %s', (repository, expected) => {
    expect(libraryNameOf(repository)).toBe(expected);
    expect(parseModelName(expected)).toBeDefined();
  });

  it.each(['', '.', 'base', 'my-qwen3-0.6b-finetune', 'Qwen/Qwen3-0.6B-rugby', 'somebody/llama', 'gpt2'])(
    '%j is none',
    (repository) => {
      expect(libraryNameOf(repository)).toBeUndefined();
    },
  );
});

describe('the table that comes with this product', () => {
  it('has names, templates that Ollama runs and parameters that it takes', async () => {
    const library = await bundledLibrary(BUNDLE);
    expect(library!.models.length).toBeGreaterThan(90);
    expect(library!.source).toMatch(/^@huggingface\/ollama-utils \d+\.\d+\.\d+ of \d{4}-\d\d-\d\d$/);
    const values = {
      ...NO_VALUES,
      messages: [
        plainMessage('system', 'Be brief.'),
        plainMessage('user', 'Hello'),
        plainMessage('assistant', 'Hi.'),
        plainMessage('user', 'Bye'),
      ],
    };
    for (const { name, template = '', parameters } of library!.models) {
      expect(parseModelName(name), name).toBeDefined();
      const parsed = parseTemplate(template);
      expect(parsed.ok, name).toBe(true);
      expect(executeTemplate((parsed as Extract<typeof parsed, { ok: true }>).template, values).ok, name).toBe(true);
      expect(
        Object.keys(parameters).filter((parameter) => !PARAMETERS.has(parameter)),
        name,
      ).toEqual([]);
    }
  });

  it('is found by exact name, by another tag, or not at all', async () => {
    expect((await libraryTemplate(BUNDLE, 'llama3.2:3b'))?.template).toContain('<|start_header_id|>');
    expect((await libraryTemplate(BUNDLE, 'qwen3'))?.name).toBe('qwen3:0.6b');
    expect((await libraryTemplate(BUNDLE, 'devstral'))?.name).toBe('devstral:latest');
    expect(await libraryTemplate(BUNDLE, 'qwen')).toBeDefined();
    expect(await libraryTemplate(BUNDLE, 'somebody/qwen3')).toBeUndefined();
    expect(await libraryTemplate(BUNDLE, 'nothing')).toBeUndefined();
    expect(await libraryModelNames(BUNDLE)).toContain('qwen3:0.6b');
  });
});
