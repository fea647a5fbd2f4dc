import type { Random } from './random';

const ROOT_FIELDS = [
  '.System',
  '.Prompt',
  '.Response',
  '.Suffix',
  '.Messages',
  '.Tools',
  '.Think',
  '.ThinkLevel',
  '.IsThinkSet',
  '.Foo',
  '.messages',
  '.System.X',
  '.Foo.Bar',
  '.Messages.X',
  '.Tools.String',
  '$.System',
  '$.Messages',
  '$.Tools',
  '$.Response',
  '.Ünï',
];
/** What the dot can be, and the fields that it has then. */
const FIELDS = {
  root: ROOT_FIELDS.slice(0, 9),
  message: ['.Role', '.Content', '.Thinking', '.Images', '.ToolCalls', '.ToolName', '.ToolCallID'],
  call: [
    '.ID',
    '.Function',
    '.Function.Name',
    '.Function.Arguments',
    '.Function.Index',
    '.Function.Arguments.city',
    '.Function.Arguments.a.b',
  ],
  tool: [
    '.Type',
    '.Items',
    '.Function',
    '.Function.Name',
    '.Function.Description',
    '.Function.Parameters',
    '.Function.Parameters.Properties',
    '.Function.Parameters.Required',
    '.Function.Parameters.Type',
    '.Function.Parameters.Defs',
    '.Function.Parameters.Items',
    '.String',
    '.Function.Parameters.Properties.city',
    '.Function.Parameters.Properties.String',
  ],
  property: [
    '.AnyOf',
    '.Type',
    '.Items',
    '.Description',
    '.Enum',
    '.Properties',
    '.Required',
    '.ToTypeScriptType',
    '.Properties.Len',
    '.Properties.ToMap',
    '.Properties.All',
    '.Properties.MarshalJSON',
    '.Type.String',
    '.Type.MarshalJSON',
  ],
  other: [
    '.city',
    '.unit',
    '.a.b',
    '.Properties.Set "a" .',
    '.Properties.Get "a"',
    '.Properties.om',
    '.Properties.Len 1',
    '.role',
    '.X',
    '.String',
    '.Content',
    '.Function.Name',
    '.Type',
  ],
} as const;
type Dot = keyof typeof FIELDS;
const EVERY_FIELD = Object.values(FIELDS).flat();
/** What to range over where the dot is of a kind, and what the dot is inside. */
const LOOPS: Readonly<Record<Dot, readonly (readonly [string, Dot])[]>> = {
  root: [
    ['.Messages', 'message'],
    ['.Messages', 'message'],
    ['$.Messages', 'message'],
    ['.Tools', 'tool'],
    ['(slice .Messages 1)', 'message'],
    ['.', 'other'],
  ],
  message: [
    ['.ToolCalls', 'call'],
    ['.ToolCalls', 'call'],
    ['.Images', 'other'],
    ['$.Tools', 'tool'],
  ],
  call: [
    ['.Function.Arguments', 'other'],
    ['$.Messages', 'message'],
  ],
  tool: [
    ['.Function.Parameters.Properties', 'property'],
    ['.Function.Parameters.Required', 'other'],
    ['.Function.Parameters.Items', 'other'],
  ],
  property: [
    ['.Enum', 'other'],
    ['.AnyOf', 'property'],
    ['.Type', 'other'],
    ['.Properties.All', 'property'],
    ['.Properties.ToMap', 'property'],
    ['.Items', 'other'],
    ['.Required', 'other'],
  ],
  other: [
    ['.', 'other'],
    ['3', 'other'],
    ['$.Messages', 'message'],
    ['$.Tools', 'tool'],
    ['$', 'other'],
    ['(index $.Tools 0).Function.Parameters.Properties', 'property'],
    ['(index $.Messages 0).ToolCalls', 'call'],
  ],
};
const VARIABLES = ['$', '$x', '$i', '$m', '$t', '$unknown'];
const FUNCTIONS = [
  'and',
  'or',
  'not',
  'len',
  'index',
  'slice',
  'call',
  'html',
  'js',
  'urlquery',
  'print',
  'printf',
  'println',
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
  'json',
  'toTypeScriptType',
  'nosuch',
];
const INTEGERS = [
  '0',
  '1',
  '2',
  '3',
  '-1',
  '+7',
  '10',
  '255',
  '0x1F',
  '0b101',
  '0o17',
  '017',
  '1_000',
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775808',
  '18446744073709551615',
  "'a'",
  "'\\n'",
  "'é'",
  "'\\u00e9'",
  "'\\x41'",
  "'\\''",
  "'日'",
  "'\\U0001F600'",
  '-0',
  '+0xe',
  '0xe',
  '65',
  '97',
  '128512',
  '56320',
  '1114112',
];
const FLOATS = [
  '1.5',
  '0.1',
  '-2.75',
  '1e3',
  '1e-7',
  '123456789.125',
  '1e21',
  '1e20',
  '.5',
  '5.',
  '0x1p-2',
  '0x1.8p3',
  '1e308',
  '5e-324',
  '2.5',
  '0.5',
  '-0.0',
  '1E5',
  '1_0.5',
  '100000000.0',
  '3.14159265358979',
  '1.0e+00',
];
const COMPLEX = ['1i', '2.5i', '0i', '1+2i', '1.5-2e3i', '-1-1i', '1e3i', '3+0i', '0x1p4+1i'];
const BROKEN_NUMBERS = [
  '18446744073709551616',
  '1p4+2i',
  '1e400',
  '0x',
  '08',
  '1__0',
  '0b2',
  '1e',
  '.',
  '1.2.3',
  '0x1.5',
  '1+2',
  '1i+2i',
  '1x',
  '9999999999999999999999',
  '1+i',
  '1_',
  '0_1',
  '0x_1',
  "''",
  "'ab'",
  "'\\q'",
  "'\\\"'",
];
const STRINGS = [
  '""',
  '"a"',
  '"hello world"',
  '"é日本"',
  '"\\n\\t"',
  '"<b>&\'\\""',
  '`raw \\n`',
  '``',
  '"%"',
  '"\\xff\\xfe"',
  '"\\u2028"',
  '"\\U0001F600"',
  '"\\x00"',
  '`a\r\nb`',
  '"user"',
  '"assistant"',
  '"tool"',
  '"city"',
  '"a b+c/d?e=f"',
  '"\\a\\b\\f\\v"',
  '"\\101"',
  '"\u00ad\u200b"',
  '"\\x7f"',
  '"😀"',
  '"\\ufeff"',
  '"</script>"',
  '"zzz"',
  '"10"',
  '"日"',
];
const BROKEN_STRINGS = ['"\\q"', '"\\400"', '"\\ud800"', '"\\x4"', '"unclosed', '`unclosed', "'x", '"new\nline"'];
const VERBS = Array.from('vvvvTtbcdoOqxXUeEfFgGspw%zy é!');
const TEXTS = [
  'text ',
  '\n',
  '  ',
  '<|im_start|>',
  'é日本 ',
  '}',
  '{ ',
  '\t\r\n',
  '<|im_end|>\n',
  '% ',
  '$',
  '"',
  '`',
  '. ',
  '}} ',
  'x',
];
const NAMES = ['"a"', '"b"', '"c"', '"é"', '"f"', '`g`', '"no such"', '"%d"', '"h"', '""'];

