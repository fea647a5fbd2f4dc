import {
  cpSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
  lstatSync,
  readdirSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatCommand } from '../../src/cli/commands/format';
import { lintCommand } from '../../src/cli/commands/lint';
import { parseCommand } from '../../src/cli/commands/parse';

let folder = '';
const { signal } = new AbortController();
/** Which Ollama was judged for, where 0.34.4 is given. */
const JUDGED = {
  version: '0.34.4',
  source: 'given',
  isNewerThanKnown: false,
  judged: 'judged for Ollama 0.34.4, the version that was given',
};
const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'modelfile-commands-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('parse', () => {
  it('gives what Ollama would send, as Go writes it', async () => {
    const path = write('Modelfile', 'FROM x\nPARAMETER temperature 0.7\n');
    const { exitCode, json } = await parseCommand({ paths: [path], json: true, signal, ollamaVersion: '0.34.4' });
    expect(exitCode).toBe(0);
    // The example of the command line's contract.
    expect(JSON.stringify(json)).toBe(
      JSON.stringify({
        ollama: JUDGED,
        files: [
          {
            path,
            ok: true,
            commands: [
              { name: 'model', args: 'x' },
              { name: 'temperature', args: '0.7' },
            ],
            request: { model: '', from: 'x', parameters: { temperature: 0.7 }, name: '' },
          },
        ],
      }),
    );
  });

  it('keeps numbers that JavaScript has not', async () => {
    const path = write('Modelfile', 'FROM x\nPARAMETER seed 9223372036854775807\nPARAMETER top_p -0\n');
    const { json } = await parseCommand({ paths: [path], json: true, signal });
    expect(JSON.stringify(json)).toContain('"parameters":{"seed":9223372036854775807,"top_p":-0}');
  });

  it('goes on after a bad file, and says why it is bad', async () => {
    const paths = [
      join(folder, 'none'),
      write('bad', 'FROM x\nNONSENSE y\n'),
      write('worse', 'FROM x\nPARAMETER top_k hot\n'),
      folder,
    ];
    const { exitCode, json } = await parseCommand({ paths, json: true, signal });
    expect(exitCode).toBe(1);
    expect((json as { files: unknown[] }).files).toMatchObject([
      { path: paths[0], ok: false, error: { code: 'input/missing' } },
      {
        path: paths[1],
        ok: false,
        error: expect.stringMatching(/^\(line 2\): command must be one of/) as string,
        line: 2,
      },
      { path: paths[2], ok: true, requestError: 'invalid int value [hot]' },
      { path: paths[3], ok: false, error: { code: 'input/not-regular' } },
    ]);
  });
});

