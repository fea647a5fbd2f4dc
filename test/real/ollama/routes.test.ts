import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createFromArtefacts, prepareCreateFrom } from '../../../src/node/create/createFromArtefacts';
import type { OllamaClient } from '../../../src/node/ollama/ollamaClient';
import { FIXTURES, ROOT, runCli, type CliRun } from '../../support/cli';
import { describeGguf } from '../../support/describeGguf';
import { RealOllama, realOllamas } from '../../support/realOllama';

const RUGBY = join(FIXTURES, 'rugby');
const BASE = join(RUGBY, 'base');
const DIST = join(ROOT, 'dist');
const EXPECTED = JSON.parse(readFileSync(join(RUGBY, 'expected.json'), 'utf8')) as Record<
  string,
  Record<string, string>
>;

/** Every adapter of the fixtures, and the routes that must be open to it on this server. */
const FUSED = ['fuse', 'fuse-quantise'];
const APART = ['gguf-adapter', ...FUSED];
const ALL_ADAPTERS: readonly (readonly [adapter: string, routes: readonly string[]])[] = [
  ['lora', APART],
  ['rslora', APART],
  ['mlx-lora', APART],
  ['dora', FUSED],
  ['mlx-dora', FUSED],
  ['mlx-full', FUSED],
  ['embed', FUSED],
];
const TYPES = ['BF16', 'Q4_K_M'];

interface RouteJson {
  readonly route: string;
  readonly works: boolean;
  readonly why: string;
}

// A model is loaded for most tests, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

const every = await realOllamas();

