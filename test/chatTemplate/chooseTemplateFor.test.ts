import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseTemplateFor, readChatFormat } from '../../src/node/jinja/chooseTemplate';
import { CLI, FIXTURES, runCli, runCliOk } from '../support/cli';
import { familyTemplates } from '../support/familyTemplates';

const bundleFolder = join(CLI, '..');
const BASE = join(FIXTURES, 'rugby/base');
const LORA = join(FIXTURES, 'rugby/lora');

describe('template and stops for a model on disk', () => {
  let folder = '';
  let base = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'modelfile-studio-choice-'));
    base = join(folder, 'base');
    cpSync(BASE, base, { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const write = (name: string, value: unknown, where = base): void =>
    writeFileSync(join(where, name), typeof value === 'string' ? value : JSON.stringify(value));
  const read = (name: string): Record<string, unknown> =>
    JSON.parse(readFileSync(join(base, name), 'utf8')) as Record<string, unknown>;
  const jinjaOf = async (name: string): Promise<string> =>
    (await familyTemplates()).find((family) => family.name === name)!.jinja;

  it('of a folder are ChatML with the reasons for its stop', async () => {
    const choice = await chooseTemplateFor(base, { bundleFolder });
    expect(choice).toMatchObject({ origin: 'generated', exact: true, notes: [], jinjaWins: false });
    expect(choice.stops).toEqual([
      {
        text: '<|im_end|>',
        reason: 'the template ends an answer with it; generation_config.json ends an answer with it',
      },
    ]);
    expect(choice.comparison?.compared.length).toBe(13);
  });

  it('of the GGUF that is made from it are the same', async () => {
    const gguf = join(folder, 'rugby.gguf');
    await runCliOk(['convert', '--base', base, '--type', 'F16', '--out', gguf]);
    const [fromFolder, fromGguf] = [
      await chooseTemplateFor(base, { bundleFolder }),
      await chooseTemplateFor(gguf, { bundleFolder }),
    ];
    expect(fromGguf.template).toBe(fromFolder.template);
    expect(fromGguf.stops.map(({ text }) => text)).toEqual(fromFolder.stops.map(({ text }) => text));
    expect((await readChatFormat(gguf)).addsBos).toBe((await readChatFormat(base)).addsBos);
  }, 30_000);

  it('follow a template that the adapter was trained with, and say so', async () => {
    const lora = join(folder, 'lora');
    cpSync(LORA, lora, { recursive: true });
    write('tokenizer_config.json', { ...read('tokenizer_config.json') }, lora);
    write('chat_template.jinja', await jinjaOf('phi3.5:3.8b'), lora);
    const choice = await chooseTemplateFor(base, { bundleFolder, adapter: lora });
    expect(choice.template).toContain('<|assistant|>');
    expect(choice.stops.map(({ text }) => text)).toEqual(['<|end|>', '<|im_end|>']);
    expect(choice.notes.at(-1)).toMatch(/^The adapter's folder has a chat template of its own/);
  });

  it('list every end token, each with who says so', async () => {
    const added = read('tokenizer.json')['added_tokens'] as { id: number; content: string }[];
    expect(added.length).toBeGreaterThan(1);
    write('generation_config.json', {
      eos_token_id: added.slice(0, 2).map(({ id }) => id),
      temperature: 0.6,
      top_k: 20,
      top_p: 0.95,
      repetition_penalty: 1.1,
    });
    const choice = await chooseTemplateFor(base, { bundleFolder });
    const said = choice.stops.filter(({ reason }) => reason.includes('generation_config.json')).map(({ text }) => text);
    expect(said.sort()).toEqual(
      added
        .slice(0, 2)
        .map(({ content }) => content)
        .sort(),
    );
    expect(choice.parameters).toEqual([
      { name: 'temperature', value: 0.6, reason: 'generation_config.json' },
      { name: 'top_p', value: 0.95, reason: 'generation_config.json' },
      { name: 'top_k', value: 20, reason: 'generation_config.json' },
      { name: 'repeat_penalty', value: 1.1, reason: 'generation_config.json' },
    ]);
  });

  it('take parameters and stops of the library model that the files say it began from', async () => {
    write('config.json', { ...read('config.json'), _name_or_path: 'Qwen/Qwen3-0.6B' });
    const choice = await chooseTemplateFor(base, { bundleFolder });
    expect(choice.parameters).toContainEqual({
      name: 'temperature',
      value: 0.6,
      reason: 'as qwen3:0.6b of the library has it',
    });
    expect(choice.stops.map(({ text }) => text)).toEqual(['<|im_end|>', '<|im_start|>']);
    // Its template knows tools, which this model's own does not: it is not taken.
    expect(choice).toMatchObject({ origin: 'generated', exact: true });
  });

  it('take RENDERER, PARSER and licence over only from a base that is that library model', async () => {
    const choice = await chooseTemplateFor(base, {
      bundleFolder,
      base: {
        model: 'qwen3-coder:30b',
        renderer: 'qwen3-coder',
        parser: 'qwen3-coder',
        license: ['Apache'],
        parameters: { top_k: 1 },
        stops: ['<|x|>'],
      },
    });
    expect(choice).toMatchObject({
      renderer: 'qwen3-coder',
      parser: 'qwen3-coder',
      license: ['Apache'],
      parameters: [{ name: 'top_k', value: 1 }],
    });
    expect(choice.stops.map(({ text }) => text)).toContain('<|x|>');
    expect(await chooseTemplateFor(base, { bundleFolder })).toMatchObject({
      renderer: undefined,
      parser: undefined,
      license: undefined,
    });
  });

  it('prefer the template of the base where that is as right', async () => {
    const template =
      '{{ range $i, $_ := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 }}<|im_start|>{{ .Role }}\n{{ .Content }}{{ if not (and $last (eq .Role "assistant")) }}<|im_end|>\n{{ end }}{{ if and $last (ne .Role "assistant") }}<|im_start|>assistant\n{{ end }}{{ end }}';
    const right = await chooseTemplateFor(base, { bundleFolder, base: { model: 'own:1b', template } });
    expect(right).toMatchObject({ origin: 'base', model: 'own:1b', exact: true, template });
    const wrong = await chooseTemplateFor(base, {
      bundleFolder,
      base: { model: 'own:1b', template: template.replace('<|im_end|>\n{{ end }}', '<|im_end|>{{ end }}') },
    });
    expect(wrong).toMatchObject({ origin: 'generated', exact: true });
  });

  it('are none for a model without a chat template, and say what that means', async () => {
    rmSync(join(base, 'chat_template.jinja'));
    const choice = await chooseTemplateFor(base, { bundleFolder });
    expect(choice).toMatchObject({ origin: 'none', template: undefined, exact: false });
    expect(choice.notes).toEqual([expect.stringContaining('no chat template') as string]);
    expect(choice.stops.map(({ text }) => text)).toEqual(['<|im_end|>']);
  });

  it('write a date as the model does, today', async () => {
    write(
      'chat_template.jinja',
      "{{ 'Today: ' + strftime_now('%d %b %Y') + '\n' }}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    );
    const dated = await chooseTemplateFor(base, { bundleFolder });
    expect(dated.exact).toBe(true);
    expect(dated.template).toContain('{{ slice currentDate 0 4 }}');
    write(
      'chat_template.jinja',
      "{{ strftime_now('%A %H:%M') }}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    );
    const beyond = await chooseTemplateFor(base, { bundleFolder });
    expect(beyond.exact).toBe(false);
    expect(beyond.notes.length).toBeGreaterThan(0);
  });

  it('keep a text at the top that looks like a variable of Go', async () => {
    write(
      'chat_template.jinja',
      "{{ 'A word costs $.50.\n' }}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    );
    const { exact, template } = await chooseTemplateFor(base, { bundleFolder });
    expect(template).toContain('A word costs $.50.');
    expect(exact).toBe(true);
  });

  it('are what the command line tells of a path', async () => {
    const run = await runCli(['template', base, '--params', '--json']);
    expect(run.json).toMatchObject({
      ok: true,
      origin: 'generated',
      exact: true,
      instructions: {
        template: expect.stringMatching(/^TEMPLATE """/) as string,
        parameters: ['PARAMETER stop "<|im_end|>"'],
      },
    });
    // A folder that is here is meant before a model of that name elsewhere is.
    const named = await runCli(['template', 'base', '--params', '--json', '--offline'], { cwd: folder });
    expect(named.json).toMatchObject({ ok: true, origin: 'generated' });
    rmSync(join(base, 'chat_template.jinja'));
    expect((await runCli(['template', base])).stderr).toContain('template/missing');
    expect((await runCli(['template', join(folder, 'nothing')])).stderr).toContain('input/missing');
  }, 30_000);
});
