import type { ChatFormat, JinjaRenderer } from '../chatFormat';
import { goDate } from '../dateFormat';
import { escapeLiteral, GoText } from './goText';
import { SPACED_JSON, toolDefinition } from './jsonText';
import { HOLE } from './marks';
import { choose, conditionsOf, mapConditions, textsOf, type Piece, type Question, type Sample } from './pieceTable';
import { probeJinja } from './probeJinja';
import { readShape } from './readShape';
import type { ChatShape, ToolTurnShape } from './chatShape';

/** A Go template written from what a Jinja template was seen to do. */
export interface GeneratedTemplate {
  readonly text: string;
  /** What its user should know, in sentences. */
  readonly gaps: readonly string[];
  /** What could not be seen, in sentences: worth telling where the comparison shows a difference or has nothing to show. */
  readonly doubts: readonly string[];
}

/** What came of it. */
export interface Generation {
  /** Undefined where the Jinja template could not be taken apart. */
  readonly template?: GeneratedTemplate;
  readonly gaps: readonly string[];
  /** The Jinja template writes something else when there are tools. */
  readonly knowsTools: boolean;
}

const THINK_ON: Question = { name: 'thinkOn', condition: '$.Think' };
const THINK_OFF: Question = { name: 'thinkOff', condition: 'and $.IsThinkSet (not $.Think)' };
const TOOLS: Question = { name: 'tools', condition: '$.Tools' };
const AFTER_RESULT: Question = { name: 'afterResult', condition: 'eq $previous "tool"' };

const userQuestions = (system: Question): readonly Question[] => [
  { name: 'first', condition: '$first' },
  TOOLS,
  system,
  { name: 'lastUser', condition: 'eq $i $lastUser' },
  { name: 'last', condition: '$last' },
  THINK_OFF,
  THINK_ON,
];
const ASSISTANT_QUESTIONS: readonly Question[] = [
  { name: 'thinking', condition: '.Thinking' },
  { name: 'current', condition: 'gt $i $lastUser' },
  { name: 'last', condition: '$last' },
  { name: 'calls', condition: '$calls' },
  { name: 'callsOnly', condition: 'and $calls (not .Content)' },
  AFTER_RESULT,
];
const RESULT_BEFORE: readonly Question[] = [{ name: 'previousIsResult', condition: 'eq $previous "tool"' }];
const RESULT_AFTER: readonly Question[] = [
  { name: 'nextIsResult', condition: 'and (not $last) (eq (index (slice $.Messages $i) 1).Role "tool")' },
];

/**
 * Writes a Go template that does what a model's Jinja template was seen to do with a few dozen conversations of marker words. It is a
 * proposal: whoever takes it compares both on real conversations.
 */
export async function generateTemplate(
  format: ChatFormat & { readonly jinja: string },
  render: JinjaRenderer,
  signal?: AbortSignal,
): Promise<Generation> {
  const answers = await probeJinja(format, render, signal);
  const { knowsTools } = answers;
  const shape = readShape(answers);
  if ('failure' in shape) {
    return { gaps: [shape.failure], knowsTools };
  }
  const gaps = [
    ...(answers.text({ shape: 'question', system: true }) === undefined
      ? ['The Jinja template takes no system message; the TEMPLATE puts it before the first question.']
      : []),
    ...(answers.text({ shape: 'question', system: true })?.includes(HOLE.system) === false
      ? ["The model's own template leaves system messages out; so does the TEMPLATE."]
      : []),
    ...(shape.toolTurn?.writesCalls === false
      ? ["The model's own template writes results of tools but not the calls; so does the TEMPLATE."]
      : []),
  ];
  const doubts = [
    ...(answers.knowsTools && shape.toolList === undefined
      ? ['The Jinja template describes tools in words of its own, which are not taken over: the model gets no tools.']
      : []),
    ...(shape.toolList !== undefined && shape.toolTurn === undefined
      ? ['How the Jinja template writes calls of tools and their results could not be seen; they are left out.']
      : []),
  ];
  const writer = new TemplateWriter(shape, /<think>/.test(format.jinja));
  const text = writer.write();
  return text === undefined
    ? { gaps: ['The Jinja template chooses by more than a Go template is told.'], knowsTools }
    : { template: { text, gaps, doubts }, gaps, knowsTools };
}

class TemplateWriter {
  private readonly go: GoText;
  private readonly system: Question;

  constructor(
    private readonly shape: ChatShape,
    private readonly thinks: boolean,
  ) {
    this.system = { name: 'system', condition: this.ownsSystem ? '$system' : '$.System' };
    this.go = new GoText(
      new Map([
        [HOLE.system, `{{ ${this.system.condition} }}`],
        [HOLE.tools, this.toolList()],
        [HOLE.thinking, '{{ .Thinking }}'],
        [HOLE.callId, '{{ .ID }}'],
        [HOLE.toolName, '{{ .ToolName }}'],
        [HOLE.resultId, '{{ .ToolCallID }}'],
      ]),
    );
  }