describe('lint', () => {
  it('prints file, line, column, severity, code and message', async () => {
    const path = write('Modelfile', 'FROM ./none.gguf\nPARAMETER temprature 1\nSYSTEM ""\n');
    const { exitCode, text } = await lintCommand({ paths: [path], json: false, signal, ollamaVersion: '0.34.4' });
    expect(exitCode).toBe(1);
    expect(text.split('\n').at(-1)).toBe(JUDGED.judged);
    expect(
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => line.split(': ').slice(0, 2).join(': ')),
    ).toEqual([
      `${path}:1:6: information modelfile/from-missing-path`,
      `${path}:2:11: error modelfile/unknown-parameter`,
      `${path}:3:1: warning modelfile/system-empty`,
    ]);
  });

  it('has ranges and fixes in its JSON', async () => {
    const path = write('Modelfile', 'FROM x\nPARAMETER temprature 1\n');
    const { json } = await lintCommand({ paths: [path], json: true, signal, ollamaVersion: '0.34.4' });
    const range = { start: { line: 1, character: 10 }, end: { line: 1, character: 20 } };
    expect(json).toEqual({
      ollama: JUDGED,
      files: [
        {
          path,
          diagnostics: [
            {
              code: 'modelfile/unknown-parameter',
              severity: 'error',
              message: expect.stringContaining('Did you mean temperature?') as string,
              range,
              fixes: [{ title: 'Write temperature', sure: true, edits: [{ range, newText: 'temperature' }] }],
            },
          ],
        },
      ],
    });
  });

  it('fixes what is sure, in place, through links and in the file’s own encoding', async () => {
    const text = 'FROM x\r\nPARAMETER temprature 0,7\r\nSYSTEM ""\r\n';
    const path = write('Modelfile', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]));
    chmodSync(path, 0o640);
    const link = join(folder, 'link');
    symlinkSync(path, link);
    const { exitCode, json } = await lintCommand({
      paths: [link],
      json: true,
      fix: true,
      signal,
      ollamaVersion: '0.34.4',
    });
    expect(exitCode).toBe(0);
    expect(json).toEqual({ ollama: JUDGED, files: [{ path: link, fixed: true, diagnostics: [] }] });
    expect(readFileSync(path).subarray(2).toString('utf16le')).toBe('FROM x\r\nPARAMETER temperature 0.7\r\n');
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['Modelfile', 'link']);
  });

  it('writes no file that holds bytes which are no text', async () => {
    const bytes = Buffer.concat([
      Buffer.from('FROM x\nSYSTEM "'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"\nPARAMETER temprature 1\n'),
    ]);
    const path = write('Modelfile', bytes);
    const { exitCode, json } = await lintCommand({ paths: [path], json: true, fix: true, signal });
    expect(exitCode).toBe(1);
    expect(json).toMatchObject({ files: [{ ok: false, error: { code: 'modelfile/encoding' } }] });
    expect(readFileSync(path)).toEqual(bytes);
  });

  it('makes a SARIF log with rules, places and replacements', async () => {
    const path = write('Model file', 'FROM x\nPARAMETER temprature 1\n');
    const { json, text } = await lintCommand({ paths: [path], json: false, sarif: true, signal });
    expect(JSON.parse(text)).toEqual(json);
    const region = { startLine: 2, startColumn: 11, endLine: 2, endColumn: 21 };
    const uri = `file://${folder}/Model%20file`;
    expect(json).toMatchObject({
      version: '2.1.0',
      runs: [
        {
          tool: { driver: { name: 'modelfile-studio' } },
          results: [
            {
              ruleId: 'modelfile/unknown-parameter',
              level: 'error',
              locations: [{ physicalLocation: { artifactLocation: { uri }, region } }],
              fixes: [
                {
                  artifactChanges: [
                    { replacements: [{ deletedRegion: region, insertedContent: { text: 'temperature' } }] },
                  ],
                },
              ],
            },
          ],
        },
      ],
    });
  });

  it('checks against the version that is asked for, and asks no server by itself', async () => {
    const path = write('Modelfile', 'FROM x\nRENDERER qwen3.5\nPARSER qwen3.5\n');
    const codes = async (ollamaVersion?: string): Promise<string[]> => {
      const { json } = await lintCommand({ paths: [path], json: true, ollamaVersion, signal });
      return (
        (json as { files: { diagnostics: { code: string }[] }[] }).files[0]?.diagnostics.map(({ code }) => code) ?? []
      );
    };
    expect(await codes()).toEqual([]);
    expect(await codes('0.16.0')).toEqual(['modelfile/too-new', 'modelfile/too-new']);
    expect(await codes('0.17.1')).toEqual([]);
  });

  it('shows no control characters of the file', async () => {
    const path = write('Modelfile', 'FROM x\nPARAMETER stop "\\n\u001b[2J"\nMESSAGE \u202euser hi\n');
    const { text } = await lintCommand({ paths: [path], json: false, signal });
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });

  it('looks at adapters and bases beside the file', async () => {
    for (const name of ['base', 'mlx-lora']) {
      cpSync(new URL(`../fixtures/rugby/${name}`, import.meta.url).pathname, join(folder, name), { recursive: true });
    }
    const path = write('Modelfile', 'FROM ./base\nADAPTER ./mlx-lora\n');
    const { exitCode, json } = await lintCommand({ paths: [path], json: true, signal, ollamaVersion: '0.32.15' });
    expect(exitCode).toBe(0);
    expect(
      (json as { files: { diagnostics: { code: string }[] }[] }).files[0]?.diagnostics.map(({ code }) => code),
    ).toEqual(
      expect.arrayContaining([
        'modelfile/from-unsupported-architecture',
        'modelfile/adapter-directory',
        'modelfile/adapter-scale-lost',
      ]),
    );
  });
});

describe('format', () => {
  it('formats in place, and says with --check what it would do', async () => {
    const path = write('Modelfile', 'from x\n\n\n\nsystem y\n');
    const checked = await formatCommand({ paths: [path], json: true, check: true, signal });
    expect(checked).toMatchObject({ exitCode: 1, json: { files: [{ path, ok: true, changed: true }] } });
    expect(readFileSync(path, 'utf8')).toBe('from x\n\n\n\nsystem y\n');
    expect((await formatCommand({ paths: [path], json: true, signal })).exitCode).toBe(0);
    expect(readFileSync(path, 'utf8')).toBe('FROM x\n\nSYSTEM y\n');
    expect(await formatCommand({ paths: [path], json: true, check: true, signal })).toMatchObject({
      exitCode: 0,
      json: { files: [{ changed: false }] },
    });
  });

  it('leaves files alone that Ollama would not read', async () => {
    const path = write('Modelfile', 'from x\nNONSENSE y\n');
    const { exitCode, json } = await formatCommand({ paths: [path, join(folder, 'none')], json: true, signal });
    expect(exitCode).toBe(1);
    expect(json).toMatchObject({
      files: [
        { ok: false, error: { code: 'modelfile/syntax', line: 2 } },
        { ok: false, error: { code: 'input/missing' } },
      ],
    });
    expect(readFileSync(path, 'utf8')).toBe('from x\nNONSENSE y\n');
  });

  it('ends when it is cancelled', async () => {
    const path = write('Modelfile', 'from x\n');
    await expect(formatCommand({ paths: [path], json: true, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'run/cancelled',
    });
    await expect(lintCommand({ paths: [path], json: true, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'run/cancelled',
    });
    await expect(parseCommand({ paths: [path], json: true, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'run/cancelled',
    });
  });
});
