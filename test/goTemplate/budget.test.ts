import { describe, expect, it } from 'vitest';
import {
  executeTemplate,
  type ExecutionOptions,
  type TemplateExecution,
} from '../../src/core/goTemplate/executeTemplate';
import { NO_VALUES, plainMessage } from '../../src/core/goTemplate/ollama/conversation';
import { parseTemplate, parseTemplateTolerantly } from '../../src/core/goTemplate/parseTemplate';

const values = { ...NO_VALUES, messages: [plainMessage('user', 'hi')] };

function run(text: string, options?: ExecutionOptions): TemplateExecution {
  const parsed = parseTemplate(text);
  if (!parsed.ok) {
    throw new Error(parsed.error);
  }
  return executeTemplate(parsed.template, values, options);
}

/** Of processor time: what else runs on the machine does not count. */
function milliseconds(action: () => unknown): number {
  const start = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** Of several runs, for compiling and collecting only ever add. */
function best(action: () => unknown, runs = 3): number {
  return Math.min(...Array.from({ length: runs }, () => milliseconds(action)));
}

const IF = '{{ if .Messages }}';
const END = '{{ end }}';
const pyramid = Array.from(
  { length: 30 },
  (_, i) => `{{ define "t${i}" }}{{ template "t${i + 1}" . }}{{ template "t${i + 1}" . }}{{ end }}`,
).join('');

describe('a template that would not end', () => {
  it.each([
    ['counts to a billion', '{{ range 1000000000 }}x{{ end }}', 'steps'],
    ['counts to a billion and writes nothing', '{{ range 1000000000 }}{{ end }}', 'steps'],
    ['counts within counting', '{{ range 1000000 }}{{ range 1000000 }}{{ end }}{{ end }}', 'steps'],
    ['pads without end', '{{ range 1000000 }}{{ printf "%1000000d" 1 }}{{ end }}', 'bytes'],
    ['doubles a text', '{{ $x := "ab" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}{{ len $x }}', 'bytes'],
    ['escapes what it escaped', '{{ $x := "<" }}{{ range 40 }}{{ $x = html $x $x }}{{ end }}', 'bytes'],
    [
      'calls two templates at thirty levels',
      `${IF}${END}${pyramid}{{ define "t30" }}x{{ end }}{{ template "t0" . }}`,
      'steps',
    ],
    [
      'compares long texts',
      `${IF}${END}{{ $a := printf "%1000000d" 1 }}{{ $b := printf "%1000000d" 1 }}{{ range 1000000 }}{{ if eq $a $b }}{{ end }}{{ end }}`,
      'steps',
    ],
    ['marshals on and on', '{{ range 100000000 }}{{ $x := json $.Messages }}{{ end }}', 'bytes'],
    ['nests calls of functions', `${IF}{{ ${'(not '.repeat(5000)}1${')'.repeat(5000)} }}${END}`, 'nested'],
  ])('%s: it ends within its budget', (_name, text, what) => {
    let result: TemplateExecution | undefined;
    const took = milliseconds(() => {
      result = run(text);
    });
    expect(result).toMatchObject({ ok: false, fault: 'budget' });
    expect(result?.ok === false ? result.error : '').toMatch(new RegExp(`^template/budget: rendering takes .*${what}`));
    // About a second.
    expect(took).toBeLessThan(10_000);
  });

  it('may have a smaller budget, as a preview gives it', () => {
    expect(run('{{ range 1000 }}x{{ end }}', { budget: { steps: 100 } })).toMatchObject({ ok: false, fault: 'budget' });
    expect(run('{{ range 1000 }}x{{ end }}', { budget: { bytes: 100 } })).toMatchObject({ ok: false, fault: 'budget' });
    expect(run('{{ range 10 }}x{{ end }}', { budget: { steps: 100, bytes: 100 } })).toMatchObject({
      ok: true,
      text: 'x'.repeat(10),
    });
  });

  it('recursion ends where it ends in Go, with its words', () => {
    const text = `{{ define "a" }}{{ template "a" . }}{{ end }}${IF}${END}{{ template "a" . }}`;
    expect(run(text)).toMatchObject({
      ok: false,
      fault: 'error',
      error: 'template: :1:28: executing "a" at <{{template "a" .}}>: exceeded maximum template depth (100000)',
    });
  });
});

describe('what is large but legal', () => {
  it('renders: long loops, deep blocks, long chains, thousands of parentheses', () => {
    expect(run('{{ range 100000 }}x{{ end }}')).toMatchObject({ ok: true, text: 'x'.repeat(100_000) });
    expect(run(`${IF.repeat(20_000)}x${END.repeat(20_000)}`)).toMatchObject({ ok: true, text: 'x' });
    expect(run(`${'{{ with $.Prompt }}'.repeat(20_000)}{{ . }}${END.repeat(20_000)}`)).toMatchObject({
      ok: true,
      text: 'hi',
    });
    expect(run(`${IF}${END}{{ if false }}${'{{ else if false }}'.repeat(20_000)}{{ else }}y${END}`)).toMatchObject({
      ok: true,
      text: 'y',
    });
    expect(run(`${IF}{{ ${'('.repeat(9999)}1${')'.repeat(9999)} }}${END}`)).toMatchObject({ ok: true, text: '1' });
    expect(run(`{{ ${'('.repeat(9999)}.Prompt${')'.repeat(9999)} }}`)).toMatchObject({ ok: true, text: 'hi' });
    expect(run(`${IF}{{ 1 ${'| print '.repeat(10_000)}}}${END}`)).toMatchObject({ ok: true, text: '1' });
    expect(run(`${IF}${END}${'{{ $a := 1 }}'.repeat(20_000)}{{ $a }}`)).toMatchObject({ ok: true, text: '1' });
    expect(run('{{ if .Prompt }}'.repeat(20_000) + '{{ .Response }}x' + END.repeat(20_000))).toMatchObject({
      ok: true,
      text: '',
    });
  });

  it('an expression nested deeper than the budget is refused in its words only at run time', () => {
    expect(parseTemplate(`{{ ${'('.repeat(10_000)}1${')'.repeat(10_000)} }}`).ok).toBe(true);
    expect(parseTemplate(`{{ ${'('.repeat(10_001)}1${')'.repeat(10_001)} }}`)).toMatchObject({
      ok: false,
      error: 'template: :1: max expression depth exceeded',
    });
  });
});

const SHAPES: Readonly<Record<string, (size: number) => string>> = {
  'one line of text': (size) => 'x'.repeat(size),
  'lines of text': (size) => 'hello world\n'.repeat(size / 12),
  'opening braces': (size) => '{'.repeat(size),
  actions: (size) => '{{ .A }}\n'.repeat(size / 9),
  'short actions': (size) => '{{.}}'.repeat(size / 5),
  blocks: (size) => '{{if .}}x{{end}}'.repeat(size / 16),
  'open blocks': (size) => '{{if .}}'.repeat(size / 8),
  'an unclosed string': (size) => `{{ "${'a'.repeat(size)}`,
  'an unclosed raw string': (size) => `{{ \`${'a\n'.repeat(size / 2)}`,
  'an unclosed comment': (size) => `{{/* ${'* '.repeat(size / 2)}`,
  comments: (size) => '{{/* a */}}'.repeat(size / 11),
  'spaces in an action': (size) => `{{ ${' '.repeat(size)}`,
  'spaces before a trimmed action': (size) => `${' \n'.repeat(size / 2)}{{- .A }}`,
  'spaces that are not trimmed': (size) => `x${' '.repeat(size)}{{ .A }}`,
  parentheses: (size) => `{{ ${'('.repeat(size)}`,
  arguments: (size) => `{{ print ${'1 '.repeat(size / 2)}}}`,
  'a chain': (size) => `{{ ${'.A'.repeat(size / 2)} }}`,
  'a pipeline': (size) => `{{ 1 ${'|print'.repeat(size / 6)} }}`,
  variables: (size) => '{{$a:=1}}'.repeat(size / 9),
  'else if': (size) => `{{if .}}${'{{else if .}}'.repeat(size / 13)}{{end}}`,
  definitions: (size) => '{{define "a"}}{{end}}'.repeat(size / 21),
  llamas: (size) => '🦙'.repeat(size / 4),
  errors: (size) => '{{ ) }}'.repeat(size / 7),
  'ends without a beginning': (size) => '{{end}}'.repeat(size / 7),
};

/** Shapes of which every few characters become nodes. */
const DENSE: ReadonlySet<string> = new Set([
  'actions',
  'short actions',
  'blocks',
  'open blocks',
  'arguments',
  'variables',
  'else if',
  'definitions',
  'a chain',
  'a pipeline',
  'comments',
]);
const MIB = 1024 * 1024;

describe('large texts', () => {
  it.each(Object.keys(SHAPES))('%s: takes time in proportion to its length', (name) => {
    const make = SHAPES[name];
    const size = DENSE.has(name) ? MIB : 4 * MIB;
    const large = make?.(size) ?? '';
    const small = make?.(size / 10) ?? '';
    for (const parse of [parseTemplate, parseTemplateTolerantly]) {
      parse(small);
      const quick = best(() => parse(small), 5);
      const slow = best(() => parse(large));
      // A quadratic reader would need a hundred times as long; memory that has to be collected makes it more than ten.
      expect(slow, parse.name).toBeLessThan(Math.max(250, 40 * quick));
    }
  });
});