/** Templates of Go's grammar, mostly right; every construct, every function, values of every kind. */
export class TemplateGenerator {
  constructor(
    private readonly random: Random,
    /** How often something is put in that is wrong already when it is parsed. */
    private readonly faults = 0.01,
  ) {}

  private dot: Dot = 'root';

  template(): string {
    const { random } = this;
    const prologue = random.chance(0.95) ? `{{ $x := ${random.pick(['0', '"s"', '.Messages', '(len .Tools)'])} }}` : '';
    const definitions = random.chance(0.15) ? random.times(1, 2, () => this.definition()).join('') : '';
    return (
      prologue + definitions + this.list(random.below(3) + 1, 'root') + (random.chance(0.05) ? this.definition() : '')
    );
  }

  private definition(): string {
    return `${this.open()}define ${this.random.pick(NAMES)}${this.close()}${this.list(1, 'other')}${this.open()}end${this.close()}`;
  }

  private open(): string {
    return this.random.pick(['{{ ', '{{ ', '{{', '{{- ', '{{-\n', '{{\n', '{{\t']);
  }

  private close(): string {
    return this.random.pick([' }}', ' }}', '}}', ' -}}', '\n-}}', '\n}}']);
  }

  private list(depth: number, dot: Dot): string {
    const around = this.dot;
    this.dot = dot;
    const text = this.random.times(0, 4, () => this.statement(depth, dot)).join('');
    this.dot = around;
    return text;
  }

