import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTemplate, parseTemplateTolerantly, type ParsedTemplate } from '../../src/core/goTemplate/parseTemplate';
import type { Node, Span } from '../../src/core/goTemplate/syntax/nodes';
import { Random } from '../support/random';
import { mutateTemplate, TemplateGenerator } from '../support/templateGenerator';

function parsed(text: string): ParsedTemplate {
  const result = parseTemplate(text);
  if (!result.ok) {
    throw new Error(result.error);
  }
  return result.template;
}

/** Every node with the text of its range, parents first. */
function ranges(text: string, node: Node, found: [string, string][] = []): [string, string][] {
  const children: Node[] = [];
  switch (node.kind) {
    case 'list':
      children.push(...node.nodes);
      break;
    case 'action':
      children.push(node.pipe);
      break;
    case 'if':
    case 'with':
    case 'range':
      children.push(node.pipe, node.list, ...(node.elseList === undefined ? [] : [node.elseList]));
      break;
    case 'template':
      children.push(...(node.pipe === undefined ? [] : [node.pipe]));
      break;
    case 'pipe':
      children.push(...node.decl, ...node.cmds);
      break;
    case 'command':
      children.push(...node.args);
      break;
    case 'chain':
      children.push(node.node);
      break;
    default:
  }
  if (node.kind !== 'list') {
    found.push([node.kind, text.slice(node.start, node.end)]);
  }
  children.forEach((child) => ranges(text, child, found));
  return found;
}

const slice = (text: string, span: Span | undefined): string | undefined =>
  span === undefined ? undefined : text.slice(span.start, span.end);

describe('ranges', () => {
  it('are exact for every kind of node, behind characters of two units too', () => {
    const text = '🦙{{- $x, $y.Z | printf "é" (len .A.B).C \'c\' -0x1F nil true . -}} 🦙'.replace('$x, $y.Z', '$.Z');
    expect(ranges(text, parsed(text).main.root)).toEqual([
      ['text', '🦙'],
      ['action', '{{- $.Z | printf "é" (len .A.B).C \'c\' -0x1F nil true . -}}'],
      ['pipe', '$.Z | printf "é" (len .A.B).C \'c\' -0x1F nil true .'],
      ['command', '$.Z'],
      ['variable', '$.Z'],
      ['command', 'printf "é" (len .A.B).C \'c\' -0x1F nil true .'],
      ['identifier', 'printf'],
      ['string', '"é"'],
      ['chain', 'len .A.B).C'],
      ['pipe', 'len .A.B'],
      ['command', 'len .A.B'],
      ['identifier', 'len'],
      ['field', '.A.B'],
      ['number', "'c'"],
      ['number', '-0x1F'],
      ['nil', 'nil'],
      ['bool', 'true'],
      ['dot', '.'],
      ['text', '🦙'],
    ]);
  });

  it('tell the parts of a block', () => {
    const text = 'a{{ if .A }}b{{ else if .B }}c{{ else }}d{{ end }}e{{ range $i, $e := .C }}{{ break }}{{ end }}';
    const [, branch, , loop] = parsed(text).main.root.nodes;
    if (branch?.kind !== 'if' || loop?.kind !== 'range') {
      throw new Error('no branch');
    }
    expect(slice(text, branch)).toBe('{{ if .A }}b{{ else if .B }}c{{ else }}d{{ end }}');
    expect([slice(text, branch.header), slice(text, branch.elseAction), slice(text, branch.endAction)]).toEqual([
      '{{ if .A }}',
      '{{ else if .B }}',
      '{{ end }}',
    ]);
    const nested = branch.elseList?.nodes[0];
    expect(
      nested?.kind === 'if'
        ? [slice(text, nested.header), slice(text, nested.elseAction), slice(text, nested.endAction)]
        : [],
    ).toEqual(['{{ else if .B }}', '{{ else }}', '{{ end }}']);
    expect([slice(text, branch.list), slice(text, loop.header)]).toEqual(['b', '{{ range $i, $e := .C }}']);
    expect(loop.pipe.decl.map((variable) => slice(text, variable))).toEqual(['$i', '$e']);
  });

  it('tell definitions, names and comments', () => {
    const text = '{{ define "a" }}x{{ end }}{{ block `b` . }}y{{ end }}{{- /* note */ -}}{{ template "a" . }}';
    const { definitions, comments, main } = parsed(text);
    expect(
      definitions.map((definition) => [
        definition.kind,
        definition.name,
        slice(text, definition),
        slice(text, definition.nameSpan),
        slice(text, definition.header),
      ]),
    ).toEqual([
      ['define', 'a', '{{ define "a" }}x{{ end }}', '"a"', '{{ define "a" }}'],
      ['block', 'b', '{{ block `b` . }}y{{ end }}', '`b`', '{{ block `b` . }}'],
    ]);
    expect(comments.map((comment) => slice(text, comment))).toEqual(['/* note */']);
    expect(main.root.nodes.map((node) => [node.kind, slice(text, node)])).toEqual([
      ['template', '{{ block `b` . }}'],
      ['template', '{{ template "a" . }}'],
    ]);
  });
});

