import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chooseTemplate } from '../../src/core/chatTemplate/chooseTemplate';
import { applies, CHECK_CONVERSATIONS } from '../../src/core/chatTemplate/checkConversations';
import { templateValues } from '../../src/core/chatTemplate/conversationValues';
import type { Conversation } from '../../src/core/chatTemplate/chatFormat';
import { executeTemplate } from '../../src/core/goTemplate/executeTemplate';
import { parseTemplate } from '../../src/core/goTemplate/parseTemplate';
import { FIXTURES, ROOT, runCliOk } from '../support/cli';
import { familyTemplates, formatFor, renderHere } from '../support/familyTemplates';
import { oracleForTests, type GoOracle } from '../support/goOracle';
import { findRealOllama, NO_LLAMA, NO_OLLAMA, RealOllama } from '../support/realOllama';

const NOW = Date.now();

/** A conversation as Ollama's API takes it. */
function request({ messages, tools, think }: Conversation): Record<string, unknown> {
  return {
    messages: messages.map(
      ({ role, content, reasoning_content: thinking, tool_calls: calls, tool_call_id: id, name }) => ({
        role,
        content,
        ...(thinking === undefined ? {} : { thinking }),
        ...(calls === undefined
          ? {}
          : {
              tool_calls: calls.map((call, index) => ({
                id: call.id,
                function: { index, name: call.function.name, arguments: call.function.arguments },
              })),
            }),
        ...(id === undefined ? {} : { tool_call_id: id, tool_name: name }),
      }),
    ),
    ...(tools === undefined ? {} : { tools }),
    ...(think === undefined ? {} : { think }),
  };
}

function ours(template: string, conversation: Conversation): string {
  const parsed = parseTemplate(template);
  const result = parsed.ok
    ? executeTemplate(parsed.template, templateValues(conversation), { now: new Date(NOW) })
    : parsed;
  return result.ok ? result.text : `failed: ${result.error}`;
}

async function generated(): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const { name, jinja } of await familyTemplates()) {
    const { template } = await chooseTemplate(formatFor(jinja), renderHere, { now: NOW });
    if (template !== undefined) {
      found.set(name, template);
    }
  }
  return found;
}

describe("templates made from models' own, in Ollama's template engine", () => {
  let oracle: GoOracle | undefined;

  beforeAll(async () => {
    oracle = await oracleForTests();
  }, 300_000);
  afterAll(() => oracle?.stop());

  it('render there as here', async (context) => {
    if (oracle === undefined) {
      context.skip('Go is not there to build the oracle: nothing was compared.');
      return;
    }
    let compared = 0;
    for (const [name, text] of await generated()) {
      const values = CHECK_CONVERSATIONS.map((conversation) => ({
        ...request(conversation),
        think: conversation.think ?? false,
        isThinkSet: conversation.think !== undefined,
      }));
      const answer = JSON.parse(await oracle.askRaw({ op: 'template', text, values })) as {
        ok: boolean;
        error?: string;
        rendered: { ok: boolean; text?: string }[];
      };
      expect(answer.ok, `${name}: ${String(answer.error)}`).toBe(true);
      CHECK_CONVERSATIONS.forEach((conversation, index) => {
        expect(answer.rendered[index]?.text, `${name}: ${conversation.name}`).toBe(ours(text, conversation));
        compared += 1;
      });
    }
    expect(compared).toBeGreaterThan(2000);
  }, 120_000);
});

/** Jinja templates that llama.cpp keeps, from the git bundle in node-llama-cpp. */
describe('templates that llama.cpp keeps', () => {
  const EXACT = [
    'HuggingFaceTB-SmolLM3-3B',
    'Qwen-Qwen3-0.6B',
    'Qwen-Qwen2.5-7B-Instruct',
    'Qwen-QwQ-32B',
    'meta-llama-Llama-3.1-8B-Instruct',
    'meta-llama-Llama-3.2-3B-Instruct',
    'meta-llama-Llama-3.3-70B-Instruct',
    'google-gemma-2-2b-it',
    'mistralai-Mistral-Nemo-Instruct-2407',
    'Mistral-Small-3.2-24B-Instruct-2506',
    'mistralai-Ministral-3-14B-Reasoning-2512',
    'microsoft-Phi-3.5-mini-instruct',
    'ibm-granite-granite-3.3-2B-Instruct',
    'ibm-granite-granite-4.0',
    'deepseek-ai-DeepSeek-R1-Distill-Llama-8B',
    'deepseek-ai-DeepSeek-R1-Distill-Qwen-32B',
    'deepseek-ai-DeepSeek-V3.1',
  ];
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-llama-templates-'));
    try {
      execFileSync(
        'git',
        ['clone', '-q', '--no-checkout', join(ROOT, 'node_modules/node-llama-cpp/llama/gitRelease.bundle'), folder],
        { stdio: 'ignore' },
      );
      execFileSync('git', ['-C', folder, 'checkout', '-q', 'HEAD', '--', 'models/templates'], { stdio: 'ignore' });
    } catch {
      // Without git nothing is there, and the tests say so.
    }
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(EXACT)('%s', async (name) => {
    const jinja = readFileSync(join(folder, 'models/templates', `${name}.jinja`), 'utf8');
    const choice = await chooseTemplate(formatFor(jinja), renderHere, { now: NOW });
    expect(choice.comparison?.differences.filter(({ kind }) => kind !== 'trim')).toEqual([]);
    expect(choice.exactButTrim).toBe(true);
  });

  it('are exact or say where they are not, and none fails', async () => {
    for (const file of readdirSync(join(folder, 'models/templates')).filter((name) => name.endsWith('.jinja'))) {
      const choice = await chooseTemplate(
        formatFor(readFileSync(join(folder, 'models/templates', file), 'utf8')),
        renderHere,
        { now: NOW },
      );
      expect(choice.exactButTrim || choice.notes.length > 0, file).toBe(true);
      expect(choice.comparison?.differences.filter(({ kind }) => kind === 'error') ?? [], file).toEqual([]);
    }
  }, 120_000);
});