  private statement(depth: number, dot: Dot): string {
    const { random } = this;
    if (random.chance(this.faults)) {
      return this.fault();
    }
    const kind = random.below(depth > 0 ? 20 : 10);
    if (kind < 3) {
      return random.pick(TEXTS);
    }
    if (kind < 9) {
      return this.open() + this.pipeline(2) + this.close();
    }
    if (kind === 9) {
      return random.chance(0.3)
        ? `{{/* ${random.pick(TEXTS).replace('}}', '')}*/}}`
        : `${this.open()}$x ${random.pick([':=', '='])} ${this.pipeline(1)}${this.close()}`;
    }
    return this.block(kind, depth - 1, dot);
  }

  private block(kind: number, depth: number, dot: Dot): string {
    const { random } = this;
    const end = `${this.open()}end${this.close()}`;
    if (kind < 13) {
      return this.branch('if', depth, dot) + end;
    }
    if (kind < 15) {
      return this.branch('with', depth, dot) + end;
    }
    if (kind < 18) {
      const leave = random.chance(0.2)
        ? `{{ if ${this.pipeline(1)} }}{{ ${random.pick(['break', 'continue'])} }}{{ end }}`
        : '';
      const [head, inside] = this.rangeHead(dot);
      const otherwise = random.chance(0.25) ? `{{ else }}${this.list(0, dot)}` : '';
      return `${this.open()}range ${head}${this.close()}${leave}${this.list(depth, inside)}${otherwise}${end}`;
    }
    if (kind === 18) {
      return `{{ block ${random.pick(NAMES)} ${this.pipeline(1)} }}${this.list(depth, dot)}${end}`;
    }
    // Nothing that grows: a template may call itself, and Go follows it a hundred thousand times.
    const value = random.pick([
      '.',
      '.',
      '$',
      '.Messages',
      '$.Messages',
      '.Tools',
      '(index $.Messages 0)',
      '(index $.Tools 0)',
      '3',
      '"x"',
      '$.System',
      '.Content',
      '',
    ]);
    return `{{ template ${random.pick(NAMES)} ${value === '' && random.chance(0.9) ? '.' : value} }}`;
  }

  private branch(word: 'if' | 'with', depth: number, dot: Dot): string {
    const { random } = this;
    const declare = random.chance(0.15) ? '$x := ' : '';
    let text = `${this.open()}${word} ${declare}${this.pipeline(2)}${this.close()}${this.list(depth, dot)}`;
    while (random.chance(0.2)) {
      text += `${this.open()}else ${word} ${this.pipeline(1)}${this.close()}${this.list(depth, dot)}`;
    }
    return random.chance(0.3) ? `${text}${this.open()}else${this.close()}${this.list(depth, dot)}` : text;
  }

  private rangeHead(dot: Dot): readonly [string, Dot] {
    const { random } = this;
    const [source, inside] = random.chance(0.8)
      ? random.pick(LOOPS[dot])
      : [random.pick(['3', '0', '.Foo', '.System', this.pipeline(1), '.ToolCalls']), 'other' as const];
    return [random.pick(['', '', '$m := ', '$i, $m := ', '$i, $m := ', '$x = ', '$x, $x = ']) + source, inside];
  }

  pipeline(depth: number): string {
    const { random } = this;
    const commands = [this.command(depth)];
    while (random.chance(0.2)) {
      commands.push(random.chance(0.98) ? this.call(depth - 1, true) : this.operand(depth - 1));
    }
    return commands.join(random.pick([' | ', '|', ' |\n']));
  }

