import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderCommand, type RenderCommandArgs } from '../../src/cli/commands/render';
import { StudioError } from '../../src/core/errors';

let folder = '';
const path = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'render-'));
  const put = (name: string, content: string | Uint8Array): void => writeFileSync(path(name), content);
  put(
    'conversations.json',
    '{"hello": {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]}, "2": {"messages": []}}',
  );
  put('list.json', '[]');
  put('broken.json', '{"a": ');
  put('chat.gotmpl', '{{ .System }}|{{ .Prompt }}|{{ .Response }}|');
  put('wrong.tmpl', 'a\n{{ if }}');
  put('fails.TXT', '{{ .Messages.X }}');
  put('panics.txt', '{{ if .Response }}{{ .Response }}{{ else }}x{{ end }}');
  put('bytes.txt', Uint8Array.from([0xef, 0xbb, 0xbf, 0x61, 0xff, 0x1b]));
  put(
    'Modelfile',
    'FROM x\nTEMPLATE """first"""\nSYSTEM ignored\nTEMPLATE """\n{{- .System }} says {{ .Prompt }}"""\n',
  );
  put('Modelfile.none', 'FROM x\n');
  put('Modelfile.wrong', 'FROM x\nWHAT is this\n');
  put('Modelfile.template', 'FROM x\nTEMPLATE """a\n{{ nosuch }}"""\n');
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly files: readonly Record<string, unknown>[];
}

async function render(
  names: readonly string[],
  options: Partial<RenderCommandArgs> = {},
): Promise<{ exitCode: number; files: Answer['files']; text: string }> {
  const result = await renderCommand({
    paths: names.map(path),
    conversations: path('conversations.json'),
    json: true,
    signal: new AbortController().signal,
    ...options,
  });
  return {
    exitCode: result.exitCode,
    files: (JSON.parse(JSON.stringify(result.json)) as Answer).files,
    text: result.text,
  };
}

describe('render', () => {
  it('renders every file with every conversation', async () => {
    const { exitCode, files } = await render(['chat.gotmpl', 'Modelfile']);
    expect(exitCode).toBe(0);
    expect(files).toEqual([
      {
        path: path('chat.gotmpl'),
        ok: true,
        rendered: { hello: { ok: true, text: 'S|U|' }, 2: { ok: true, text: '||' } },
      },
      {
        path: path('Modelfile'),
        ok: true,
        rendered: { hello: { ok: true, text: 'S says U' }, 2: { ok: true, text: ' says ' } },
      },
    ]);
  });

  it('a bad file has its entry and does not stop the others', async () => {
    const { exitCode, files } = await render([
      'wrong.tmpl',
      'Modelfile.wrong',
      'Modelfile.template',
      'Modelfile.none',
      'nothing',
      'chat.gotmpl',
    ]);
    expect(exitCode).toBe(1);
    expect(files.slice(0, 3)).toEqual([
      { path: path('wrong.tmpl'), ok: false, error: 'template: :2: missing value for if', line: 2 },
      {
        path: path('Modelfile.wrong'),
        ok: false,
        error: expect.stringMatching(/^\(line 2\): command must be one of/) as unknown,
        line: 2,
      },
      { path: path('Modelfile.template'), ok: false, error: 'template: :2: function "nosuch" not defined', line: 2 },
    ]);
    expect(files[3]).toMatchObject({ ok: false, error: { code: 'template/missing', path: path('Modelfile.none') } });
    expect(files[4]).toMatchObject({ ok: false, error: { code: 'input/missing' } });
    expect(files[5]).toMatchObject({ ok: true });
  });

  it('an execution that fails, or panics in Ollama, is not ok', async () => {
    const { exitCode, files } = await render(['fails.TXT', 'panics.txt']);
    expect(exitCode).toBe(1);
    expect(files).toMatchObject([
      {
        ok: true,
        rendered: {
          hello: {
            ok: false,
            fault: 'error',
            line: 1,
            error: 'template: :1:12: executing "" at <.Messages.X>: can\'t evaluate field X in type interface {}',
          },
        },
      },
      {
        ok: true,
        rendered: { hello: { ok: false, fault: 'panic', error: expect.stringContaining('panics') as unknown } },
      },
    ]);
  });

  it('takes bytes as Go does, and shows people no control characters', async () => {
    const { files, text } = await render(['bytes.txt']);
    expect(files[0]).toMatchObject({ rendered: { hello: { ok: true, text: '\ufeffa\ufffd\u001b' } } });
    expect(text).toContain('\\ufeffa\ufffd\\u001b');
    expect(text).not.toContain('\u001b');
  });

  it.each([
    ['list.json', 'template/values'],
    ['broken.json', 'json/syntax'],
    ['missing.json', 'input/missing'],
  ])('refuses %s as conversations: %s', async (name, code) => {
    const failure = render(['chat.gotmpl'], { conversations: path(name) });
    await expect(failure).rejects.toBeInstanceOf(StudioError);
    await expect(failure).rejects.toMatchObject({ code, path: path(name) });
  });
});
