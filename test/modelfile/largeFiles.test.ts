import { describe, expect, it } from 'vitest';
import { toCreateRequest } from '../../src/core/modelfile/createRequest';
import { lintText } from '../../src/core/modelfile/lintModelfile';
import { marshalCreateRequest } from '../../src/core/modelfile/marshalCreateRequest';
import { parseModelfile } from '../../src/core/modelfile/parseModelfile';

const SIZE = 600 * 1024;
const lines =
  (make: (at: number) => string) =>
  (size: number): string => {
    let text = 'FROM x\n';
    for (let at = 0; text.length < size; at += 1) {
      text += make(at);
    }
    return text;
  };
const template =
  (make: (at: number) => string) =>
  (size: number): string =>
    `FROM x\nTEMPLATE """${lines(make)(size).slice(7)}"""\n`;

/** Files that no person writes, each the worst for some rule. */
const SHAPES: Readonly<Record<string, (size: number) => string>> = {
  'different stop texts': lines((at) => `PARAMETER stop "<|${at}|>"\n`),
  'one stop text': lines(() => 'PARAMETER stop a\n'),
  'unknown parameters': lines((at) => `PARAMETER t${at}emp 1\n`),
  'repeated parameters': lines(() => 'PARAMETER temperature 1\n'),
  'unknown words': lines(() => 'hello world\n\n'),
  'unknown words with values': lines(() => 'hello "world"\n\n'),
  'typing errors': lines(() => 'PARAMTER stop a\n\n'),
  'prose below SYSTEM': lines(() => 'SYSTEM You are\nvery kind\n'),
  'wrong roles': lines(() => 'MESSAGE  x\n'),
  messages: lines((at) => `MESSAGE ${at % 2 === 0 ? 'user' : 'assistant'} hi\n`),
  'several SYSTEM': lines(() => 'SYSTEM a\n'),
  'several TEMPLATE': lines(() => 'TEMPLATE {{ .Prompt }}\n'),
  'several FROM': lines(() => 'FROM x\n'),
  'several ADAPTER': lines(() => 'ADAPTER a.gguf\n'),
  'several REQUIRES': lines(() => 'REQUIRES 0.6\n'),
  comments: lines(() => '# a\n'),
  'comments that ignore nothing': lines((at) => `# modelfile-studio: ignore nothing${at}\n`),
  'comments that ignore': lines(() => '# modelfile-studio: ignore unknown-parameter\nPARAMETER x 1\n'),
  'one line': (size) => `FROM x\nSYSTEM ${'x'.repeat(size)}`,
  'a quote that never closes': (size) => `FROM x\nSYSTEM """${'PARAMETER stop a\n'.repeat(size / 17)}`,
  'dropped characters': (size) => `FROM x\nSYSTEM ${'\u200ba'.repeat(size / 2)}`,
  'a template of text': template(() => 'hello world\n'),
  'a template of actions': template((at) => `{{ .Field${at} }}`),
  'a template of opening braces': template(() => '{{'),
  'a template of errors': template(() => '{{ ) }}'),
  'nested blocks': (size) =>
    `FROM x\nTEMPLATE """${'{{ if . }}'.repeat(size / 19)}${'{{ end }}'.repeat(size / 19)}"""\n`,
  'nested loops': (size) =>
    `FROM x\nTEMPLATE """${'{{ range .Messages }}'.repeat(size / 30)}${'{{ end }}'.repeat(size / 30)}"""\n`,
};

/** Of processor time, the best of some runs. */
function milliseconds(action: () => unknown, runs: number): number {
  const times = Array.from({ length: runs }, () => {
    const start = process.cpuUsage();
    action();
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  });
  return Math.min(...times);
}

describe('large files', () => {
  it.each(Object.entries(SHAPES))('%s: diagnostics take time in proportion to the length', (_, make) => {
    const small = make(SIZE / 10);
    const large = make(SIZE);
    const diagnose = (text: string) => () => lintText(parseModelfile(text));
    const quick = milliseconds(diagnose(small), 4);
    // A quadratic rule would need a hundred times as long.
    expect(milliseconds(diagnose(large), 2)).toBeLessThan(30 * quick + 200);
  });

  it.each(['different stop texts', 'several FROM', 'messages', 'several ADAPTER'])(
    '%s: the request takes time in proportion to the length',
    async (name) => {
      const took = async (size: number): Promise<number> => {
        const { verdict } = parseModelfile(SHAPES[name]?.(size) ?? '');
        const commands = verdict.ok ? verdict.commands : [];
        const start = process.cpuUsage();
        const built = await toCreateRequest(commands, () =>
          Promise.resolve({ status: 'absent', error: 'stat: no such file' }),
        );
        expect(built.ok).toBe(name !== 'several ADAPTER');
        if (built.ok) {
          marshalCreateRequest(built.request);
        }
        const { user, system } = process.cpuUsage(start);
        return (user + system) / 1000;
      };
      await took(SIZE / 10);
      const quick = await took(SIZE / 10);
      expect(await took(SIZE)).toBeLessThan(30 * quick + 200);
    },
  );

  it('of a template above 1 MiB only the syntax is checked, and that is said', () => {
    const large = (action: string): string => `FROM x\nTEMPLATE """${'hello world\n'.repeat(100_000)}${action}"""\n`;
    expect(lintText(parseModelfile(large('{{ .Nonsense }}'))).map(({ code }) => code)).toEqual([
      'modelfile/large-file',
    ]);
    const [notice, error] = lintText(parseModelfile(large('{{ if }}')));
    expect(notice).toMatchObject({
      severity: 'information',
      message: 'The template is larger than 1 MiB: only its grammar is checked.',
    });
    expect(error).toMatchObject({
      code: 'modelfile/template-syntax',
      severity: 'error',
      message: expect.stringContaining('template: :100001: missing value for if') as unknown,
    });
  });

  it('of findings of one code a thousand are told, and how many more there are', () => {
    const found = lintText(parseModelfile(`FROM x\n${'PARAMETER temprature 1\n'.repeat(2500)}`)).filter(
      ({ code }) => code === 'modelfile/unknown-parameter',
    );
    expect(found).toHaveLength(1001);
    expect(found.at(-1)).toMatchObject({ severity: 'error', message: '1500 more like those above.', fixes: [] });
    expect(new Set(found.map(({ span }) => span.start)).size).toBe(1001);
  });
});