describe.each(every)('every route on a real Ollama $version $reason', ({ version, path: program, reason }) => {
  if (reason !== '') {
    it.skip(`skipped. ${reason}`, () => undefined);
    return;
  }
  /** Adapters are attached up to 0.34.0. */
  const attaches = version === '0.32.15';
  const ADAPTERS = ALL_ADAPTERS.map(([adapter, routes]) => [adapter, attaches ? routes : FUSED] as const);
  let server: RealOllama;
  let client: OllamaClient;
  let folder: string;
  let usualFolder: string | undefined;
  beforeAll(async () => {
    server = await RealOllama.start(program);
    client = server.client();
    folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-test-'));
    usualFolder = process.env['TMPDIR'];
    // Temporary files of this file's runs alone: other tests kill theirs in the middle.
    process.env['TMPDIR'] = mkdtempSync(join(folder, 'tmp-'));
  });
  afterAll(async () => {
    // The folder goes, and the server of the next version needs one that is there.
    if (usualFolder === undefined) {
      delete process.env['TMPDIR'];
    } else {
      process.env['TMPDIR'] = usualFolder;
    }
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = async (...args: string[]): Promise<CliRun> =>
    await runCli([...args, '--json'], { env: { ...server.environment, OLLAMA_MODELS: server.models } });
  const done = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { json, stdout, stderr } = await run(...args);
    expect(json, stdout + stderr).toMatchObject({ ok: true });
    return json;
  };
  /** Answers at temperature 0, with nothing but what the model itself brings. */
  const answers = async (model: string, questions: readonly string[]): Promise<Record<string, string>> => {
    const said: Record<string, string> = {};
    for (const question of questions) {
      const chat = client.chat({
        model,
        messages: [{ role: 'user', content: question }],
        options: { temperature: 0, num_predict: 80 },
      });
      for (;;) {
        const step = await chat.next();
        if (step.done === true) {
          said[question] =
            step.value.stopReason === 'stop'
              ? step.value.text
              : `${step.value.text} [${String(step.value.stopReason)}]`;
          break;
        }
      }
    }
    return said;
  };
  const answersLike = async (model: string, adapter: string): Promise<void> => {
    const wanted = EXPECTED[adapter]!;
    expect(Object.keys(wanted)).toHaveLength(7);
    const said = await answers(model, Object.keys(wanted));
    if (adapter !== 'embed') {
      expect(said).toEqual(wanted);
      return;
    }
    // Recorded of PEFT's merge, which changes the tied head too; here the head stays what it was in training. What the adapter
    // taught shows all the same.
    expect(said).not.toEqual(EXPECTED['base']);
    const same = Object.entries(wanted).filter(([question, answer]) => said[question] === answer);
    expect(same.length).toBeGreaterThanOrEqual(5);
  };
  /** `show` gives what the Modelfile says: its template word for word, the stop of the chat format, and what was asked for. */
  const showsWhatWasMeant = async (model: string, modelfile: string, parameters: readonly string[]): Promise<void> => {
    const shown = await client.show(model);
    const template = /^TEMPLATE """([\s\S]*?)"""$/m.exec(modelfile)?.[1];
    expect(template).toBeDefined();
    expect(shown.template).toBe(template);
    const lines = (shown.parameters ?? '').split('\n').map((line) => line.trim().replace(/\s+/, ' '));
    expect(lines.sort()).toEqual(['stop "<|im_end|>"', ...parameters].sort());
  };

  it.each(ADAPTERS)('%s: the planner opens %j', async (adapter, routes) => {
    const json = await done('routes', '--base', BASE, '--adapter', join(RUGBY, adapter));
    const judged = json['routes'] as readonly RouteJson[];
    expect(judged.map(({ route }) => route)).toEqual(['adapter', 'gguf-adapter', 'fuse', 'fuse-quantise']);
    expect(judged.filter(({ works }) => works).map(({ route }) => route)).toEqual(routes);
    expect(json).toMatchObject({ recommended: 'fuse', type: 'BF16', ollamaVersion: await client.version() });
    // What the planner rules out is refused by create as well, and nothing is left of it.
    for (const { route, why } of judged.filter(({ works }) => !works)) {
      const { code, json: refused } = await run(
        'create',
        'ruled-out',
        '--base',
        BASE,
        '--adapter',
        join(RUGBY, adapter),
        '--route',
        route,
      );
      expect([code, refused['ok']]).toEqual([1, false]);
      expect((refused['error'] as { message: string }).message).toContain(why.slice(0, 60));
    }
    expect((await client.list()).filter(({ name }) => name.startsWith('ruled-out'))).toEqual([]);
  });

  const MATRIX = ADAPTERS.flatMap(([adapter, routes]) =>
    routes.flatMap((route) =>
      TYPES.filter((type) => (type === 'BF16' ? route !== 'fuse-quantise' : route !== 'fuse')).map(
        (type) => [adapter, route, type] as const,
      ),
    ),
  );
  it('is all of the matrix', () => {
    expect(MATRIX).toHaveLength(attaches ? 3 * 4 + 4 * 2 : 7 * 2);
  });

  it.each(MATRIX)('%s by %s in %s: created, shown, answering', async (adapter, route, type) => {
    const name = `${adapter}-${route}-${type.toLowerCase()}`;
    const json = await done(
      'create',
      name,
      '--base',
      BASE,
      '--adapter',
      join(RUGBY, adapter),
      '--route',
      route,
      '--type',
      type,
      '--num-ctx',
      '512',
    );
    expect(json).toMatchObject({ name: `${name}:latest`, route, type, template: { exact: true } });
    expect(json['answer']).toEqual(expect.any(String));
    await showsWhatWasMeant(name, json['modelfile'] as string, ['num_ctx 512']);
    const modelfile = json['modelfile'] as string;
    expect(/^ADAPTER /m.test(modelfile)).toBe(route === 'gguf-adapter');
    expect((await client.show(name)).quantisation).toBe(type);
    await answersLike(name, adapter);
    await client.unload(name);
    await client.delete(name);
  });

  it('leaves no file behind', () => {
    const mine = readdirSync(tmpdir()).filter((name) => name.startsWith('modelfile-studio-create-'));
    const ours = mine.filter(
      (name) =>
        existsSync(join(tmpdir(), name)) &&
        readdirSync(join(tmpdir(), name)).some((file) => /^(?:mlx-)?(?:lora|rslora|dora|full|embed)-/.test(file)),
    );
    expect(ours).toEqual([]);
  });

  it('a GGUF adapter as it is, one that cannot change its weight, and several at once', async () => {
    const gguf = join(folder, 'rslora.gguf');
    await done('convert-adapter', '--adapter', join(RUGBY, 'rslora'), '--base', BASE, '--type', 'F32', '--out', gguf);
    const asItIs = ['create', 'as-it-is', '--base', BASE, '--adapter', gguf, '--route', 'adapter'];
    if (attaches) {
      expect(await done(...asItIs)).toMatchObject({ route: 'adapter' });
      await answersLike('as-it-is', 'rslora');
    } else {
      expect((await run(...asItIs)).json['error']).toMatchObject({ code: 'ollama/route' });
    }
    expect(await done('create', 'gguf-fused', '--base', BASE, '--adapter', gguf)).toMatchObject({ route: 'fuse' });
    await answersLike('gguf-fused', 'rslora');
    const weighted = await run('create', 'weighted', '--base', BASE, '--adapter', `${gguf}=0.5`, '--route', 'adapter');
    expect(weighted.json['error']).toMatchObject({ code: 'ollama/route' });
    const both = [
      '--base',
      BASE,
      '--adapter',
      `${join(RUGBY, 'lora')}=0.25`,
      '--adapter',
      `${join(RUGBY, 'lora')}=0.75`,
    ];
    expect((await run('create', 'both', ...both, '--route', 'gguf-adapter')).json['error']).toMatchObject({
      code: 'ollama/route',
    });
    expect(await done('create', 'both', ...both, '--type', 'Q8_0')).toMatchObject({ route: 'fuse-quantise' });
    await answersLike('both', 'lora');
  });

  describe('create-from-base', () => {
    beforeAll(async () => {
      await done('create', 'rugby-base', '--base', BASE, '--type', 'BF16');
    });

    it('with what was asked for beside the template and stops of the base; the kept files make it again', async () => {
      const path = join(folder, 'on-lora.Modelfile');
      const json = await done(
        'create-from-base',
        '--base',
        'rugby-base',
        '--adapter',
        join(RUGBY, 'lora'),
        '--name',
        'on-lora',
        '--system',
        'Be brief.',
        '--temperature',
        '0',
        '--num-ctx',
        '256',
        '--out-modelfile',
        path,
      );
      expect(json).toMatchObject({ route: 'fuse', kept: [join(folder, 'on-lora-BF16.gguf'), path] });
      expect(readFileSync(path, 'utf8')).toBe(json['modelfile']);
      expect(json['modelfile']).toMatch(/^FROM \.\/on-lora-BF16\.gguf$/m);
      const [shown, base] = [await client.show('on-lora'), await client.show('rugby-base')];
      expect(shown).toMatchObject({ template: base.template, system: 'Be brief.' });
      expect(
        shown.parameters
          ?.split('\n')
          .map((line) => line.trim().replace(/\s+/, ' '))
          .sort(),
      ).toEqual(['num_ctx 256', 'stop "<|im_end|>"', 'temperature 0']);
      expect(await done('create', 'again', '-f', path)).toMatchObject({ route: 'direct', uploadedBytes: 0 });
    });

    it.each(Object.keys(EXPECTED).filter((adapter) => adapter !== 'base'))(
      '%s on an installed base: fused into it, template and stops kept',
      async (adapter) => {
        const json = await done(
          'create-from-base',
          '--base',
          'rugby-base',
          '--adapter',
          join(RUGBY, adapter),
          '--name',
          `into-${adapter}`,
        );
        expect(json).toMatchObject({ route: 'fuse', type: 'BF16', template: { exact: true } });
        await showsWhatWasMeant(`into-${adapter}`, json['modelfile'] as string, []);
        await answersLike(`into-${adapter}`, adapter);
      },
    );

    it('is not taken in by another model of that name in a folder here', async () => {
      const other = await RealOllama.start(program);
      try {
        const env = { ...other.environment, OLLAMA_MODELS: other.models };
        expect(
          (await runCli(['create', 'rugby-base', '--base', BASE, '--type', 'Q8_0', '--json'], { env })).json,
        ).toMatchObject({ ok: true });
        const wrong = await runCli(
          ['create-from-base', '--base', 'rugby-base', '--adapter', join(RUGBY, 'dora'), '--name', 'wrong', '--json'],
          { env: { ...env, OLLAMA_HOST: server.host } },
        );
        expect(wrong.json['error']).toMatchObject({
          code: 'ollama/file',
          message: expect.stringContaining('another file') as string,
        });
      } finally {
        await other.stop();
      }
    });

    it('refuses an adapter of another model, and a base that is nowhere', async () => {
      const { json } = await run(
        'create-from-base',
        '--base',
        'rugby-base',
        '--adapter',
        join(RUGBY, 'nothing'),
        '--name',
        'x',
      );
      expect(json['error']).toMatchObject({ code: 'input/missing' });
      const missing = await run(
        'create-from-base',
        '--base',
        'no-such-model',
        '--adapter',
        join(RUGBY, 'lora'),
        '--name',
        'x',
      );
      expect(missing.json['error']).toMatchObject({ code: 'ollama/model-missing' });
    });
  });

  it('an existing name is touched with --force only, and then kept as previous', async () => {
    await done('create', 'twice', '--base', BASE, '--adapter', join(RUGBY, 'lora'));
    const again = await run('create', 'twice', '--base', BASE, '--adapter', join(RUGBY, 'dora'));
    expect(again.json['error']).toMatchObject({ code: 'ollama/model-exists' });
    await answersLike('twice', 'lora');
    expect(await done('create', 'twice', '--base', BASE, '--adapter', join(RUGBY, 'embed'), '--force')).toMatchObject({
      previous: 'twice:previous',
    });
    await answersLike('twice', 'embed');
    await answersLike('twice:previous', 'lora');
  });

  it.each(['running', 'uploading', 'creating'] as const)(
    'a cancel while it is %s leaves neither a model nor a file',
    async (phase) => {
      const before = process.env['TMPDIR'];
      const temporary = mkdtempSync(join(folder, 'tmp-'));
      process.env['TMPDIR'] = temporary;
      try {
        const abort = new AbortController();
        const options = {
          client,
          signal: abort.signal,
          workers: 1,
          workerScript: join(DIST, 'worker.js'),
          bundleFolder: DIST,
        };
        const request = {
          name: 'cancelled',
          base: BASE,
          adapters: [{ path: join(RUGBY, 'dora'), weight: 1 }],
          fileType: 'Q4_K_M' as const,
          force: false,
        };
        const making = createFromArtefacts(await prepareCreateFrom(request, options), options);
        const cancelled = async (): Promise<void> => {
          for (let step = await making.next(); step.done !== true; step = await making.next()) {
            if (step.value.event === 'phase' && step.value.phase === phase) {
              expect(readdirSync(temporary)).toHaveLength(1);
              abort.abort();
            }
          }
        };
        await expect(cancelled()).rejects.toMatchObject({ code: 'run/cancelled' });
        expect(readdirSync(temporary)).toEqual([]);
        expect((await client.list()).filter(({ name }) => name.startsWith('cancelled'))).toEqual([]);
      } finally {
        if (before === undefined) {
          delete process.env['TMPDIR'];
        } else {
          process.env['TMPDIR'] = before;
        }
      }
    },
  );

  it.each(attaches ? ['fuse', 'gguf-adapter'] : ['fuse'])(
    '%s: an adapter that was trained with another chat template brings it, to TEMPLATE and into the GGUF',
    async (route) => {
      const adapter = join(folder, `other-template-${route}`);
      cpSync(join(RUGBY, 'lora'), adapter, { recursive: true });
      const jinja =
        "{% for message in messages %}{{ '### ' + message['role'] + ':\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '### assistant:\\n' }}{% endif %}";
      writeFileSync(
        join(adapter, 'tokenizer_config.json'),
        JSON.stringify({ eos_token: '<|im_end|>', chat_template: jinja }),
      );
      const name = `other-template-${route}`;
      const json = await done(
        'create',
        name,
        '--base',
        BASE,
        '--adapter',
        adapter,
        '--route',
        route,
        '--out-modelfile',
        join(adapter, 'Modelfile'),
      );
      expect(json).toMatchObject({ route, template: { exact: true } });
      const shown = await client.show(name);
      expect(shown.template).toContain('### assistant:');
      const kept = describeGguf((json['kept'] as readonly string[])[0]!).metadata.find(
        ({ key }) => key === 'tokenizer.chat_template',
      );
      expect(kept?.value).toBe(jinja);
      const prompt = await client.renderPrompt({ model: name, messages: [{ role: 'user', content: 'Hello?' }] });
      expect(prompt).toBe('### user:\nHello?<|im_end|>\n### assistant:\n');
    },
  );

  describe('every command that routes prints does what it says', () => {
    const gguf = (): string => join(folder, 'commands-base.gguf');
    beforeAll(async () => {
      await done('convert', '--base', BASE, '--type', 'Q8_0', '--out', gguf());
      await done('create', 'commands-base', '--base', gguf());
    });

    const LORA = join(RUGBY, 'lora');
    it.each([
      ['a folder', (): string => BASE],
      ['a GGUF', gguf],
      ['an installed model', (): string => 'commands-base'],
    ])('for %s', async (_what, base) => {
      let count = 0;
      for (const words of [
        [],
        ['--adapter', LORA],
        ['--adapter', `${LORA}=0.5`],
        ['--adapter', join(RUGBY, 'dora'), '--type', 'Q4_K_M'],
        ['--adapter', LORA, '--adapter', join(RUGBY, 'mlx-lora'), '--type', 'F16'],
      ]) {
        const judged = await done('routes', '--base', base(), ...words);
        for (const { route, works, commands, type } of judged['routes'] as readonly (RouteJson & {
          readonly type?: string;
          readonly commands: readonly string[];
        })[]) {
          for (const command of works ? commands : []) {
            const [program_, ...given] = command.split(' ');
            expect(program_).toBe('modelfile-studio');
            const made = await done(...given.map((word) => (word === 'NAME' ? 'printed' : word)), '--force');
            expect(made, command).toMatchObject({ route, answer: expect.any(String) as string });
            expect((await client.show('printed')).quantisation, command).toBe(type);
            count++;
          }
        }
      }
      expect(count).toBeGreaterThan(5);
    });
  });

  it('a Modelfile with FROM ./base and ADAPTER ./lora, where the command line of Ollama fails', async () => {
    const path = join(RUGBY, 'Modelfile.routes-test');
    writeFileSync(path, 'FROM ./base\nADAPTER ./lora\nPARAMETER stop <|im_end|>\n');
    try {
      await done('create', 'from-modelfile', '-f', path);
    } finally {
      rmSync(path);
    }
    await answersLike('from-modelfile', 'lora');
  });
});