  private command(depth: number): string {
    return this.random.chance(0.5) ? this.call(depth, false) : this.operand(depth);
  }

  private call(depth: number, piped: boolean): string {
    const { random } = this;
    const name = random.chance(0.005) ? 'nosuch' : random.pick(FUNCTIONS.slice(0, -1));
    if (name === 'printf') {
      return `printf ${this.format()} ${random.times(piped ? 0 : 1, 2, () => this.operand(depth - 1)).join(' ')}`;
    }
    const fitting = random.chance(0.7) ? this.fitting(name, piped) : undefined;
    if (fitting !== undefined) {
      return `${name} ${fitting}`;
    }
    const usual = ['not', 'len', 'json', 'toTypeScriptType'].includes(name) ? 1 : 2;
    const count = random.chance(0.9) ? usual - (piped ? 1 : 0) : random.below(4);
    return [name, ...Array.from({ length: count }, () => this.operand(depth - 1))].join(' ');
  }

  /** Arguments that the function takes. */
  private fitting(name: string, piped: boolean): string | undefined {
    const { random } = this;
    const collection = (): string =>
      random.pick([
        '$.Messages',
        '$.Tools',
        '$',
        random.pick(STRINGS),
        '(index $.Messages 0).Content',
        '(slice $.Messages 1)',
        '(index $.Tools 0).Function.Parameters.Required',
        '(print .)',
      ]);
    switch (name) {
      case 'len':
        return piped ? '' : collection();
      case 'index':
      case 'slice':
        return piped
          ? random.pick(['$.Messages', '$.Tools', '"abcé"'])
          : `${random.pick(['$.Messages', '"日本 abc"', '(print .)', '$.Messages'])} ${random.below(3)}`;
      case 'eq':
      case 'ne':
      case 'lt':
      case 'le':
      case 'gt':
      case 'ge': {
        const kind = random.pick([
          () => random.pick(INTEGERS.slice(0, 8)),
          () => random.pick(STRINGS),
          () => random.pick(FLOATS),
          () => '(len (print .))',
          () => '.Role',
        ]);
        return piped ? kind() : `${kind()} ${kind()}`;
      }
      default:
        return undefined;
    }
  }

  private format(): string {
    const { random } = this;
    if (random.chance(0.05)) {
      return this.operand(0);
    }
    const directive = (): string => {
      const flags = random.times(0, 2, () => random.pick(['-', '+', '#', ' ', '0'])).join('');
      const width = random.pick([
        '',
        '',
        '',
        '5',
        '12',
        '*',
        '1',
        '[1]*',
        '[2]',
        '2000',
        '20000000',
        '[x]',
        '[',
        '[5]',
      ]);
      const precision = random.pick(['', '', '', '.2', '.0', '.', '.10', '.*', '.[1]*', '.20', '.-1']);
      return `%${random.chance(0.5) ? flags : ''}${random.chance(0.3) ? width : ''}${random.chance(0.3) ? precision : ''}${random.chance(0.05) ? '[1]' : ''}${random.pick(VERBS)}`;
    };
    return `"${random.times(1, 2, directive).join(random.pick(['', ' ', 'x']))}"`;
  }