describe('behind errors', () => {
  const errors = (text: string): string[] =>
    parseTemplateTolerantly(text).problems.map(({ error, start, end }) => `${error} <${text.slice(start, end)}>`);

  it('every wrong action is told, the rest is read', () => {
    expect(errors('{{ | }}\n{{ nosuch .B }}\n{{ $x }}{{ .C }}\n{{ "open }}')).toEqual([
      'template: :1: unexpected "|" in command <|>',
      'template: :2: function "nosuch" not defined <nosuch>',
      'template: :3: undefined variable "$x" <$x>',
      'template: :4: unterminated quoted string <"open }}>',
    ]);
  });

  it('a block whose head is wrong still takes its end', () => {
    expect(errors('{{ if }}a{{ else }}b{{ end }}{{ range ( }}c{{ end }}{{ .D }}')).toEqual([
      'template: :1: missing value for if <}}>',
      'template: :1: unclosed left paren <>',
    ]);
    expect(errors('{{ define x }}a{{ end }}b')).toHaveLength(1);
  });

  it('a block without an end is told at the end, with where it began', () => {
    const text = 'x\n{{ if .A }}\n{{ range .B }}y';
    const [problem, ...others] = parseTemplateTolerantly(text).problems;
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ error: 'template: :3: unexpected EOF', line: 3, start: text.length });
    expect(slice(text, problem?.related)).toBe('{{ range .B }}');
  });

  it('an action that is never closed ends at the next one', () => {
    const { problems, root } = parseTemplateTolerantly('{{ .A {{ .B }} {{ .C }}');
    expect(problems).toHaveLength(1);
    expect(root.nodes.filter(({ kind }) => kind === 'action')).toHaveLength(2);
  });

  it('what no block opened is told each time', () => {
    expect(errors('{{ end }}a{{ else }}b')).toEqual([
      'template: :1: unexpected {{end}} <}}>',
      'template: :1: unexpected {{else}} <}}>',
    ]);
  });

  it('a call without a value is told where it is', () => {
    expect(errors('{{ define "t" }}{{ end }}{{ template "t" }}')).toEqual([
      'undefined template specified <{{ template "t" }}>',
    ]);
  });

  it('no text makes it throw, and every range lies in the text', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = new Random(seed);
        const text = mutateTemplate(random, new TemplateGenerator(random, 0.1).template());
        const { problems, root, template } = parseTemplateTolerantly(text);
        const first = parseTemplate(text);
        expect(first.ok ? undefined : first.error).toBe(problems[0]?.error);
        const spans: Span[] = [...problems, ...template.definitions, ...template.comments];
        for (const { start, end } of spans) {
          expect(start >= 0 && start <= end && end <= text.length).toBe(true);
        }
        let last = 0;
        for (const node of root.nodes) {
          expect(node.start >= last && node.end >= node.start && node.end <= text.length).toBe(true);
          last = node.kind === 'template' ? node.end : Math.max(last, node.start);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('any string at all is read', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (noise) => {
        const text = noise.replaceAll('{', '{{').replaceAll('}', ' }}');
        expect(parseTemplateTolerantly(text).template.text.length).toBe(text.length);
      }),
      { numRuns: 500 },
    );
  });
});
