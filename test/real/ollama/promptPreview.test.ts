import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computePromptPreview, ModelfileDocument } from '../../../language-server/src/service/languageService';
import { plainConversation, SAMPLE_CONVERSATIONS } from '../../../src/core/goTemplate/sampleConversations';
import { NodeWorkspaceFacts } from '../../../src/node/modelfile/workspaceFacts';
import type { OllamaClient } from '../../../src/node/ollama/ollamaClient';
import { FIXTURES, runCliOk } from '../../support/cli';
import { RealOllama, realOllamas } from '../../support/realOllama';

const every = await realOllamas();

/** A template that writes tools and thinking, so that Ollama takes requests that have them. */
const TEMPLATE = `TEMPLATE """{{- if .Tools }}<|im_start|>tools
{{ range .Tools }}{{ .Function }}
{{ end }}<|im_end|>
{{ end }}{{- range .Messages }}<|im_start|>{{ .Role }}
{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}{{ end }}<|im_end|>
{{ end }}<|im_start|>assistant
{{ if and .IsThinkSet (not .Think) }}<think></think>{{ end }}"""
SYSTEM You answer questions about rugby league.
MESSAGE user Who won?
MESSAGE assistant The home side.
PARAMETER stop <|im_end|>
PARAMETER num_ctx 4096
`;

describe.each(every)('the preview beside a real Ollama $version $reason', ({ path: program, reason }) => {
  if (reason !== '') {
    it.skip(`skipped. ${reason}`, () => undefined);
    return;
  }
  let server: RealOllama;
  let client: OllamaClient;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
    await runCliOk([
      'build',
      '--base',
      join(FIXTURES, 'rugby/base'),
      '--type',
      'Q8_0',
      '--out',
      join(folder, 'rugby.gguf'),
    ]);
    writeFileSync(join(folder, 'Modelfile'), `FROM ./rugby.gguf\n${TEMPLATE}`);
    server = await RealOllama.start(program);
    client = server.client();
    await runCliOk(['create', 'rugby', '-f', join(folder, 'Modelfile')], { env: server.environment });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  it.each(SAMPLE_CONVERSATIONS.filter((name) => name !== 'infill'))(
    'is the prompt that the server makes: %s',
    async (conversation) => {
      const facts = new NodeWorkspaceFacts({ directory: folder, isTrusted: true });
      const document = new ModelfileDocument('file:///Modelfile', 1, `FROM ./rugby.gguf\n${TEMPLATE}`);
      const { parts, question } = await computePromptPreview(document, { conversation }, facts);
      const theirs = await client.renderPrompt({ model: 'rugby', ...plainConversation(conversation, question) });
      expect(parts?.map(({ text }) => text).join('')).toBe(theirs);
    },
  );
});