  operand(depth: number): string {
    const { random } = this;
    const kind = random.below(depth > 0 ? 22 : 18);
    if (random.chance(this.faults / 2)) {
      return random.pick([
        ...BROKEN_NUMBERS,
        ...BROKEN_STRINGS,
        'nosuch',
        '$unknown',
        '..',
        '.a..b',
        '1.x',
        '"a".b',
        'nil.x',
      ]);
    }
    switch (kind) {
      case 0:
      case 1:
      case 2:
        return random.chance(0.15)
          ? random.pick(ROOT_FIELDS)
          : random.pick(FIELDS.root).replace('.', this.dot === 'root' ? '.' : '$.');
      case 3:
      case 4:
      case 5:
        return random.chance(0.9) ? random.pick(FIELDS[this.dot]) : random.pick(EVERY_FIELD);
      case 6:
        return '.';
      case 7:
        return (
          random.pick(VARIABLES.slice(0, random.chance(0.03) ? 5 : 2)) +
          random.pick(['', '', ...ROOT_FIELDS.slice(0, 6), '.Content'])
        );
      case 8:
      case 9:
        return random.pick(INTEGERS);
      case 10:
        return random.pick(FLOATS);
      case 11:
        return random.chance(0.5) ? random.pick(COMPLEX) : random.pick(['true', 'false', 'nil']);
      case 12:
      case 13:
      case 14:
        return random.pick(STRINGS);
      case 15:
        return random.pick([
          '(index .Messages 0)',
          '(index $.Messages 1)',
          '(index $.Tools 0)',
          '(len .Messages)',
          '(slice .Messages 0 1)',
          '(index $.Messages 2).ToolCalls',
          '(index $.Tools 0).Function',
        ]);
      case 16:
        return random.pick([
          '(index $.Tools 0).Function.Parameters.Properties',
          '(index (index $.Tools 0).Function.Parameters.Properties "city")',
          '(index (index $.Messages 2).ToolCalls 0)',
          '(index $.Messages 0).Content',
          '(index $.Messages 0).Images',
        ]);
      case 17:
        return random.pick(['true', 'false', '.Think', '.Response', '.Messages', '.Tools']);
      default:
        return `(${random.chance(0.05) ? '$x := ' : ''}${this.pipeline(depth - 1)})${random.chance(0.2) ? random.pick(EVERY_FIELD) : ''}`;
    }
  }

  /** A number in any spelling, most of them right. */
  private numeral(): string {
    const { random } = this;
    const digits = (set: string, most: number): string =>
      random.times(1, most, () => set.charAt(random.below(set.length))).join('') + (random.chance(0.05) ? '_1' : '');
    const sign = random.pick(['', '', '', '-', '+']);
    switch (random.below(6)) {
      case 0:
        return sign + digits('0123456789', 20);
      case 1:
        return `${sign}0x${digits('0123456789abcdefABCDEF', 17)}`;
      case 2:
        return `${sign}0${random.pick(['b', 'o', ''])}${digits('01', 12)}`;
      case 3:
        return `${sign}0x${digits('0123456789abcdef', 16)}.${digits('0123456789abcdef', 8)}p${random.pick(['', '-', '+'])}${random.below(1100)}`;
      case 4:
        return `${sign}${digits('0123456789', 4)}.${digits('0123456789', 18)}${random.chance(0.5) ? `e${random.pick(['', '-', '+'])}${random.below(330)}` : ''}${random.chance(0.1) ? 'i' : ''}`;
      default:
        return `${sign}${digits('0123456789', 3)}e${random.below(30)}${random.pick(['+', '-'])}${digits('0123456789', 4)}.${digits('05', 2)}i`;
    }
  }

  /** One action on constants of the right kinds, so that it mostly succeeds. */
  expression(): string {
    const { random } = this;
    const number = (): string => (random.chance(0.5) ? this.numeral() : random.pick([...INTEGERS, ...FLOATS]));
    const string = (): string => random.pick(STRINGS);
    const any = (): string =>
      random.pick([
        number,
        number,
        string,
        string,
        () => random.pick(COMPLEX),
        () =>
          random.pick(['true', 'false', 'nil', '.Messages', '.Tools', '.', '(index .Messages 0)', '(index .Tools 0)']),
      ])();
    const both = (make: () => string): string => `${make()} ${make()}`;
    const small = (): string => random.below(5).toString();
    const texts: readonly (() => string)[] = [
      () => `printf ${this.format()} ${random.times(1, 2, any).join(' ')}`,
      () => `printf ${this.format()} ${random.times(1, 2, any).join(' ')}`,
      () => `printf ${this.format()} ${number()}`,
      () => `${random.pick(['print', 'println', 'html', 'js', 'urlquery'])} ${random.times(1, 3, any).join(' ')}`,
      () =>
        `${random.pick(['eq', 'ne', 'lt', 'le', 'gt', 'ge'])} ${both(random.pick([() => random.pick(INTEGERS), () => random.pick(FLOATS), string, any]))}`,
      () => `eq ${random.times(1, 4, string).join(' ')}`,
      () => `slice ${string()} ${random.times(0, 2, small).join(' ')}`,
      () => `${random.pick(['index', 'slice'])} ${string()} ${small()}`,
      () => `${random.pick(['and', 'or'])} ${random.times(1, 3, any).join(' ')}`,
      () => `json ${any()}`,
      number,
      string,
    ];
    return `{{ ${random.pick(texts)()}${random.chance(0.2) ? ` | printf ${this.format()}` : ''} }}`;
  }