const ollama = await findRealOllama();
const reason = ollama === undefined ? NO_OLLAMA : ollama.runsModels ? '' : NO_LLAMA;

describe.skipIf(reason !== '')(`templates in a real Ollama${reason === '' ? '' : `: ${reason}`}`, () => {
  let server: RealOllama;
  let folder = '';

  beforeAll(async () => {
    server = await RealOllama.start(ollama!.path);
    folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-templates-'));
    // A model without a chat template of its own: nothing can take the place of TEMPLATE.
    cpSync(join(FIXTURES, 'rugby/base'), join(folder, 'base'), { recursive: true });
    const config = JSON.parse(readFileSync(join(folder, 'base/tokenizer_config.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    delete config['chat_template'];
    writeFileSync(join(folder, 'base/tokenizer_config.json'), JSON.stringify(config));
    rmSync(join(folder, 'base/chat_template.jinja'), { force: true });
    await runCliOk(['convert', '--base', join(folder, 'base'), '--type', 'F16', '--out', join(folder, 'bare.gguf')]);
    writeFileSync(join(folder, 'Modelfile'), `FROM ${join(folder, 'bare.gguf')}\nTEMPLATE {{ .Prompt }}\n`);
    await runCliOk(['create', 'bare', '-f', join(folder, 'Modelfile')], { env: server.environment });
  }, 120_000);
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const post = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const response = await fetch(`http://${server.host}${path}`, { method: 'POST', body: JSON.stringify(body) });
    const text = await response.text();
    return JSON.parse(text.trim().split('\n').at(-1) ?? '{}') as Record<string, unknown>;
  };

  it.each([
    'yi:6b',
    'llama2:7b',
    'llama3:8b',
    'llama3.1:8b',
    'llama3.2:3b',
    'mistral-small:24b',
    'mixtral:8x22b',
    'gemma2:2b',
    'phi3:3.8b',
    'phi4:14b',
    'qwen2.5:0.5b',
    'qwen3:0.6b',
    'granite3.3:2b',
    'granite4:latest',
    'deepseek-r1:8b',
  ])(
    '%s',
    async (name) => {
      const { jinja } = (await familyTemplates()).find((family) => family.name === name)!;
      const { template = '' } = await chooseTemplate(formatFor(jinja), renderHere, { now: NOW });
      expect(await post('/api/create', { model: 'family', from: 'bare', template })).toEqual({ status: 'success' });
      const shown = await post('/api/show', { model: 'family' });
      const capabilities = shown['capabilities'] as string[];
      expect(shown['template']).toBe(template);
      const abilities = { tools: capabilities.includes('tools'), thinking: capabilities.includes('thinking') };
      expect(abilities.tools).toBe(template.includes('$.Tools'));
      expect(abilities.thinking).toBe(template.includes('.Thinking'));
      let compared = 0;
      for (const conversation of CHECK_CONVERSATIONS.filter((one) => applies(one, abilities))) {
        // The small model's context would cut older messages off.
        const answer = await post('/api/chat', {
          model: 'family',
          stream: false,
          truncate: false,
          _debug_render_only: true,
          ...request(conversation),
        });
        const rendered = (answer['_debug_info'] as { rendered_template?: string } | undefined)?.rendered_template;
        // Where the client says nothing, Ollama lets a model think that can.
        const asSent =
          abilities.thinking && conversation.think === undefined ? { ...conversation, think: true } : conversation;
        expect(rendered, `${conversation.name}: ${JSON.stringify(answer['error'])}`).toBe(ours(template, asSent));
        compared += 1;
      }
      expect(compared).toBeGreaterThanOrEqual(12);
    },
    60_000,
  );
});
