import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createModel, type CreatedModel } from '../../../src/node/create/createModel';
import { hashFile } from '../../../src/node/files/hashFile';
import { exchange } from '../../../src/node/ollama/ollamaTransport';
import type { OllamaClient } from '../../../src/node/ollama/ollamaClient';
import { FIXTURES, ROOT, runCli, runCliOk, type CliRun } from '../../support/cli';
import { findRealOllama, NO_LLAMA, NO_OLLAMA, RealOllama, type FoundOllama } from '../../support/realOllama';

const RUGBY = join(FIXTURES, 'rugby');
const BASE = join(RUGBY, 'base');
const SIGNAL = new AbortController().signal;

const ollama: FoundOllama | undefined = await findRealOllama();

async function ended<Result>(run: AsyncGenerator<unknown, Result>): Promise<Result> {
  for (;;) {
    const step = await run.next();
    if (step.done === true) {
      return step.value;
    }
  }
}

/** Code, line and words of what a promise is rejected with. */
async function refusal(
  promise: Promise<unknown>,
): Promise<{ readonly code: string; readonly line: number | undefined; readonly message: string }> {
  const thrown = await promise.then(
    (value) => {
      throw new Error(`was not refused: ${JSON.stringify(value).slice(0, 200)}`);
    },
    (error: unknown) => error as { code: string; line: number | undefined; message: string },
  );
  return { code: thrown.code, line: thrown.line, message: thrown.message };
}