  private fault(): string {
    const { random } = this;
    return random.pick([
      '{{ end }}',
      '{{ else }}',
      '{{',
      '}}',
      '{{ break }}',
      '{{ continue }}',
      '{{/* open',
      '{{/* x */ }}',
      '{{ if }}',
      '{{ range }}',
      '{{ }}',
      '{{ | }}',
      '{{ print | }}',
      '{{ 1 | 2 }}',
      '{{ ( }}',
      '{{ ) }}',
      '{{ define "x" }}',
      '{{ define x }}y{{ end }}',
      '{{ template x . }}',
      '{{ template "x" }}',
      '{{ block "x" }}y{{ end }}',
      '{{ $y := 1 | $z := 2 }}',
      '{{ $a, $b := 1 }}',
      '{{ range $a, $b, $c := . }}{{ end }}',
      '{{ range $a, 1 := . }}{{ end }}',
      '{{ .A, .B }}',
      '{{ @ }}',
      '{{ \u0001 }}',
      '{{ é+ }}',
      '{{ x:y }}',
      '{{ .x! }}',
      '{{ "a" "b" }}',
      '{{ .a"b" }}',
      '{{ else if . }}',
      '{{ if . }}{{ else }}{{ else }}{{ end }}',
      '{{ if . }}{{ else with . }}{{ end }}',
      '{{ range . }}{{ else if . }}{{ end }}',
      '{{ print.x }}',
      '{{ nil }}',
      '{{ true.x }}',
      '{{ .x .y }}',
      '{{ .\n"a\nb" }}',
      '{{ if \n\n(1 }}',
      '{{ with\n$x }}',
      '{{ $ }}',
      '{{ $.x=1 }}',
      '{{ if .\n}}\n{{ "\n',
      '{{ range .\n}}\n{{ ` \n',
      '{{ define "a" }}\n{{ else }}{{ end }}',
      '{{ block "a" .\n}}\n{{ else }}',
      '{{define "q"}}1{{end}}{{define "q"}}2{{end}}',
      '{{if .}}\n{{/* \n',
      `{{ ${'('.repeat(random.below(30))}`,
      '{{ printf "%d" 1 2 3 }}',
      '{{break}}',
      '{{range .}}{{block "z" .}}{{break}}{{end}}{{end}}',
      '{{-3}}',
      '{{- 3-}}',
      '{{3 -}}',
      '{{.x -}} y',
      '{{ 1 -2 }}',
    ]);
  }
}

/** Changes a text in one to four places: deletes, doubles, swaps or inserts pieces. */
export function mutateTemplate(random: Random, text: string): string {
  let result = text;
  for (let n = random.below(4); n >= 0; n--) {
    const at = random.below(result.length + 1);
    const length = random.below(6);
    const piece = random.pick([
      '{{',
      '}}',
      '"',
      '`',
      "'",
      '(',
      ')',
      '|',
      ' ',
      '\n',
      '.',
      '$',
      ':=',
      '=',
      ',',
      '-',
      ' -}}',
      '{{- ',
      'end',
      'else',
      '/*',
      '*/',
      'é',
      '😀',
      '\u0000',
      '\\',
      '0',
      'x',
      'i',
      '_',
      '+',
      '\ufffd',
      '\ud800',
      '\u0600',
      '٣',
    ]);
    const kind = random.below(4);
    if (kind === 0) {
      result = result.slice(0, at) + result.slice(at + length);
    } else if (kind === 1) {
      result = result.slice(0, at) + result.slice(at, at + length) + result.slice(at);
    } else {
      result = result.slice(0, at) + piece + result.slice(at + (kind === 2 ? length : 0));
    }
  }
  return result;
}