  private toolList(): string {
    const { toolList } = this.shape;
    const separator = toolList === undefined ? '' : escapeLiteral(toolList.separator);
    return `{{ range $i, $tool := $.Tools }}{{ if $i }}${separator}{{ end }}{{ template "tool" $tool }}{{ end }}`;
  }

  /** Undefined where what was seen contradicts itself, or a date is in a form that Ollama's functions do not give. */
  write(): string | undefined {
    const { go, shape } = this;
    const user = this.userPieces();
    const assistant = choose(shape.assistantBefore, ASSISTANT_QUESTIONS);
    const generation = choose(shape.generation, [AFTER_RESULT, THINK_OFF, THINK_ON]);
    if (
      user === undefined ||
      assistant === undefined ||
      generation === undefined ||
      !datesArePossible([...user.top, ...user.turn])
    ) {
      return undefined;
    }
    if (shape.toolList !== undefined) {
      go.define(SPACED_JSON);
      go.define(toolDefinition(shape.toolList.layout, shape.toolList.whole));
    }
    const inline = this.inlineSystem(user.top);
    const top = inline === 'everywhere' ? [] : user.top;
    const all = [...top, ...user.turn, ...assistant, ...generation];
    if (this.ownsSystem) {
      this.firstSystem(all);
    }
    go.pieces(top);
    this.variables(all);
    go.control('range $i, $_ := .Messages');
    go.control('$last := eq (len (slice $.Messages $i)) 1');
    go.control('if eq .Role "user"').pieces(user.turn).output('.Content').literal(shape.userAfter);
    if (asks(all, '$first')) {
      go.control('$first = false');
    }
    if (inline !== 'nowhere' && shape.laterSystem.kind === 'inline') {
      go.control(inline === 'everywhere' ? 'else if eq .Role "system"' : 'else if and $i (eq .Role "system")')
        .literal(shape.laterSystem.before)
        .output('.Content')
        .literal(shape.laterSystem.after);
    }
    go.control('else if eq .Role "assistant"');
    this.assistant(assistant);
    if (shape.toolTurn !== undefined) {
      go.control('else if eq .Role "tool"');
      this.result(shape.toolTurn);
    }
    go.control('end');
    if (generation.length > 0) {
      go.control('if and $last (ne .Role "assistant")').pieces(this.generationPieces(generation)).control('end');
    }
    if (this.usesPrevious(all)) {
      go.control('$previous = .Role');
    }
    go.control('end');
    return go.toString();
  }

  /** Whether only one of the system messages goes to the top: others are written where they stand, or not at all. */
  private get ownsSystem(): boolean {
    const { kind } = this.shape.laterSystem;
    return kind !== 'top';
  }

  /** A first system message that is written as every other one needs no words of its own. */
  private inlineSystem(top: readonly Piece[]): 'everywhere' | 'later' | 'nowhere' {
    const { laterSystem } = this.shape;
    if (laterSystem.kind !== 'inline') {
      return 'nowhere';
    }
    const [only, ...rest] = top;
    const isSame =
      rest.length === 0 &&
      typeof only === 'object' &&
      only.otherwise.length === 0 &&
      only.condition === '$system' &&
      JSON.stringify(only.then) === JSON.stringify([`${laterSystem.before}${HOLE.system}${laterSystem.after}`]);
    return isSame ? 'everywhere' : 'later';
  }

  /** `.System` is all system messages together; these templates write the others where they stand. */
  private firstSystem(all: readonly Piece[]): void {
    if (asks(all, '$system') || writes(all, HOLE.system)) {
      const which = this.shape.laterSystem.kind === 'last' ? 'eq .Role "system"' : 'and (not $i) (eq .Role "system")';
      this.go
        .control('$system := ""')
        .control('range $i, $_ := .Messages')
        .control(`if ${which}`)
        .control('$system = .Content')
        .control('end')
        .control('end');
    }
  }

  /** `$previous` is still the turn before here, while the generation follows the last one. */
  private generationPieces(generation: readonly Piece[]): readonly Piece[] {
    return mapConditions(generation, (condition) => condition.replaceAll('eq $previous "tool"', 'eq .Role "tool"'));
  }

  private usesPrevious(all: readonly Piece[]): boolean {
    // Results of tools ask for it, too.
    return this.shape.toolTurn !== undefined || asks(all, '$previous');
  }

  private variables(all: readonly Piece[]): void {
    if (asks(all, '$first')) {
      this.go.control('$first := true');
    }
    if (this.usesPrevious(all)) {
      this.go.control('$previous := ""');
    }
    if (asks(all, '$lastUser')) {
      this.go
        .control('$lastUser := -1')
        .control('range $i, $_ := .Messages')
        .control('if eq .Role "user"')
        .control('$lastUser = $i')
        .control('end')
        .control('end');
    }
  }