describe.skipIf(ollama === undefined)(
  `errors of create on a real Ollama${ollama === undefined ? `: skipped. ${NO_OLLAMA}` : ''}`,
  () => {
    let server: RealOllama;
    let client: OllamaClient;
    let folder: string;
    let gguf: string;
    beforeAll(async () => {
      server = await RealOllama.start(ollama!.path);
      client = server.client();
      folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
      gguf = join(folder, 'base.gguf');
      await runCliOk(['convert', '--base', BASE, '--type', 'BF16', '--out', gguf]);
      await runCliOk(['convert', '--base', BASE, '--type', 'F32', '--out', join(folder, 'full.gguf')]);
      await make('base', `FROM ${gguf}\n`);
    });
    afterAll(async () => {
      await server.stop();
      rmSync(folder, { recursive: true });
    });

    const make = (name: string, modelfile: string | Uint8Array, quantize?: 'Q8_0'): Promise<CreatedModel> =>
      ended(
        createModel(
          {
            name,
            modelfile: typeof modelfile === 'string' ? new TextEncoder().encode(modelfile) : modelfile,
            path: join(folder, 'Modelfile'),
            force: false,
            quantize,
          },
          { client, signal: SIGNAL, workers: 1, workerScript: join(ROOT, 'dist/worker.js') },
        ),
      );
    /** The server's own `/api/create`, past everything that we would stop. */
    const direct = (body: object): Promise<void> =>
      ended(client.create(JSON.stringify({ model: 'direct', stream: true, ...body }), { signal: SIGNAL }));
    const blob = async (path: string): Promise<string> => {
      const digest = await hashFile(path);
      await client.uploadBlob(path, digest);
      return digest;
    };
    const file = (name: string, content: string): string => {
      const path = join(folder, name);
      writeFileSync(path, content);
      return path;
    };

    describe('stopped before anything is sent, with the line', () => {
      it.each([
        ['an instruction that there is not', 'FROM base\nFRM x\n', 'modelfile/syntax', 2],
        ['no FROM', 'SYSTEM x\n', 'modelfile/syntax', 1],
        ['a role in another case', 'FROM base\nMESSAGE User hi\n', 'modelfile/syntax', 2],
        ['an unclosed quote', 'FROM base\nSYSTEM """x\n', 'modelfile/syntax', 2],
        ['a parameter that was removed', 'FROM base\n\nPARAMETER tfs_z 1\n', 'modelfile/findings', 3],
        ['a value that is no number', 'FROM base\nPARAMETER temperature hot\n', 'modelfile/findings', 2],
        ['a version that is none', 'FROM base\nREQUIRES latest\n', 'modelfile/findings', 2],
        ['a template function that there is not', 'FROM base\nTEMPLATE {{ foo .Prompt }}\n', 'modelfile/findings', 2],
        [
          'a template that makes the server panic',
          'FROM base\nTEMPLATE {{ if .Response }}{{ .Response }}{{ else }}x{{ end }}\n',
          'modelfile/findings',
          2,
        ],
        ['a path that is not there', 'FROM ./nothing/here.gguf\n', 'input/missing', 1],
        ['an adapter that is not there', 'FROM base\nADAPTER ./nothing\n', 'input/missing', 2],
        ['a draft that is not there', 'FROM base\nDRAFT ./nothing.gguf\n', 'input/missing', 2],
        ['a network share', 'FROM //host/share/model.gguf\n', 'input/not-regular', 1],
        ['a device', 'FROM /dev/zero\n', 'input/not-regular', 1],
      ])('%s', async (_what, modelfile, code, line) => {
        const found = await refusal(make('stopped', modelfile));
        expect(found).toMatchObject({ code, line });
        expect(found.message).toContain(`${join(folder, 'Modelfile')}:${line}: `);
      });

      it('a Git LFS pointer, a pickle, an empty file, and what is no model', async () => {
        const pointer = file(
          'pointer.gguf',
          `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 5\n`,
        );
        expect(await refusal(make('stopped', `FROM ${pointer}\n`))).toMatchObject({
          code: 'input/lfs-pointer',
          line: 1,
        });
        expect(
          await refusal(make('stopped', `# first\nFROM ${join(RUGBY, 'outputs/checkpoint-90/scheduler.pt')}\n`)),
        ).toMatchObject({ code: 'input/pickle', line: 2 });
        expect(await refusal(make('stopped', `FROM ${file('empty.gguf', '')}\n`))).toMatchObject({
          code: 'input/empty',
          line: 1,
        });
        expect(await refusal(make('stopped', `FROM ${file('text.txt', 'words')}\n`))).toMatchObject({
          code: 'ollama/file',
          line: 1,
        });
        mkdirSync(join(folder, 'hollow'));
        expect(await refusal(make('stopped', 'FROM ./hollow\n'))).toMatchObject({ line: 1 });
        expect(await refusal(make('stopped', `FROM ${join(RUGBY, 'lora')}\n`))).toMatchObject({
          code: 'model/incomplete',
          line: 1,
        });
      });

      it('a name that is none', async () => {
        expect(await refusal(make('../up', 'FROM base\n'))).toMatchObject({ code: 'ollama/model-name' });
      });

      it('an adapter of another base', async () => {
        const other = join(folder, 'other');
        cpSync(join(RUGBY, 'lora'), other, { recursive: true });
        const config = join(BASE, 'config.json');
        const narrow = join(folder, 'narrow');
        cpSync(BASE, narrow, { recursive: true });
        writeFileSync(
          join(narrow, 'config.json'),
          readFileSync(config, 'utf8').replace(/"num_hidden_layers": \d+/, '"num_hidden_layers": 1'),
        );
        expect((await refusal(make('stopped', `FROM ./narrow\nADAPTER ./other\n`))).line).toBeDefined();
      });
    });

    describe('refused by the server, with a code and what to do', () => {
      it.each([
        ['a path for a name', { from: './nope' }, 'ollama/model-name', 'If a path was meant'],
        ['no files', { files: {} }, 'ollama/file', 'Name a GGUF'],
        ['empty adapters', { from: 'base', adapters: {} }, 'ollama/file', 'Name a GGUF'],
        ['a template that does not parse', { from: 'base', template: '{{ foo }}' }, 'ollama/template', 'lint shows'],
        ['a type that it does not make', { from: 'base', quantize: 'Q5_K_M' }, 'ollama/quantise', 'build and quantize'],
        ['a digest that is none', { files: { 'x.gguf': 'sha256:abc' } }, 'ollama/digest', 'digest'],
        [
          'a blob that it does not have',
          { files: { 'x.gguf': `sha256:${'0'.repeat(64)}` } },
          'ollama/file',
          'Run this again',
        ],
        ['a draft type without a draft', { from: 'base', draft_quantize: 'Q8_0' }, 'ollama/draft', 'DRAFT'],
      ])('%s', async (_what, body, code, next) => {
        const found = await refusal(direct(body));
        expect(found.code).toBe(code);
        expect(found.message).toContain(next);
      });

      it('folders and adapters of architectures that it does not convert', async () => {
        const files: Record<string, string> = {};
        for (const name of ['model.safetensors', 'config.json', 'tokenizer.json', 'tokenizer_config.json']) {
          files[name] = await blob(join(BASE, name));
        }
        const model = await refusal(direct({ files }));
        expect(model).toMatchObject({ code: 'ollama/architecture' });
        expect(model.message).toContain('Qwen3ForCausalLM');
        const adapters = {
          'adapter_model.safetensors': await blob(join(RUGBY, 'lora/adapter_model.safetensors')),
          'adapter_config.json': await blob(join(RUGBY, 'lora/adapter_config.json')),
        };
        const adapter = await refusal(direct({ from: 'base', adapters }));
        expect(adapter).toMatchObject({ code: 'ollama/architecture' });
        expect(adapter.message).toContain('convert-adapter');
      });

      it('what is no GGUF, two adapters, a quantised model and a 32-bit one', async () => {
        const text = await blob(file('words.gguf', 'these are words'));
        expect(await refusal(direct({ files: { 'words.gguf': text } }))).toMatchObject({ code: 'ollama/file' });
        expect(await refusal(direct({ from: 'base', adapters: { 'a.gguf': text, 'b.gguf': text } }))).toMatchObject({
          code: 'ollama/adapter',
        });
        await make('small', `FROM ${gguf}\n`, 'Q8_0');
        expect(await refusal(direct({ from: 'small', quantize: 'Q4_K_M' }))).toMatchObject({ code: 'ollama/quantise' });
        expect(
          await refusal(direct({ files: { 'full.gguf': await blob(join(folder, 'full.gguf')) }, quantize: 'Q8_0' })),
        ).toMatchObject({ code: 'ollama/quantise' });
      });

      it("a digest that is not the content's: nothing of it stays", async () => {
        const wrong = `sha256:${'1'.repeat(64)}`;
        const send = exchange(client.address, {
          method: 'POST',
          path: `/api/blobs/${wrong}`,
          what: 'upload',
          body: 'words',
          idle: 5000,
        });
        expect(await refusal(send)).toMatchObject({ code: 'ollama/digest' });
        expect(await client.hasBlob(wrong)).toBe(false);
        // Our own upload notices before the last byte is sent.
        expect(await refusal(client.uploadBlob(gguf, wrong))).toMatchObject({ code: 'input/changed' });
        expect(await client.hasBlob(wrong)).toBe(false);
      });

      it('tools and thinking that a model does not have, and models that are not there', async () => {
        const messages = [{ role: 'user' as const, content: 'x' }];
        const tool = {
          type: 'function',
          function: { name: 'f', description: 'd', parameters: { type: 'object', properties: {} } },
        };
        expect(await refusal(ended(client.chat({ model: 'base', messages, tools: [tool] })))).toMatchObject({
          code: 'ollama/capability',
        });
        expect(await refusal(ended(client.chat({ model: 'base', messages, think: true })))).toMatchObject({
          code: 'ollama/capability',
        });
        for (const missing of [
          () => client.show('nope'),
          () => client.delete('nope'),
          () => client.copy('nope', 'x'),
          () => client.unload('nope'),
          () => ended(client.chat({ model: 'nope', messages })),
        ]) {
          expect(await refusal(missing())).toMatchObject({ code: 'ollama/model-missing' });
        }
      });
    });

    describe('with a registry of the test', () => {
      let registry: Server;
      let host: string;
      beforeAll(async () => {
        registry = createServer((_request, response) => {
          response
            .writeHead(404, { 'content-type': 'application/json' })
            .end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
        });
        await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
        host = `127.0.0.1:${(registry.address() as AddressInfo).port}`;
      });
      afterAll(() => new Promise((resolve) => registry.close(resolve)));

      it('a model that it does not have, one that nobody answers for, and another registry unasked', async () => {
        const missing = await refusal(ended(client.pull(`${host}/library/none`, { insecure: true })));
        expect(missing.code).toBe('ollama/model-missing');
        const away = await refusal(ended(client.pull('127.0.0.1:1/library/none', { insecure: true })));
        expect(away.code).toBe('ollama/registry');
        expect(await refusal(make('stopped', `FROM ${host}/library/none\n`))).toMatchObject({
          code: 'ollama/registry',
          line: 1,
        });
      });
    });

    it('works where the command line of Ollama fails', async () => {
      // A folder of links, as in the Hugging Face cache.
      const cache = join(folder, 'links');
      mkdirSync(cache);
      for (const name of [
        'model.safetensors',
        'config.json',
        'tokenizer.json',
        'tokenizer_config.json',
        'chat_template.jinja',
      ]) {
        symlinkSync(join(BASE, name), join(cache, name));
      }
      expect(await make('linked', 'FROM ./links\n')).toMatchObject({ route: 'build' });
      // A weight file instead of its folder.
      const single = await make('single', `FROM ${join(BASE, 'model.safetensors')}\n`);
      expect(single.warnings).toContainEqual(expect.objectContaining({ code: 'modelfile/file-for-folder' }));
      // A folder that has the name of a model.
      cpSync(BASE, join(folder, 'base'), { recursive: true });
      expect(await make('shadow', 'FROM base\n')).toMatchObject({ route: 'build' });
      rmSync(join(folder, 'base'), { recursive: true });
      // UTF-16 with a byte order mark, as Windows editors save it.
      const wide = Buffer.concat([
        Buffer.from([0xff, 0xfe]),
        Buffer.from(`FROM ${gguf}\r\nSYSTEM "Grüße"\r\n`, 'utf16le'),
      ]);
      await make('wide', wide);
      expect((await client.show('wide')).system).toBe('Grüße');
      // A 32-bit GGUF quantised.
      await make('full', `FROM ${join(folder, 'full.gguf')}\n`, 'Q8_0');
      expect((await client.show('full')).quantisation).toBe('Q8_0');
    });

    it('creates, and says what will not work: a renderer that there is not, a server that is too old for it', async () => {
      const misspelt = await make('misspelt', `FROM ${gguf}\nRENDERER qwen3-codr\nPARSER qwen3-coder\n`);
      expect(misspelt.answer).toBeUndefined();
      const [warning] = misspelt.warnings.filter(({ code }) => code === 'ollama/renderer');
      expect(warning?.message).toContain('Modelfile:2: ');
      expect(warning?.message).toContain('qwen3-codr');
      const ahead = await make('ahead', `FROM ${gguf}\nREQUIRES 99.0.0\n`);
      expect(ahead.warnings.map(({ code }) => code)).toContain('ollama/too-old');
    });

    it.skipIf(ollama?.runsModels !== true)(
      `without parts of llama.cpp${ollama?.runsModels === true ? '' : `: skipped. ${NO_LLAMA}`}`,
      async () => {
        const bin = join(folder, 'alone/bin');
        const lib = join(folder, 'alone/lib/ollama');
        mkdirSync(bin, { recursive: true });
        mkdirSync(lib, { recursive: true });
        const alone = join(bin, 'ollama');
        try {
          linkSync(ollama!.path, alone);
        } catch {
          copyFileSync(ollama!.path, alone);
        }
        const bare = await RealOllama.start(alone);
        try {
          const modelfile = file('Modelfile.silent', `FROM ${gguf}\n`);
          const run = (name: string): Promise<CliRun> =>
            runCli(['create', name, '-f', modelfile, '--json'], { env: bare.environment });
          // Without llama-quantize the server does not even take a GGUF.
          expect((await run('none')).json).toMatchObject({ ok: false, error: { code: 'ollama/inference' } });
          expect(await bare.client().list()).toEqual([]);
          const quantise = join(dirname(ollama!.path), '../lib/ollama/llama-quantize');
          if (existsSync(quantise)) {
            copyFileSync(quantise, join(lib, 'llama-quantize'));
            // Without llama-server it takes it, and cannot run it.
            const { json } = await run('silent');
            expect(json).toMatchObject({ ok: true, name: 'silent:latest' });
            expect(json['answer']).toBeUndefined();
            expect(json['warnings']).toContainEqual(expect.objectContaining({ code: 'ollama/inference' }));
          }
        } finally {
          await bare.stop();
        }
      },
    );
  },
);
