import type { JinjaObject, JinjaValue } from '../chatFormat';

/** How `tojson` of Jinja (Python's `json.dumps`) lays out an object. */
export interface JsonLayout {
  /** Spaces per level; undefined: on one line. */
  readonly indent?: number | undefined;
  /** Spaces before every line but the first: an element of an indented list. */
  readonly base: number;
}

export const JSON_LAYOUTS: readonly JsonLayout[] = [
  { base: 0 },
  { indent: 4, base: 0 },
  { indent: 4, base: 4 },
  { indent: 2, base: 0 },
  { indent: 2, base: 2 },
];

/** A value as Python's `json.dumps(value, indent=…, ensure_ascii=False)` writes it. */
export function pythonJson(value: JinjaValue, layout: JsonLayout): string {
  return dump(value, layout, layout.base);
}

function dump(value: JinjaValue, layout: JsonLayout, depth: number): string {
  const list = Array.isArray(value) ? (value as readonly JinjaValue[]) : undefined;
  if (list === undefined && (typeof value !== 'object' || value === null)) {
    return JSON.stringify(value);
  }
  const inner = depth + (layout.indent ?? 0);
  const members =
    list === undefined
      ? Object.entries(value as JinjaObject).map(
          ([key, member]) => `${JSON.stringify(key)}: ${dump(member, layout, inner)}`,
        )
      : list.map((member) => dump(member, layout, inner));
  const [open, close] = list === undefined ? '{}' : '[]';
  if (members.length === 0) {
    return `${open!}${close!}`;
  }
  const line = (spaces: number): string => (layout.indent === undefined ? '' : `\n${' '.repeat(spaces)}`);
  return `${open!}${line(inner)}${members.join(layout.indent === undefined ? ', ' : `,${line(inner)}`)}${line(depth)}${close!}`;
}

/**
 * A definition that writes any value as Python does, with a space behind `:` and `,`; Go's own `json` writes none. Strings are quoted by
 * `%q`, for `json` writes `<`, `>` and `&` as escapes.
 */
export const SPACED_JSON = `{{- define "value" }}
{{- $type := printf "%T" . }}
{{- if eq $type "map[string]interface {}" "template.templateArgs" "api.ToolCallFunctionArguments" }}{{ "{" }}{{ template "members" . }}}
{{- else if eq $type "[]interface {}" "[]string" }}[{{ range $i, $element := . }}{{ if $i }}, {{ end }}{{ template "value" $element }}{{ end }}]
{{- else if eq $type "string" }}{{ printf "%q" . }}
{{- else }}{{ json . }}
{{- end }}
{{- end }}
{{- define "members" }}{{ $comma := "" }}{{ range $key, $member := . }}{{ $comma }}{{ printf "%q" $key }}: {{ template "value" $member }}{{ $comma = ", " }}{{ end }}{{ end }}`;

/** A definition of one tool in such a layout; `whole` with `{"type": "function", "function": …}` around it. */
export function toolDefinition(layout: JsonLayout, whole: boolean): string {
  const at = (level: number): string =>
    layout.indent === undefined ? '' : `\n${' '.repeat(layout.base + layout.indent * level)}`;
  const between = layout.indent === undefined ? ', ' : ',';
  const comma = (level: number): string => `${between}${at(level)}`;
  const outer = whole ? 1 : 0;
  const [one, two, three, four] = [outer + 1, outer + 2, outer + 3, outer + 4];
  // On lines of its own as deep as elements of lists are described in practice; what lies deeper stands on one line.
  const items =
    layout.indent === undefined
      ? '{{ template "value" $property.Items }}'
      : `{{ if eq (printf "%T" $property.Items) "map[string]interface {}" }}{{ "{" }}{{ $between := "" }}{{ range $key, $member := $property.Items }}{{ $between }}${at(four + 1)}{{ printf "%q" $key }}: {{ template "value" $member }}{{ $between = "," }}{{ end }}${at(four)}}{{ else }}{{ template "value" $property.Items }}{{ end }}`;
  const property = [
    `"type": {{ template "value" $property.Type }}`,
    `{{ if $property.Description }}${comma(four)}"description": {{ printf "%q" $property.Description }}{{ end }}`,
    `{{ if $property.Enum }}${comma(four)}"enum": [{{ range $i, $choice := $property.Enum }}{{ if $i }}${comma(four + 1)}{{ else }}${at(four + 1)}{{ end }}{{ template "value" $choice }}{{ end }}${at(four)}]{{ end }}`,
    `{{ if $property.Items }}${comma(four)}"items": ${items}{{ end }}`,
  ].join('');
  const properties = `{{ $comma := "" }}{{ range $name, $property := .Function.Parameters.Properties }}{{ $comma }}${at(three)}{{ printf "%q" $name }}: {{ if or $property.AnyOf $property.Properties }}{{ json $property }}{{ else }}{{ "{" }}${at(four)}${property}${at(three)}}{{ end }}{{ $comma = ${JSON.stringify(between)} }}{{ end }}`;
  const required = `{{ if .Function.Parameters.Required }}${comma(two)}"required": [{{ range $i, $name := .Function.Parameters.Required }}{{ if $i }}${comma(three)}{{ else }}${at(three)}{{ end }}{{ printf "%q" $name }}{{ end }}${at(two)}]{{ end }}`;
  const inner = `{${at(one)}"name": {{ printf "%q" .Function.Name }}${comma(one)}"description": {{ printf "%q" .Function.Description }}${comma(one)}"parameters": {${at(two)}"type": {{ printf "%q" .Function.Parameters.Type }}${comma(two)}"properties": {{ "{" }}${properties}{{ if .Function.Parameters.Properties }}${at(two)}{{ end }}}${required}${at(one)}}${at(outer)}}`;
  const text = whole ? `{${at(1)}"type": {{ printf "%q" .Type }}${comma(1)}"function": ${inner}${at(0)}}` : inner;
  return `{{- define "tool" }}${text}{{ end }}`;
}