  /** What stands before questions; what comes once, at the very beginning, is taken out of the loop. */
  private userPieces(): { readonly top: readonly Piece[]; readonly turn: readonly Piece[] } | undefined {
    const { userBefore } = this.shape;
    const samples = userBefore.some(({ answers }) => answers['system'] === true)
      ? userBefore
      : [...userBefore, ...withSystemInQuestion(userBefore)];
    const later = samples.filter(({ answers }) => answers['first'] !== true).map(({ text }) => text);
    const [turn] = later;
    const first = samples.filter(({ answers }) => answers['first'] === true);
    if (turn !== undefined && later.every((text) => text === turn) && first.every(({ text }) => text.endsWith(turn))) {
      const top = choose(
        unique(first.map((sample) => ({ ...sample, text: sample.text.slice(0, sample.text.length - turn.length) }))),
        [TOOLS, this.system, THINK_OFF, THINK_ON],
      );
      if (top !== undefined) {
        return { top: atTop(top), turn: turn === '' ? [] : [turn] };
      }
    }
    const pieces = choose(samples, userQuestions(this.system));
    return pieces === undefined ? undefined : { top: [], turn: pieces };
  }

  private assistant(before: readonly Piece[]): void {
    const { go, shape } = this;
    const { toolTurn } = shape;
    if (asks(before, '$calls')) {
      go.control('$calls := len .ToolCalls');
    }
    go.pieces(before);
    if (this.thinks && !writes(before, HOLE.thinking)) {
      // So that Ollama knows that the model thinks; the Jinja template drops what was thought.
      go.control('if and $last .Thinking')
        .literal('<think>\n')
        .output('.Thinking')
        .literal('\n</think>\n\n')
        .control('end');
    }
    if (toolTurn?.dropsText !== true) {
      go.output('.Content');
    }
    if (toolTurn?.writesCalls === true) {
      this.calls(toolTurn);
    }
    if (shape.assistantAfter !== '') {
      go.control('if not $last').literal(shape.assistantAfter).control('end');
    }
  }

  /**
   * Ollama takes the first text behind `if .ToolCalls` for the tag that begins a call, and gives up at an `if` or a value before it:
   * what stands between calls is therefore written by definitions, and nothing before this asks for .ToolCalls.
   */
  private calls(turn: ToolTurnShape): void {
    const { go } = this;
    const separate = (name: string, text: string, argument: string): void => {
      go.define(`{{- define "${name}" }}{{ if . }}${escapeLiteral(text)}{{ end }}{{ end }}`);
      go.call(`template "${name}" ${argument}`);
    };
    go.control('if .ToolCalls');
    const { beforeCalls: bare, beforeCallsWithText: textual } = turn;
    if (textual.endsWith(bare) && textual !== bare) {
      separate('betweenTextAndCalls', textual.slice(0, textual.length - bare.length), '.Content');
      go.literal(bare);
    } else if (textual === bare) {
      go.literal(bare);
    } else {
      go.pieces(
        choose(
          [
            { answers: { content: true }, text: textual },
            { answers: { content: false }, text: bare },
          ],
          [{ name: 'content', condition: '.Content' }],
        ) ?? [],
      );
    }
    go.control('range $number, $_ := .ToolCalls');
    if (turn.betweenCalls !== '') {
      separate('betweenCalls', turn.betweenCalls, '$number');
    }
    go.literal(turn.beforeName)
      .output('.Function.Name')
      .literal(turn.beforeArguments)
      .output('template "value" .Function.Arguments')
      .literal(turn.afterArguments);
    go.control('end').literal(turn.afterCalls);
    if (turn.dropsText) {
      go.control('else').output('.Content');
    }
    go.control('end');
  }

  private result(turn: ToolTurnShape): void {
    const { go } = this;
    go.pieces(choose(turn.resultBefore, RESULT_BEFORE) ?? []);
    go.output(turn.resultIsJson ? 'printf "%q" .Content' : '.Content');
    go.pieces(choose(turn.resultAfter, RESULT_AFTER) ?? []);
  }
}

/** Where a template takes no system message: the text goes before the first question, with an empty line between. */
function withSystemInQuestion(samples: readonly Sample[]): Sample[] {
  return samples.map(({ answers, text }) => ({
    answers: { ...answers, system: true },
    text: answers['first'] === true ? `${text}${HOLE.system}\n\n` : text,
  }));
}

function unique(samples: readonly Sample[]): Sample[] {
  return samples.filter(
    (sample, index) =>
      samples.findIndex(
        (other) =>
          other.text === sample.text &&
          ['tools', 'system', 'thinkOn', 'thinkOff'].every((name) => other.answers[name] === sample.answers[name]),
      ) === index,
  );
}

/** Outside of the loop the dot is the root. */
function atTop(pieces: readonly Piece[]): readonly Piece[] {
  return mapConditions(pieces, (condition) => condition.replaceAll('$.', '.'));
}

/** Whether one of the conditions has the variable `name`. */
function asks(pieces: readonly Piece[], name: string): boolean {
  return conditionsOf(pieces).some((condition) => condition.includes(name));
}

/** Whether the placeholder stands somewhere in the texts. */
function writes(pieces: readonly Piece[], hole: string): boolean {
  return textsOf(pieces).some((text) => text.includes(hole));
}

function datesArePossible(pieces: readonly Piece[]): boolean {
  const formats = textsOf(pieces).flatMap((text) => [...text.matchAll(/\ue007([^\ue008]*)\ue008/g)]);
  return formats.every(([, format = '']) => goDate(format) !== undefined);
}
